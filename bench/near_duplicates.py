"""Texts with near-duplicates among them, made from a seed, and the truth about them.

Half are of English-like words, half of Chinese characters. Some stand alone; some are edited
copies of one another (words replaced here and there, a stretch cut, words put in front, and
always another case, punctuation and width), at Jaccard similarities from about 0.5 to 1; some
share a paragraph with others and nothing else.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import combinations

Documents = Mapping[str, str]
Pairs = Mapping[tuple[str, str], float]
"""Jaccard similarity of two documents, the lesser id first."""

_WORD = re.compile(r"[\u4e00-\u9fff]|[a-z0-9]+")
_ONSETS, _VOWELS, _CODAS = (*"bdfgklmnprstv", "st", "tr"), "aeiou", ("", "n", "r", "s")
_SENTENCE = 12
_ALONE, _IN_FAMILY = 0.4, 0.9  # kinds by a number in [0, 1): alone, in a family, paragraph shared
_WIDE, _LOUD = 0.5, 0.3


def make_documents(count: int, seed: int) -> dict[str, str]:
    """`count` documents by id, in an order that tells nothing."""
    maker = _Maker(seed)
    texts: list[str] = []
    while len(texts) < count:
        texts += maker.some()
    del texts[count:]
    maker.random.shuffle(texts)
    return {f"{number:06d}": text for number, text in enumerate(texts)}


def similar_pairs(documents: Documents, size: int, least: float) -> dict[tuple[str, str], float]:
    """Every pair whose shingles of `size` words have a Jaccard similarity of at least `least`.

    By counting what each pair shares: exact, and nothing is left out.
    """
    sets = {name: _shingles(text, size) for name, text in documents.items()}
    holders = defaultdict(list)
    for name in sorted(sets):
        for shingle in sets[name]:
            holders[shingle].append(name)
    shared = Counter(pair for names in holders.values() for pair in combinations(names, 2))
    similar = {}
    for (one, other), both in shared.items():
        jaccard = both / (len(sets[one]) + len(sets[other]) - both)
        if jaccard >= least:
            similar[one, other] = jaccard
    return similar


def connected(pairs: Pairs) -> list[set[str]]:
    """The groups that pairs connect."""
    neighbours = defaultdict(set)
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    groups, seen = [], set[str]()
    for name in neighbours:
        if name not in seen:
            group, edge = {name}, [name]
            while edge:
                fresh = neighbours[edge.pop()] - group
                group |= fresh
                edge += fresh
            groups.append(group)
            seen |= group
    return groups


def _shingles(text: str, size: int) -> set[tuple[str, ...]]:
    words = _WORD.findall(unicodedata.normalize("NFKC", text).casefold())
    return {tuple(words[place : place + size]) for place in range(len(words) - size + 1)}


class _Maker:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        syllables = [a + b + c for a in _ONSETS for b in _VOWELS for c in _CODAS]
        self._words = [
            ["".join(self.random.choices(syllables, k=1 + n % 3)) for n in range(8000)],
            [chr(0x4E00 + n) for n in self.random.sample(range(0x5000), 2500)],
        ]
        self._weights = [[1 / (n + 10) for n in range(len(w))] for w in self._words]

    def some(self) -> list[str]:
        """Texts of one kind that belong together, or one alone."""
        chinese, kind = self.random.randrange(2), self.random.random()
        words = self._draw(chinese, self.random.randint(60, 500))
        if kind < _ALONE:
            return [self._written(chinese, words)]
        if kind < _IN_FAMILY:
            copies = [self._edited(chinese, words) for _ in range(self.random.randint(1, 4))]
            return [self._written(chinese, one) for one in (words, *copies)]
        paragraph = words[: self.random.randint(20, 60)]
        others = [self._draw(chinese, self.random.randint(40, 200)) for _ in range(12)]
        return [self._written(chinese, paragraph + other) for other in others]

    def _draw(self, chinese: int, count: int) -> list[str]:
        words = self.random.choices(self._words[chinese], self._weights[chinese], k=count)
        # Numbers, which are written in two widths.
        return [
            str(self.random.randint(0, 3000)) if n % 37 == 0 else w for n, w in enumerate(words)
        ]

    def _edited(self, chinese: int, words: list[str]) -> list[str]:
        target = self.random.uniform(0.5, 1)
        edited = list(words)
        gone = round(len(words) * (1 - target))
        match self.random.randrange(3):
            case 0:  # each changes five shingles of either text
                changed = round(len(words) * (1 - target) / (1 + target) / 5)
                for place in self.random.sample(range(len(words)), changed):
                    edited[place] = self._draw(chinese, 2)[1]
            case 1:
                start = self.random.randint(0, len(words) - gone)
                del edited[start : start + gone]
            case _:
                edited = self._draw(chinese, round(gone / target)) + edited
        return edited

    def _written(self, chinese: int, words: list[str]) -> str:
        """In a way of its own: case, punctuation, width, lines."""
        stops, between = ("。！，\n", "") if chinese else (".!,\n", " ")
        wide, loud = self.random.random() < _WIDE, self.random.random() < _LOUD
        written = []
        for number, word in enumerate(words):
            one = word.upper() if loud or number % _SENTENCE == 0 else word
            if wide and word.isdecimal():
                one = one.translate({ord("0") + n: ord("０") + n for n in range(10)})
            end = self.random.choice(stops) if number % _SENTENCE == _SENTENCE - 1 else ""
            written.append(one + end)
        return between.join(written)
