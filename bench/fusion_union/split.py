"""The documents of one seed: what members learn, the router's 1%, and what is scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fusion_union.documents import DOMAINS, SCORED_BYTES, Document, Domain, cut, middle
from zhufeng.base import generator

MIXED = "mixed"
"""The set whose documents mix domains."""
SETS = (*DOMAINS, MIXED)
TESTED, INTERLEAVED = 20, 16
"""Documents of each domain that are scored as they are, and that become parts of mixed ones."""
ROUTER_SHARE, ROUTER_BYTES = 0.01, 1_000
"""Of what is learned, so much text is the router's, in documents cut to so many bytes: of many
short ones it learns more than of a few long ones."""
_PIECE = (300, 900)
"""Bytes of a piece of a mixed document, between which they are drawn; a line is never cut."""


@dataclass(frozen=True)
class Split:
    """No document is in two of these."""

    learned: Mapping[Domain, tuple[str, ...]]
    router: tuple[str, ...]
    tested: Mapping[str, tuple[str, ...]]
    """By set."""


def divide(documents: Sequence[Document], seed: int) -> Split:
    """Draw what each document is for."""
    drawn = {domain: _drawn(documents, domain, seed) for domain in DOMAINS}
    learned, router, tested, mixed = {}, [], {}, []
    taken = TESTED + INTERLEAVED
    for domain, texts in drawn.items():
        whole = sum(len(text.encode()) for text in texts[taken:])
        asked = round(ROUTER_SHARE * whole / ROUTER_BYTES)
        tested[str(domain)] = tuple(middle(text, SCORED_BYTES) for text in texts[:TESTED])
        mixed.append([middle(text, SCORED_BYTES) for text in texts[TESTED:taken]])
        rest = texts[taken:]
        router += [middle(text, ROUTER_BYTES) for text in rest[:asked]]
        learned[domain] = tuple(rest[asked:])
    rng = generator(seed, "interleave")
    tested[MIXED] = tuple(interleave(texts, rng) for texts in zip(*mixed, strict=True))
    return Split(learned, tuple(router), tested)


def interleave(texts: Sequence[str], rng: np.random.Generator) -> str:
    """Pieces of several texts in turns, each turn in an order of its own, until one text ends or
    the whole is `SCORED_BYTES` long.
    """
    left = [text.splitlines(keepends=True) for text in texts]
    pieces: list[str] = []
    while all(left):
        for number in rng.permutation(len(left)):
            wanted = int(rng.integers(*_PIECE))
            piece = ""
            while left[number] and len(piece) < wanted:
                piece += left[number].pop(0)
            pieces.append(piece)
    return cut("".join(pieces), SCORED_BYTES)


def _drawn(documents: Sequence[Document], domain: Domain, seed: int) -> list[str]:
    """A domain's texts, those first that stand alone, in a random order."""
    own = [one for one in documents if one.domain == domain]
    drawn = [own[place] for place in generator(seed, "split", domain).permutation(len(own))]
    return [one.text for one in sorted(drawn, key=lambda one: not one.alone)]
