"""Where texts are cut, for all members alike."""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache, lru_cache

from zhufeng.base import InputError, is_utf8

LONGEST_CHUNK = 64
"""Characters of the longest chunk."""

CLASSES = "LCNSRPM"
"""What a character is to the rule: a letter, one of a script that is written without spaces (C),
a number, a space, a newline (R), any other sign (P), a mark that stands on what is before it."""

_SPACES, _LETTERS, _UNSPACED, _DIGITS, _MARKS, _OTHERS, _NEWLINES = 16, 32, 8, 9, 3, 32, 16
# Scripts that put no space between words, by the first word of their characters' names.
_WITHOUT_SPACES = frozenset(
    (
        *("CJK", "HIRAGANA", "KATAKANA", "HALFWIDTH", "BOPOMOFO", "THAI", "LAO", "KHMER"),
        *("MYANMAR", "TIBETAN", "JAVANESE", "BALINESE", "YI", "TANGUT", "NUSHU", "HENTAIGANA"),
    )
)


def class_of(character: str) -> str:
    """Which of `CLASSES` a character belongs to."""
    if character in "\r\n":
        return "R"
    if character.isspace():
        return "S"
    category = unicodedata.category(character)
    if category[0] == "L":
        script = unicodedata.name(character, "").partition(" ")[0]
        return "C" if script in _WITHOUT_SPACES else "L"
    return category[0] if category[0] in "NM" else "P"


@cache
def class_starts() -> tuple[tuple[int, ...], str]:
    """Code points at which the class changes, ascending from 0, and the class from each on."""
    starts, classes = [0], [class_of("\0")]
    for point in range(1, sys.maxunicode + 1):
        if (found := class_of(chr(point))) != classes[-1]:
            starts.append(point)
            classes.append(found)
    return tuple(starts), "".join(classes)


@cache
def _rule() -> re.Pattern[str]:
    """One chunk from where the one before it ended.

    What may follow depends on the characters since then and on the next one alone: each
    alternative is told from the others by the character after the spaces or the single sign
    that they begin with, and nothing is given back (the quantifiers are possessive).
    """
    starts, classes = class_starts()
    ends = (*(start - 1 for start in starts[1:]), sys.maxunicode)
    sets = dict.fromkeys(CLASSES, "")
    for start, end, one in zip(starts, ends, classes, strict=True):
        sets[one] += f"\\U{start:08x}-\\U{end:08x}"
    letter, unspaced, number, space, newline, other, mark = (f"[{sets[c]}]" for c in CLASSES)
    spaces = f"{space}{{1,{_SPACES}}}+"
    marks = f"{mark}{{0,{_MARKS}}}+"
    letters = f"[{sets['L']}{sets['M']}]"
    return re.compile(
        f"(?:{spaces}{letters}|{other}{letter}|{letters}){letters}{{0,{_LETTERS - 1}}}+"
        f"|(?:{spaces}|{other})?+(?:{unspaced}{marks}){{1,{_UNSPACED}}}+"
        f"|(?:{spaces})?+(?:{number}{marks}){{1,{_DIGITS}}}+"
        f"|(?:{spaces})?+{other}[{sets['P']}{sets['M']}]{{0,{_OTHERS - 1}}}+"
        f"{newline}{{0,{_NEWLINES}}}+"
        f"|(?:{spaces})?+{newline}{{1,{_NEWLINES}}}+"
        f"|{spaces}"
    )


def split(text: str) -> list[str]:
    """Cut a text into chunks: a word, a number, signs, newlines, each with the spaces before it.

    Of scripts without spaces between words a chunk is up to 8 letters. Joined, the chunks are the
    text; the longest has `LONGEST_CHUNK` characters. Whether a chunk ends before a character
    depends on the chunk and on that character alone, so that of a text's beginning all chunks but
    the last are those of the whole text.

    Raises:
        InputError: the text has half a surrogate pair, which no tokenizer can be given.
    """
    if not is_utf8(text):
        place = next(i for i, one in enumerate(text) if not is_utf8(one))
        raise InputError(
            "the text is not Unicode",
            expected="characters that UTF-8 can spell",
            came=f"half a surrogate pair, U+{ord(text[place]):04X}, as character {place + 1}",
            do="read the text with its right encoding, or replace that character",
        )
    return _rule().findall(text)


_SAMPLES = {"L": "a", "C": "中", "N": "0", "S": " ", "R": "\n", "P": ".", "M": "\u0301"}


@lru_cache(1 << 16)
def growth(chunk: str) -> str:
    """Those of `CLASSES` of which a next character would make `chunk` longer, not end it."""
    return "".join(c for c, one in _SAMPLES.items() if len(split(chunk + one)) == 1)
