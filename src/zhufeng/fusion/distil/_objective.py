"""What a student learns of a mixture: a divergence between likelihoods of chunks of text.

Teachers and student split text into other tokens, so that their distributions over tokens cannot
be compared; what each gives to a chunk of the text can. Beside everything else that might have
come instead it is a distribution over two, for the mixture and for the student; what is minimised
is the Kullback-Leibler divergence of the student's from the mixture's (Minixhofer, Vulić and Ponti
2025, approximate likelihood matching). By the data-processing inequality it is a lower bound of
the divergence over all chunks, and it is 0 where the two agree.

A chunk's likelihood is that of its tokens, times that of its ending there, given that the chunk
before it has ended: as `zhufeng.fusion.mix` has it of a member, so that of two equal models the two
likelihoods are equal.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from zhufeng.models import Decoder, DecoderOutput

# What is left for everything else: below, 1 - p is rounding.
_LEAST = 1e-9


@dataclass(frozen=True)
class Told:
    """What the mixture says of chunks in a batch."""

    positions: Tensor
    """Shape (chunks, tokens), int64: where in the batch, rows one after another, each token of a
    chunk is predicted; -1 behind its last."""
    tokens: Tensor
    """Of the same shape; any where there is no position."""
    ends: Tensor
    """Shape (chunks, 4), int64: where the token after the chunk before is predicted and that
    chunk's kind, -1 where there is none before; then the same of the chunk itself."""
    log_p: Tensor
    """Shape (chunks,), fp32: the mixture's, in nats."""

    def tensors(self) -> tuple[Tensor, ...]:
        """As a batch carries them."""
        return self.positions, self.tokens, self.ends, self.log_p


def log_likelihoods(logits: Tensor, told: Told, ending: Tensor) -> Tensor:
    """The student's log-likelihoods of chunks in nats, shape (chunks,), in fp64.

    Args:
        logits: shape (positions of the batch, vocabulary).
        told: the chunks.
        ending: shape (kinds of chunks, vocabulary): 1 for a token that ends a chunk of the kind,
            0 for one that makes it longer.
    """
    log_q = logits.log_softmax(-1)
    used = told.positions >= 0
    at, tokens = told.positions.clamp(min=0), told.tokens.masked_fill(~used, 0)
    path = log_q[at, tokens].double().masked_fill(~used, 0.0).sum(-1)
    log_ends = (log_q.exp() @ ending.T).double().clamp(min=_LEAST).log()
    before, kind_before, after, kind = told.ends.unbind(-1)
    begun = before >= 0
    start = log_ends[before.clamp(min=0), kind_before.clamp(min=0)].masked_fill(~begun, 0.0)
    return (path - start + log_ends[after, kind]).clamp(max=0.0)


def divergence(log_q: Tensor, log_p: Tensor) -> Tensor:
    """KL(p || q) of each chunk against everything else, in nats, of the shape of both."""
    log_p = log_p.double()
    rest_p, rest_q = ((1 - x.exp()).clamp(min=_LEAST) for x in (log_p, log_q))
    return log_p.exp() * (log_p - log_q) + rest_p * (rest_p.log() - rest_q.log())


class Taught(nn.Module):
    """A decoder that learns from a text and from what a mixture says of it."""

    ending: Tensor

    def __init__(self, decoder: Decoder, ending: Tensor, weight: float) -> None:
        """Wrap a decoder.

        Args:
            decoder: the student.
            ending: see `log_likelihoods`.
            weight: of the mean divergence of a chunk, beside the mean cross-entropy of a token.
        """
        super().__init__()
        self.decoder, self.weight = decoder, weight
        self.register_buffer("ending", ending, persistent=False)

    def forward(
        self, tokens: Tensor, targets: Tensor | None = None, *told: Tensor
    ) -> DecoderOutput:
        """As the decoder does; with `told`, the tensors of a `Told`, they add to its loss."""
        out: DecoderOutput = self.decoder(tokens, targets)
        if out.loss is None or not told or not len(told[-1]):
            return out
        logits, one = out.logits.flatten(0, 1).float(), Told(*told)
        found = divergence(log_likelihoods(logits, one, self.ending), one.log_p).mean()
        return DecoderOutput(out.logits, out.loss + self.weight * found.to(out.loss.dtype))
