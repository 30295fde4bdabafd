"""Texts compared: as tokens, so that case, marks, width and Chinese script do not count."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from zhufeng.corpus.quality import UNSPACED, han_letters, simplified

# A letter of a script without spaces is a token, as is a word of any other.
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+(?:['’][^\W_{UNSPACED}]+)*")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_ALIKE = 0.6


@lru_cache(maxsize=4096)
def tokens(text: str) -> tuple[str, ...]:
    """What `text` says, without case, marks, width and the Chinese script it is written in."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    if han_letters(plain):
        plain = simplified(plain)
    return tuple(found.replace("’", "'") for found in _TOKEN.findall(plain))


@lru_cache(maxsize=65536)
def alike(a: str, b: str) -> float:
    """How far two tokens may be the same word, 0 to 1."""
    if a == b:
        return 1.0
    if len(a) == 1 or len(b) == 1:
        return 0.0
    score = similarity(a, b)
    return score * score if score >= _ALIKE else 0.0


@lru_cache(maxsize=65536)
def similarity(a: str, b: str, least: float = 0.5) -> float:
    """One less the edit distance (Levenshtein 1966) over the longer's length, 0 to 1.

    What is less than `least` may come as 0.
    """
    if a == b:
        return 1.0
    longer = max(len(a), len(b))
    if min(len(a), len(b)) < least * longer or _letters(a, b) < least * longer:
        return 0.0
    above = list(range(len(b) + 1))
    for row, left in enumerate(a, start=1):
        here = [row]
        for column, right in enumerate(b):
            here.append(min(above[column] + (left != right), above[column + 1] + 1, here[-1] + 1))
        above = here
    return 1.0 - above[-1] / longer


def _letters(a: str, b: str) -> int:
    """How many letters two texts share, wherever they stand: at most so many can stay."""
    return sum(min(a.count(letter), b.count(letter)) for letter in set(a))


def same_text(a: str, b: str, least: float) -> bool:
    """Whether two lines say the same but for `least`; marks and spaces do not count."""
    return similarity("".join(tokens(a)), "".join(tokens(b)), least) >= least


def unspaced(text: str) -> bool:
    """Whether most of `text` is in a script without spaces, as Chinese is."""
    found = tokens(text)
    letters = sum(bool(_UNSPACED.match(token)) for token in found)
    # A Chinese character says about as much as two thirds of a word.
    return 2 * letters > 3 * (len(found) - letters)


def joint(before: str, after: str) -> str:
    """What goes between two pieces that flow together: nothing within Chinese, or a space."""
    return "" if _wide(before[-1:]) and _wide(after[:1]) else " "


def _wide(character: str) -> bool:
    return bool(character) and (
        bool(_UNSPACED.match(character)) or unicodedata.east_asian_width(character) in "WF"
    )
