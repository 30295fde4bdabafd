"""The law of the weights, against arithmetic done here."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from zhufeng.fusion.mix import mix

Array = NDArray[np.float64]
INF = math.inf
COST = st.one_of(st.floats(0, 40), st.floats(0, 1e4), st.just(INF))
TABLES = st.integers(1, 4).flatmap(
    lambda members: st.lists(
        st.lists(COST, min_size=members, max_size=members), min_size=1, max_size=12
    ).map(lambda rows: np.array(rows, np.float64).T)
)
SHARES = st.sampled_from([0.0, 1e-3, 0.02, 0.3])


def close(one: float, other: float) -> bool:
    return one == other or abs(one - other) <= 1e-6 * max(1.0, abs(other))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3), st.integers(1, 5), SHARES, st.integers(0, 2**32))
def test_the_mixture_is_the_sum_over_all_sequences_of_members(
    members: int, chunks: int, forget: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    bits, prior = rng.exponential(3, (members, chunks)), rng.dirichlet(np.ones(members))
    total = 0.0
    for path in itertools.product(range(members), repeat=chunks):
        chance = prior[path[0]]
        for one, other in itertools.pairwise(path):
            chance *= forget * prior[other] + (1 - forget) * (one == other)
        total += chance * 2 ** -sum(bits[i, t] for t, i in enumerate(path))
    assert close(mix(bits, prior.tolist(), forget=forget).mixture_bits.sum(), -math.log2(total))


@settings(max_examples=200, deadline=None)
@given(TABLES, SHARES)
def test_never_worse_than_the_bound(bits: Array, forget: float) -> None:
    """Of the best member, and of the best one for each of two halves."""
    members, chunks = bits.shape
    found = mix(bits, forget=forget)
    np.testing.assert_allclose(found.weights.sum(0), 1)
    assert not np.isnan(found.mixture_bits).any()
    stay = -(chunks - 1) * math.log2(1 - forget)
    cost = found.mixture_bits.sum()
    assert cost <= bits.sum(1).min() + math.log2(members) + stay + 1e-6
    if forget and chunks > 1:
        half = chunks // 2
        best = bits[:, :half].sum(1).min() + bits[:, half:].sum(1).min()
        switch = 2 * math.log2(members) - math.log2(forget)
        assert cost <= best + switch + stay + 1e-6 * max(1, best if best < INF else 1)


@settings(max_examples=100, deadline=None)
@given(TABLES, SHARES)
def test_copies_share_equally_and_weigh_what_one_of_them_would(bits: Array, forget: float) -> None:
    prior = [1.0, *[2.0] * (len(bits) - 1)]
    twice = mix(np.vstack([bits[:1], bits]), [0.5, *prior[:1], *prior[1:]], forget=forget)
    once = mix(bits, [1.5, *prior[1:]], forget=forget)
    np.testing.assert_allclose(twice.mixture_bits, once.mixture_bits, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(2 * twice.weights[0], twice.weights[1], rtol=1e-9, atol=1e-300)


@settings(max_examples=100, deadline=None)
@given(TABLES, SHARES, st.integers(0, 99))
def test_the_order_of_members_does_not_matter(bits: Array, forget: float, seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(bits))
    one, other = mix(bits, forget=forget), mix(bits[order], forget=forget)
    np.testing.assert_allclose(one.mixture_bits, other.mixture_bits, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(one.weights[order], other.weights, rtol=1e-9, atol=1e-12)


@settings(max_examples=100, deadline=None)
@given(TABLES, st.floats(0.01, 0.9))
def test_a_useless_member_costs_at_most_its_prior(bits: Array, share: float) -> None:
    alone = mix(bits, forget=0.0).mixture_bits.sum()
    useless = np.full((1, bits.shape[1]), INF)
    prior = [share, *[(1 - share) / len(bits)] * len(bits)]
    beside = mix(np.vstack([useless, bits]), prior, forget=0.0).mixture_bits.sum()
    assert alone == beside or beside <= alone - math.log2(1 - share) + 1e-6 * max(1.0, alone)


def test_tens_of_thousands_of_bits_are_not_lost() -> None:
    """Without forgetting a member comes back from 2^-20000."""
    bits = np.array([[2e4, 0.0, 1.0], [0.0, 2e4 + 100, 1.0]])
    found = mix(bits, forget=0.0)
    assert close(found.mixture_bits.sum(), 2e4 + 2)
    np.testing.assert_allclose(found.weights[:, 2], [1, 0], atol=1e-12)


def test_a_member_that_cannot_say_a_chunk_comes_back_and_nobody_learns_where_all_cannot() -> None:
    bits = np.array([[INF, 1.0, 1.0, INF, 1.0], [5.0, 9.0, 9.0, INF, 9.0]])
    found = mix(bits, forget=0.1)
    assert found.weights[0, 1] == pytest.approx(0.05)
    assert found.weights[0, 3] > 0.9
    assert found.mixture_bits[3] == INF
    np.testing.assert_allclose(found.weights[:, 4], 0.9 * found.weights[:, 3] + 0.05)
