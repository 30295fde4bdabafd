"""Measures of a text's quality, and the rules they must keep, by script and language.

The rules are those of Gopher (Rae et al. 2021, appendix A.1.1, table A1) as FineWeb (Penedo et
al. 2024) applies them, made to hold for texts without spaces too: there a character stands for
a word, two for a word where words are counted, and rules on their length are left out.
Thresholds are wider than theirs, for speech repeats itself and slides are short.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence

from zhufeng.base import record
from zhufeng.corpus.quality._script import UNSPACED, unspaced_letters
from zhufeng.corpus.quality._stop_words import STOP_WORDS

_UNIT = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
_MARKS = frozenset("[].,;:!?'\"()-–—…“”‘’«»%&/$€£¥。，、；：！？「」『』（）《》〈〉【】·—～・¿¡।")
# These are unassigned in every version of Unicode.
_NONCHARACTER = re.compile(
    "[\ufdd0-\ufdef"
    + "".join(
        f"{chr(plane | 0xFFFE)}{chr(plane | 0xFFFF)}" for plane in range(0, 0x110000, 0x10000)
    )
    + "]"
)
_LONG_WORD = 40
_ADDRESS = re.compile(r"https?://\S{1,2000}|www\.\S{1,2000}")
_DUPLICATED = (5, 10)
_TOP = (2, 3, 4)


@record
class Rule:
    """What a measure must keep, once the measure `counted` is `enough` to judge by."""

    measure: str
    least: float | None = None
    most: float | None = None
    enough: int = 0
    counted: str = "units"


_ALWAYS = (
    Rule(measure="letter_share", least=0.5, enough=5),
    Rule(measure="symbol_share", most=0.15, enough=5),
    Rule(measure="digit_share", most=0.35, enough=5),
    Rule(measure="damaged_share", most=0.01, enough=10),
    Rule(measure="long_word_share", most=0.2, enough=1),
    Rule(measure="duplicate_line_share", most=0.4, enough=20),
    Rule(measure="top_2_gram_share", most=0.2, enough=60, counted="words"),
    Rule(measure="top_3_gram_share", most=0.18, enough=60, counted="words"),
    Rule(measure="top_4_gram_share", most=0.16, enough=60, counted="words"),
    Rule(measure="duplicate_5_gram_share", most=0.4, enough=60, counted="words"),
    Rule(measure="duplicate_10_gram_share", most=0.3, enough=60, counted="words"),
)
# Mean letters a word. Vietnamese puts a space after every syllable; Finnish and its kin, German
# and Malayalam build long words.
_WORD_LENGTHS = {
    **dict.fromkeys(("vi",), (2.0, 7.0)),
    **dict.fromkeys(("ko",), (1.3, 7.0)),
    **dict.fromkeys(("ar", "he", "fa", "ur", "hi"), (2.0, 9.0)),
    **dict.fromkeys(("fi", "et", "hu", "de", "ta", "ml", "te", "kn", "is"), (3.0, 14.0)),
}
_USUAL_LENGTHS = (2.5, 10.0)
_STOP_WORDS = Rule(measure="stop_words", least=2, enough=30, counted="running_words")
# Letters a word, in scripts without spaces.
_WORD = 2
# A point of a slide or a verse has so many words; what has a word a line is an index or a menu.
_SHORT_LINE = range(2, 11)
# A line of so many pieces, of fewer letters each, is no sentence of a script without spaces.
_PIECES, _PIECE = 10, 3


def units(text: str) -> list[str]:
    """Words, and the letters of scripts without spaces one by one."""
    return _UNIT.findall(text)


def measures(text: str, lang: str | None, *, running: bool = True) -> dict[str, float]:
    """What can be measured of `text`; shares are of characters without spaces, 0 to 1.

    Args:
        text: all of it.
        lang: what it is in.
        running: whether any of it may be sentences; stop words are not asked of slides alone.
    """
    found = units(text)
    said = _ADDRESS.sub(" ", text)
    kinds = _kinds(said)
    signs = max(sum(kinds.values()), 1)
    words = [word for word in units(said) if not unspaced_letters(word)]
    lettered = [word for word in words if any(map(str.isalpha, word))]
    wide = unspaced_letters(text)
    measured: dict[str, float] = {
        "units": float(len(found)),
        "words": _words(text),
        "running_words": sum(map(_running_words, text.splitlines())),
        "letter_share": kinds["letter"] / signs,
        "digit_share": kinds["digit"] / signs,
        "symbol_share": kinds["symbol"] / signs,
        "damaged_share": kinds["damaged"] / signs,
        "long_word_share": sum(len(w) for w in words if len(w) > _LONG_WORD) / signs,
        "unspaced_share": wide / max(kinds["letter"], 1),
        "duplicate_line_share": _duplicate_lines(text),
        **_repetition(found, _WORD if 2 * wide > kinds["letter"] else 1),
    }
    if lettered and 2 * wide <= kinds["letter"]:
        measured["mean_word_length"] = sum(map(_letters, lettered)) / len(lettered)
    if running and lang is not None and lang in STOP_WORDS:
        measured["stop_words"] = float(_distinct(text, STOP_WORDS[lang]))
    return {name: round(value, 4) for name, value in measured.items()}


def _running_words(line: str) -> float:
    """How many words of a line may be of a sentence."""
    letters = unspaced_letters(line)
    pieces = sum(map(bool, map(unspaced_letters, line.split())))
    if pieces >= _PIECES and letters < _PIECE * pieces:
        # A menu is of short words, each of which counts in full.
        return float(letters)
    words = _words(line)
    short = _SHORT_LINE.start <= words < _SHORT_LINE.stop
    return 0.0 if short else words


def _words(text: str) -> float:
    """How many words there are, marks alone not among them."""
    spaced = sum(any(map(str.isalnum, unit)) for unit in units(text) if not unspaced_letters(unit))
    return spaced + unspaced_letters(text) / _WORD


def _kinds(text: str) -> Counter[str]:
    """How many signs there are of each kind."""
    kinds: Counter[str] = Counter()
    for sign, count in Counter(text).items():
        kinds[_kind(sign)] += count
    del kinds["space"]
    return kinds


def _kind(sign: str) -> str:
    category = unicodedata.category(sign)
    if sign.isspace():
        return "space"
    if category[0] in "LM":
        return "letter"
    if category == "Nd":
        return "digit"
    if category == "Cn" and not _NONCHARACTER.match(sign):
        # Newer than the tables of this Python: a letter of a block that is known, or an emoji.
        return "letter" if unspaced_letters(sign) else "symbol"
    if sign == "\ufffd" or category in ("Cc", "Co", "Cn", "Cs"):
        return "damaged"
    return "mark" if sign in _MARKS else "symbol"


def _letters(word: str) -> int:
    return sum(unicodedata.category(sign)[0] in "LM" for sign in word)


def _duplicate_lines(text: str) -> float:
    """Share of the characters that stand in lines that came before."""
    counts = Counter(line.strip() for line in text.splitlines() if line.strip())
    total = sum(len(line) * count for line, count in counts.items())
    return sum(len(line) * (count - 1) for line, count in counts.items()) / max(total, 1)


def _repetition(found: Sequence[str], scale: int) -> dict[str, float]:
    """Share of the characters in the commonest n-grams, and in n-grams that came before."""
    words = [word.casefold() for word in found]
    total = max(sum(map(len, words)), 1)
    measured = {}
    for n in _TOP:
        grams = Counter(zip(*(words[k:] for k in range(n * scale)), strict=False))
        gram, count = max(grams.items(), key=lambda item: (item[1], item[0]), default=((), 0))
        often = count if count > 1 else 0
        measured[f"top_{n}_gram_share"] = min(often * sum(map(len, gram)) / total, 1.0)
    for n in _DUPLICATED:
        measured[f"duplicate_{n}_gram_share"] = _duplicated(words, n * scale) / total
    return measured


def _duplicated(words: Sequence[str], n: int) -> int:
    """Characters of words within an n-gram that came before, each word once."""
    seen: set[tuple[str, ...]] = set()
    counted, characters = 0, 0
    for start in range(len(words) - n + 1):
        gram = tuple(words[start : start + n])
        if gram in seen:
            first = max(counted, start)
            characters += sum(map(len, words[first : start + n]))
            counted = start + n
        seen.add(gram)
    return characters


def _distinct(text: str, stop_words: frozenset[str]) -> int:
    if all(map(unspaced_letters, stop_words)):
        return sum(word in text for word in stop_words)
    words = set(re.findall(r"[^\W\d_]+", text.casefold()))
    return len(words & stop_words)


def failed(measured: Mapping[str, float], lang: str | None) -> tuple[str, ...]:
    """The rules that `measured` breaks, for a person."""
    rules = [*_ALWAYS]
    least, most = _WORD_LENGTHS.get(lang or "", _USUAL_LENGTHS)
    rules.append(Rule(measure="mean_word_length", least=least, most=most, enough=10))
    rules.append(_STOP_WORDS)
    reasons = []
    for rule in rules:
        value = measured.get(rule.measure)
        if value is None or measured[rule.counted] < rule.enough:
            continue
        if rule.least is not None and value < rule.least:
            reasons.append(f"{rule.measure} {value:g} under {rule.least:g}")
        if rule.most is not None and value > rule.most:
            reasons.append(f"{rule.measure} {value:g} over {rule.most:g}")
    return tuple(reasons)
