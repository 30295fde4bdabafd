"""Texts into shingles: runs of neighbouring words or characters, each as a 64-bit hash."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_SEPARATOR, _LETTER, _WORD, _IGNORED = range(4)

# Scripts that write words without spaces between them: a character counts as a word. First and
# last code points, after the blocks of Unicode 17; Korean and Tibetan divide words themselves.
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0x1950, 0x19DF),  # Tai Le, New Tai Lue
    (0x1A20, 0x1AAF),  # Tai Tham
    (0x3005, 0x3007),  # ideographic iteration mark and zero
    (0x3040, 0x312F),  # Hiragana, Katakana, Bopomofo
    (0x31A0, 0x31FF),  # Bopomofo and Katakana, extended
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xA000, 0xA48F),  # Yi
    (0xA9E0, 0xA9FF),  # Myanmar, extended
    (0xAA60, 0xAA7F),
    (0xF900, 0xFAFF),  # Han, compatibility and beyond the first plane
    (0x1AFF0, 0x1B16F),  # Kana, extended
    (0x20000, 0x3FFFF),
)
_VARIATION_SELECTORS = slice(0xFE00, 0xFE10)
_LAST_WITH_LETTERS = 0x3FFFF

# SplitMix64's constants (Steele, Lea and Flood, "Fast splittable pseudorandom number
# generators", OOPSLA 2014).
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_30, _27, _31 = np.uint64(30), np.uint64(27), np.uint64(31)
_BASE = np.uint64(0xD6E8FEB86659FD93)  # of the polynomial over a word's letters; odd


@dataclass(frozen=True)
class Shingled:
    """A text as duplicates are judged by it."""

    words: int
    """How many there are; characters count where words are not divided."""
    content: bytes
    """Hash of the words in their order: equal texts have equal ones."""
    shingles: Hashes
    """Distinct, ascending."""


def shingled(text: str, size: int) -> Shingled:
    """The shingles of a text: every `size` neighbouring words, wherever they stand in it.

    Case, width (Unicode NFKC), punctuation, symbols and space make no difference. A word is a
    run of letters, marks and digits; in scripts that do not divide words, a character. That is
    decided character by character, so that no text stands on the edge between two rules.
    """
    words = _words(text)
    content = hashlib.blake2b(words.tobytes(), digest_size=16).digest()
    count = max(0, len(words) - size + 1)
    sums = np.zeros(count, dtype=np.uint64)
    for place, factor in enumerate(_factors(size)):
        sums += words[place : place + count] * factor
    return Shingled(len(words), content, _distinct(mix(sums)))


def mix(values: Hashes) -> Hashes:
    """SplitMix64's finaliser: every bit of a value changes about half of the bits."""
    values = (values ^ (values >> _30)) * _FIRST
    values = (values ^ (values >> _27)) * _SECOND
    return values ^ (values >> _31)


def _distinct(values: Hashes) -> Hashes:
    # Not `np.unique`, which takes five times as long.
    ascending = np.sort(values)
    first: NDArray[np.bool_] = np.diff(ascending, prepend=~ascending[:1]) != 0
    return ascending[first]


def _words(text: str) -> Hashes:
    """The hash of each word, in their order."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    codes = np.frombuffer(folded.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    kinds = _kinds().take(codes, mode="clip")
    if (ignored := kinds == _IGNORED).any():
        codes, kinds = codes[~ignored], kinds[~ignored]
    letter = kinds == _LETTER
    starts = kinds == _WORD
    starts[:1] |= letter[:1]
    starts[1:] |= letter[1:] & ~letter[:-1]
    inside = kinds != _SEPARATOR
    begins = np.flatnonzero(starts[inside])
    if not len(begins):
        return np.zeros(0, dtype=np.uint64)
    codes = codes[inside]
    lengths = np.diff(begins, append=len(codes))
    places = np.arange(len(codes)) - np.repeat(begins, lengths)
    powers = np.full(int(lengths.max()), _BASE)
    powers[0] = 1
    letters = mix(codes + np.uint64(_GOLDEN)) * np.cumprod(powers).take(places)
    return mix(np.add.reduceat(letters, begins))


def _factors(size: int) -> Iterator[np.uint64]:
    """An odd factor for each place in a shingle, so that the order of words counts."""
    return (np.uint64(place * _GOLDEN % 2**64 | 1) for place in range(1, size + 1))


@cache
def _kinds() -> NDArray[np.uint8]:
    """What each code point is; the last entry stands for all beyond."""
    kinds = np.full(_LAST_WITH_LETTERS + 2, _SEPARATOR, dtype=np.uint8)
    for code in range(_LAST_WITH_LETTERS + 1):
        category = unicodedata.category(chr(code))
        if category[0] in "LMN":
            kinds[code] = _LETTER
        elif category == "Cf":  # soft hyphens, joiners: inside of words, never between
            kinds[code] = _IGNORED
    for first, last in _UNSPACED:
        block = kinds[first : last + 1]
        block[block == _LETTER] = _WORD
    kinds[_VARIATION_SELECTORS] = _IGNORED
    return kinds
