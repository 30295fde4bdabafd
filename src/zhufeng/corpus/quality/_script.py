"""Scripts of writing: which one a text is in, and Traditional Chinese into Simplified."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Literal

from zhufeng.base import needs_extra

Script = Literal["simplified", "traditional"]

_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
# Thai, Lao, Burmese and Khmer put no spaces between words either.
_BRAHMIC = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
UNSPACED = _HAN + _KANA + _BRAHMIC
"""The letters of scripts without spaces between words, as the inside of a character class."""

# Japanese is never without its own signs for long.
_KANA_SHARE = 0.05
# Fewer may be a Japanese name.
_CHINESE_LETTERS = 6

_HAN_LETTER = re.compile(f"[{_HAN}]")
_KANA_LETTER = re.compile(f"[{_KANA}]")
_UNSPACED_LETTER = re.compile(f"[{UNSPACED}]")


def han_letters(text: str) -> int:
    """How many Chinese characters there are, whatever the language."""
    return len(_HAN_LETTER.findall(text))


def kana_letters(text: str) -> int:
    """How many Japanese syllable signs there are."""
    return len(_KANA_LETTER.findall(text))


def unspaced_letters(text: str) -> int:
    """How many letters of scripts without spaces there are."""
    return len(_UNSPACED_LETTER.findall(text))


def is_japanese(text: str) -> bool:
    """Whether syllable signs stand among the characters as in Japanese."""
    kana = kana_letters(text)
    return kana > _KANA_SHARE * (kana + han_letters(text))


def is_chinese(text: str) -> bool:
    """Whether a line is Chinese enough by its characters alone, whatever is around it."""
    han = han_letters(text)
    return han >= _CHINESE_LETTERS and 2 * han > len(text) and not kana_letters(text)


@lru_cache(maxsize=4)
def _converter(name: str) -> Any:
    with needs_extra("corpus"):
        from opencc import OpenCC  # noqa: PLC0415 (slow to import)
    return OpenCC(name)


def simplified(text: str) -> str:
    """`text` in Simplified Chinese characters, by OpenCC's phrase tables.

    Raises:
        MissingExtraError: without the extra ``corpus``.
    """
    converted: str = _converter("t2s").convert(text)
    return converted


def traditional(text: str) -> str:
    """`text` in Traditional Chinese characters as Taiwan writes them; raises as `simplified`."""
    converted: str = _converter("s2tw").convert(text)
    return converted


def chinese_script(text: str) -> Script | None:
    """Which Chinese script `text` is in; None where nothing tells, and for Japanese.

    A character that OpenCC would turn into a Simplified one speaks for Traditional, and the
    other way round.
    """
    if not han_letters(text) or kana_letters(text):
        return None
    old, new = _changed(text, simplified(text)), _changed(text, traditional(text))
    if old == new:
        return None
    return "traditional" if old > new else "simplified"


def _changed(text: str, other: str) -> int:
    return sum(a != b for a, b in zip(text, other, strict=False))
