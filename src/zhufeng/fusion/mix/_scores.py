"""Texts scored by a mixture and by all it could have been."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zhufeng.base import InputError, record, track
from zhufeng.fusion.mix._member import Bits
from zhufeng.fusion.mix._mixture import Mixed, Mixture


@record
class Scores:
    """Bits a byte of UTF-8 over some documents; None where a document cannot be said."""

    documents: int
    text_bytes: int
    chunks: int
    members: dict[str, float | None]
    """Of each member alone."""
    uniform: float | None
    """Of the mixture whose weights stay equal in every chunk."""
    oracle: float | None
    """Of the best member of each document, chosen by its text: no mixture can know it before."""
    mixture: float | None
    failures: dict[str, str]
    """Members that failed, and why at last; they count as if they could not say a document."""


def score_texts(mixture: Mixture, texts: Sequence[str]) -> Scores:
    """Score documents; each begins anew, with the prior.

    Raises:
        InputError: they hold no text, or all members fail.
    """
    names = [member.name for member in mixture.members]
    return scores_of(names, [mixture.score(text) for text in track(texts, "score")])


def scores_of(names: Sequence[str], documents: Sequence[Mixed]) -> Scores:
    """What scored documents cost together.

    Args:
        names: of the members.
        documents: as `Mixture.score` returns them.

    Raises:
        InputError: they hold no text.
    """
    size = sum(len(chunk.encode()) for mixed in documents for chunk in mixed.chunks)
    if not size:
        raise InputError(
            "the documents hold no text",
            expected="one character at least",
            came=f"{len(documents)} empty documents",
            do="name files with text",
        )
    sums: list[Bits] = []
    failures: dict[str, str] = {}
    for mixed in documents:
        uniform = np.log2(len(names)) - np.logaddexp2.reduce(-mixed.bits, axis=0)
        alone = mixed.bits.sum(1)
        sums.append(np.array([*alone, uniform.sum(), alone.min(), mixed.mixture_bits.sum()]))
        failures |= {n: why for n, why in zip(names, mixed.failures, strict=True) if why}
    rates = [float(total) / size for total in np.sum(sums, 0)]
    told = [rate if np.isfinite(rate) else None for rate in rates]
    return Scores(
        documents=len(documents),
        text_bytes=size,
        chunks=sum(len(mixed.chunks) for mixed in documents),
        members=dict(zip(names, told, strict=False)),
        uniform=told[-3],
        oracle=told[-2],
        mixture=told[-1],
        failures=failures,
    )
