"""Scripts of writing: which one a text is in, and Traditional Chinese into Simplified."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

from zhufeng.base import needs_extra

Script = Literal["simplified", "traditional"]

_HAN = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HIRAGANA = "\u3041-\u3096\u309d-\u309f"
_KANA = _HIRAGANA + "\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9d"
# Thai, Lao, Burmese and Khmer put no spaces between words either.
_BRAHMIC = "\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff"
UNSPACED = _HAN + _KANA + _BRAHMIC
"""The letters of scripts without spaces between words, as the inside of a character class."""

# Japanese is never without its own signs for long: headlines have the fewest.
_KANA_SHARE = 0.05
# Of Chinese one character in six is none that Japanese writes, and half of Japanese is kana:
# with more for each such character, the text says more in Japanese.
_KANA_A_FOREIGN = 3
# Everyday Chinese that the Japanese character set has and Japanese does not use.
_HARDLY_JAPANESE = frozenset("你妳您她們沒麼很嗎呢吧啊哪")
# Fewer may be a Japanese name.
_CHINESE_LETTERS = 6

_HAN_LETTER = re.compile(f"[{_HAN}]")
_KANA_LETTER = re.compile(f"[{_KANA}]")
_HIRAGANA_LETTER = re.compile(f"[{_HIRAGANA}]")
# The opening signs bound the search, so that it stays linear.
_QUOTED = re.compile(
    r"(「[^「」]{0,200}」|『[^『』]{0,200}』|“[^“”]{0,200}”|[(（][^()（）]{0,200}[)）])"
)
_BETWEEN = re.compile(r"(\W+)")
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
    """Whether syllable signs stand among the characters as in Japanese.

    A Chinese text that quotes Japanese has as many of them as a headline: what tells the two
    apart are the characters that Japanese does not write, and what stands around the quotes.
    """
    if not kana_letters(text):
        return False
    around = _QUOTED.sub(" ", text)
    if not kana_letters(around):
        return not _foreign(around) and _says_more_in_kana(text)
    return _says_more_in_kana(around)


def _says_more_in_kana(text: str) -> bool:
    kana = kana_letters(text)
    # Katakana, a name or a loanword in Chinese too, counts half.
    signs = (kana + len(_HIRAGANA_LETTER.findall(text))) / 2
    share = signs / (kana + han_letters(text))
    return share > _KANA_SHARE and signs > _KANA_A_FOREIGN * _foreign(text)


def _foreign(text: str) -> int:
    """How many Chinese characters Japanese does not write."""
    return sum(map(_is_foreign, _HAN_LETTER.findall(text)))


@lru_cache(maxsize=1 << 15)
def _is_foreign(character: str) -> bool:
    """Whether a Chinese character is none that Japanese writes today.

    It lacks in JIS X 0208, as most of the Simplified ones do, or OpenCC has another form for
    it in Japanese, as for many of the Traditional ones.
    """
    try:
        character.encode("shift_jis")
    except UnicodeEncodeError:
        return True
    if character in _HARDLY_JAPANESE:
        return True
    modern: str = _converter("t2jp").convert(character)
    return modern != character


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

    What it quotes in Japanese is not asked.

    A character that OpenCC would turn into a Simplified one speaks for Traditional, and the
    other way round.
    """
    if kana_letters(text):
        if is_japanese(text):
            return None
        text = "".join(piece for piece in _pieces(text) if not kana_letters(piece))
    if not han_letters(text):
        return None
    old, new = _changed(text, simplified(text)), _changed(text, traditional(text))
    if old == new:
        return None
    return "traditional" if old > new else "simplified"


def in_script(text: str, script: Script) -> str:
    """`text` in `script` but for what it quotes in Japanese; raises as `simplified`."""
    if chinese_script(text) in (None, script):
        return text
    convert = simplified if script == "simplified" else traditional
    if not kana_letters(text):
        return convert(text)
    return "".join(piece if kana_letters(piece) else convert(piece) for piece in _pieces(text))


def _pieces(text: str) -> Iterator[str]:
    """`text` divided at its marks; what is quoted in Japanese is one piece."""
    for place, stretch in enumerate(_QUOTED.split(text)):
        if place % 2 and is_japanese(stretch):
            yield stretch
        else:
            yield from _BETWEEN.split(stretch)


def _changed(text: str, other: str) -> int:
    return sum(a != b for a, b in zip(text, other, strict=False))
