"""A text cut into documents: those to learn from, and those on which is judged."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_BLANK = re.compile(r"(?<=\n)\n+")


@dataclass(frozen=True)
class Documents:
    """Of one text, in its order."""

    learned: tuple[str, ...]
    judged: tuple[str, ...]


def cut(text: str, least: int, held_out: float) -> Documents:
    """Cut a text at blank lines into documents of `least` characters or more.

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
    ends = [found.end() for found in _BLANK.finditer(text)]
    documents, begin = [], 0
    for end in [*ends, len(text)]:
        if end - begin >= least:
            documents.append(text[begin:end])
            begin = end
    if begin < len(text):
        documents[-1:] = ["".join((*documents[-1:], text[begin:]))]
    return documents


def mixed(sets: Sequence[Sequence[str]]) -> list[str]:
    """Documents that change their domain halfway: the n-th of every set, cut in half, in turns."""
    found = []
    for together in zip(*sets, strict=False):
        halves = [(one[: len(one) // 2], one[len(one) // 2 :]) for one in together]
        found.append("".join(half[part] for part in (0, 1) for half in halves))
    return found
