"""What a student learns of a mixture: a divergence between likelihoods of pieces of text.

Teachers and student split text into other tokens, so that their distributions over tokens cannot
be compared; the likelihoods of whole chunks can (Minixhofer, Vulić and Ponti 2025 compare those of
a text's own chunks). At one place of a text there are a few pieces that may come next, none the
beginning of another, so that no two come together: with everything else as one more they are a
distribution, for the mixture and for the student, whatever their tokens. What is minimised is the
Kullback-Leibler divergence of the student's from the mixture's. By the data-processing inequality
it is a lower bound of the divergence over all texts, and it is 0 where the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from zhufeng.models import Decoder, DecoderOutput

# Everything else has at least this probability: below, 1 - sum is rounding.
_LEAST = 1e-9


@dataclass(frozen=True)
class Events:
    """What may come next at some places of a batch, as paths of the student's tokens."""

    positions: Tensor
    """Shape (places, events, tokens), int64: where in the batch, rows one after another, each
    token of a path is predicted; -1 behind a path's end."""
    tokens: Tensor
    """Of the same shape; any where there is no position."""
    log_p: Tensor
    """Shape (places, events), fp32: the mixture's, in nats; -inf where there is no event."""

    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """As a batch carries them."""
        return self.positions, self.tokens, self.log_p


def log_likelihoods(logits: Tensor, events: Events) -> Tensor:
    """The student's log-likelihoods of paths in nats, shape (places, events), in fp64.

    Args:
        logits: shape (positions of the batch, vocabulary).
        events: the paths.
    """
    used = events.positions >= 0
    at = events.positions.clamp(min=0)
    normal = logits.logsumexp(-1)
    each = logits[at, events.tokens.masked_fill(~used, 0)] - normal[at]
    return each.double().masked_fill(~used, 0.0).sum(-1)


def divergence(log_q: Tensor, log_p: Tensor) -> Tensor:
    """KL(p || q) over each place's events and everything else, in nats, shape (places,).

    Args:
        log_q: the student's, shape (places, events), fp64.
        log_p: the mixture's; -inf where there is no event.
    """
    there = log_p > -torch.inf
    log_p, log_q = (x.double().masked_fill(~there, 0.0) for x in (log_p, log_q))
    p, q = (x.exp() * there for x in (log_p, log_q))
    rest_p, rest_q = ((1 - x.sum(-1)).clamp(min=_LEAST) for x in (p, q))
    return (p * (log_p - log_q)).sum(-1) + rest_p * (rest_p.log() - rest_q.log())


class Taught(nn.Module):
    """A decoder that learns from a text and from what a mixture says of it."""

    def __init__(self, decoder: Decoder, *, likelihood: float, choice: float) -> None:
        """Wrap a decoder.

        Args:
            decoder: the student.
            likelihood: weight of the divergence at places with one event, the text's own chunk.
            choice: weight of that at places with others beside it.
        """
        super().__init__()
        self.decoder = decoder
        self.weights = (likelihood, choice)

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, *events: Tensor
    ) -> DecoderOutput:
        """As the decoder does; with `events`, the tensors of two `Events`, they add to its loss.

        The loss is the corpus' cross-entropy in nats a target, and for each of the two its weight
        times the mean over its places of their divergence, in nats a chunk.
        """
        out: DecoderOutput = self.decoder(tokens, targets)
        if out.loss is None or not events:
            return out
        logits = out.logits.flatten(0, 1).float()
        loss = out.loss
        for weight, one in zip(self.weights, (events[:3], events[3:]), strict=True):
            told = Events(*one)
            if weight and len(told.log_p):
                found = divergence(log_likelihoods(logits, told), told.log_p)
                loss = loss + weight * found.mean().to(loss.dtype)
        return DecoderOutput(out.logits, loss)
