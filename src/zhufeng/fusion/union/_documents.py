"""A text cut into documents: those to learn from, and those on which is judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BLANK = re.compile(r"(?<=\n\n)(?!\n)")


@dataclass(frozen=True)
class Documents:
    """Of one text, in its order."""

    learned: tuple[str, ...]
    judged: tuple[str, ...]


def cut(text: str, least: int, held_out: float) -> Documents:
    """Cut a text into documents of `least` characters or more: at the next blank line after so
    many, or the end of the line after twice as many.

    Args:
        text: the documents, one after another, are the text.
        least: characters; what is left at the end joins the document before it.
        held_out: the share of the text that documents to be judged on have at least, from its end;
            1 for all of it.
    """
    documents = _documents(text, least)
    begin, rest = len(documents), 0
    while begin and rest < held_out * len(text):
        begin -= 1
        rest += len(documents[begin])
    return Documents(tuple(documents[:begin]), tuple(documents[begin:]))


def _documents(text: str, least: int) -> list[str]:
    documents, begin = [], 0
    while begin < len(text):
        blank = _BLANK.search(text, begin + least)
        line = text.find("\n", begin + 2 * least - 1) + 1
        ends = [one for one in (blank.end() if blank else 0, line) if one]
        end = min(ends, default=len(text))
        documents.append(text[begin:end])
        begin = end
    if len(documents) > 1 and len(documents[-1]) < least:
        documents[-2:] = ["".join(documents[-2:])]
    return documents


def mixed(sets: Sequence[Sequence[str]]) -> list[str]:
    """Documents that change their domain halfway: the n-th of every set, cut in half, in turns."""
    found = []
    for together in zip(*sets, strict=False):
        halves = [(one[: len(one) // 2], one[len(one) // 2 :]) for one in together]
        found.append("".join(half[part] for part in (0, 1) for half in halves))
    return found
