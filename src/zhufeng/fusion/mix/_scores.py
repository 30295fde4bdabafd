"""Texts scored by a mixture and by all it could have been."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from zhufeng.base import InputError, read_text, record, track
from zhufeng.fusion.mix._member import Bits
from zhufeng.fusion.mix._mixture import Mixture


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


def score_files(mixture: Mixture, files: Iterable[Path]) -> Scores:
    """Score text files, each one a document.

    Raises:
        InputError: one cannot be read or is not UTF-8; they hold no text; all members fail.
    """
    return score_texts(mixture, [read_text(path, "a text file") for path in files])


def score_texts(mixture: Mixture, texts: Sequence[str]) -> Scores:
    """Score documents; each begins anew, with the prior.

    Raises:
        InputError: they hold no text, or all members fail.
    """
    names = [member.name for member in mixture.members]
    sums: list[Bits] = []
    failures: dict[str, str] = {}
    chunks, size = 0, 0
    for text in track(texts, "score"):
        mixed = mixture.score(text)
        uniform = np.log2(len(names)) - np.logaddexp2.reduce(-mixed.bits, axis=0)
        alone = mixed.bits.sum(1)
        sums.append(np.array([*alone, uniform.sum(), alone.min(), mixed.mixture_bits.sum()]))
        chunks, size = chunks + len(mixed.chunks), size + len(text.encode())
        failures |= {n: why for n, why in zip(names, mixed.failures, strict=True) if why}
    if not size:
        raise InputError(
            "the documents hold no text",
            expected="one character at least",
            came=f"{len(sums)} empty documents",
            do="name files with text",
        )
    rates = [float(total) / size for total in np.sum(sums, 0)]
    told = [rate if np.isfinite(rate) else None for rate in rates]
    return Scores(
        documents=len(sums),
        text_bytes=size,
        chunks=chunks,
        members=dict(zip(names, told, strict=False)),
        uniform=told[-3],
        oracle=told[-2],
        mixture=told[-1],
        failures=failures,
    )
