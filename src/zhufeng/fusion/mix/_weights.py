"""The law of the weights: Bayes' rule over chunks, with a share of forgetting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zhufeng.fusion.mix._member import Bits

FORGET = 0.02


@dataclass(frozen=True)
class Weighed:
    """Weights and cost of a mixture."""

    weights: Bits
    """Shape (members, chunks): of each member before each chunk; columns sum to 1."""
    mixture_bits: Bits
    """Shape (chunks,): -log2 of the weighted sum of probabilities; inf where nobody can say it."""


def prior_of(members: int, prior: Sequence[float] | None) -> Bits:
    """log2 of the weights before the first chunk, which sum to 1; equal ones without `prior`."""
    weights = np.full(members, 1.0) if prior is None else np.asarray(prior, np.float64)
    assert weights.shape == (members,), "one weight a member"
    assert (weights >= 0).all(), "weights of at least 0"
    assert 0 < weights.sum() < np.inf, "a weight above 0"
    with np.errstate(divide="ignore"):
        return np.asarray(np.log2(weights / weights.sum()))


def mixed_bits(weights: Bits, bits: Bits) -> float:
    """-log2 sum_i w_i 2^-bits_i of log2 weights; inf where no member can say it."""
    return max(0.0, -float(np.logaddexp2.reduce(weights - bits)))


def moved(weights: Bits, bits: Bits, prior: Bits, forget: float) -> Bits:
    """The weights after a chunk that cost each member `bits`.

    Bayes' rule, then a share `forget` goes back to the prior: fixed share (Herbster & Warmuth
    1998) to the start vector (Bousquet & Warmuth 2002). Members that are copies of one another
    so weigh together what one of them would weigh with their priors' sum. Where no member could
    say the chunk, Bayes' rule says nothing and is left out.

    Args:
        weights: log2, before the chunk, shape (members,).
        bits: shape (members,), inf where a member cannot say it.
        prior: log2, shape (members,).
        forget: the share, in [0, 1).
    """
    joint = weights - bits
    total = np.logaddexp2.reduce(joint)
    after = weights if total == -np.inf else joint - total
    if forget == 0:
        return np.asarray(after)
    return np.asarray(np.logaddexp2(after + np.log2(1 - forget), prior + np.log2(forget)))


def mix(bits: Bits, prior: Sequence[float] | None = None, *, forget: float = FORGET) -> Weighed:
    """Weigh members over a text.

    Beside any one member for each of n chunks, changing k times, the mixture costs at most
    log2 1/prior for the first, log2 1/(forget prior) for each new one, and log2 1/(1 - forget)
    for each other chunk but the first.

    Args:
        bits: shape (members, chunks), at least 0 each; inf where a member cannot say a chunk.
        prior: weights before the first chunk, to a common factor; equal without.
        forget: share that goes back to the prior after each chunk, in [0, 1).
    """
    bits = np.asarray(bits, np.float64)
    assert not np.isnan(bits).any(), "bits, or inf"
    assert 0 <= forget < 1, "a share to forget in [0, 1)"
    start = prior_of(len(bits), prior)
    weights, costs = np.empty_like(bits), np.empty(bits.shape[1])
    now = start
    for place, column in enumerate(bits.T):
        weights[:, place] = np.exp2(now)
        costs[place] = mixed_bits(now, column)
        now = moved(now, column, start, forget)
    return Weighed(weights, costs)
