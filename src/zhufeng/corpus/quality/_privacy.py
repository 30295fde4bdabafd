"""Personal data in a text: found by their form and their checks, replaced by their kind."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate

from zhufeng.base import record
from zhufeng.corpus.quality._numbers import (
    has_country_code,
    iban_length,
    is_card,
    is_iban,
    is_public_address,
    is_resident_identity,
    is_social_security,
)
from zhufeng.corpus.quality._script import UNSPACED


@record
class Datum:
    """A personal datum in a text: ``text[start:end]``."""

    start: int
    end: int
    kind: str
    """login, email, iban, id, card, ssn, phone or ip."""


# Every pattern begins where none of its own characters precedes and repeats within bounds, so
# that the time to search is linear in the text. Chinese may stand right beside any of them.
_LETTER = rf"[^\W{UNSPACED}\uac00-\ud7a3]"
_DOMAINS = (
    "com|org|net|edu|gov|mil|int|info|biz|name|pro|mobi|asia|app|dev|page|blog|shop|store|online|"
    "site|tech|cloud|xyz|top|club|live|news|media|email|group|company|systems|network|services|"
    "agency|digital|design|studio|world|global|today|life|space|academy|education|university|"
    "institute|science|engineering|software|ltd|llc|inc|gmbh|vip|link|wang|ren|xin"
)
# The name and the password before the host of a URL (RFC 3986, section 3.2.1).
_LOGIN = re.compile(r"""(?<=://)[!"$-.0-9;->A-~]{1,64}:[!"$-.0->@-~]{1,128}(?=@[A-Za-z0-9\[])""")
_EMAIL = re.compile(
    rf"(?<!{_LETTER})(?<![.%+-])(?:{_LETTER}|[.%+-]){{1,64}}"
    # A space on one side of the @ or the last dot is a joint between two lines or segments.
    # Spaces on both sides are speech written down.
    rf"(?P<at>\s{{0,2}}[@＠]\s{{0,2}})(?:{_LETTER}(?:{_LETTER}|-){{0,62}}\.){{1,8}}"
    rf"(?P<top>\s{{1,2}}(?:com|org|net|edu|gov|cn)|{_DOMAINS}|[a-z]{{2}})(?!{_LETTER}|\()",
    re.IGNORECASE,
)
_SPOKEN_DOMAINS = frozenset({"com", "org", "net", "edu", "gov", "cn"})
_OF_SELF = re.compile(r"[@＠]\s{1,2}self\.")
_ALONE = r"(?<![A-Za-z0-9])(?<![0-9][.:-])(?<![$€£¥#])"
_ENDS = r"(?![A-Za-z0-9%])(?![.:-][0-9])"
_JOINT = r"[ \u00a0\n-]{0,2}"
_IDENTITY = re.compile(rf"{_ALONE}\d{{6}}{_JOINT}\d{{8}}{_JOINT}\d{{3}}[\dXx]{_ENDS}")
_SSN = re.compile(rf"{_ALONE}\d{{3}}-\d{{2}}-\d{{4}}{_ENDS}")
_CARD = re.compile(
    rf"{_ALONE}(?:\d{{4}}{_JOINT}\d{{4}}{_JOINT}\d{{4}}{_JOINT}\d{{4}}(?:{_JOINT}\d{{3}})?"
    rf"|\d{{4}}{_JOINT}\d{{6}}{_JOINT}\d{{5}}){_ENDS}"
)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?=[ \u00a0]?[A-Z0-9]{4})")
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_ADDRESS = re.compile(rf"(?<![A-Za-z0-9_.-])(?:{_OCTET}\.){{3}}{_OCTET}(?![A-Za-z0-9_-]|\.[0-9])")
_INTERNATIONAL = re.compile(
    r"(?<![A-Za-z0-9_+*/=^)-])(?:[+＋]\s?|00(?=86))[1-9]"
    r"(?:(?:\s?[()]\s?|[ \u00a0.\n-])?\d){6,14}(?![A-Za-z0-9])"
)
_CHINESE_MOBILE = re.compile(
    rf"{_ALONE}(?:86[ -]?)?1(?:3\d|4[5-9]|5[0-35-9]|6[2567]|7[0-8]|8\d|9[0-35-9])"
    rf"{_JOINT}\d{{4}}{_JOINT}\d{{4}}{_ENDS}"
)
_CHINESE_LINE = re.compile(
    rf"{_ALONE}(?:[(（]0(?:10|2\d|[3-9]\d\d)[)）]\s?|0(?:10|2\d|[3-9]\d\d)[ -])"
    rf"[2-8]\d{{2,3}}[ -]?\d{{4}}{_ENDS}"
)
_AMERICAN = re.compile(
    rf"{_ALONE}(?:1[ .-])?(?:[(][2-9]\d\d[)]\s?[2-9]\d\d[ .-]\d{{4}}"
    rf"|[2-9]\d\d([.-])[2-9]\d\d\1\d{{4}}){_ENDS}"
)
# As speech is written down: spaces alone, where no other number stands beside.
_AMERICAN_SPACED = re.compile(
    rf"{_ALONE}(?<!\d[ \u00a0])(?:1[ -])?(?P<area>[2-9]\d\d)[ \u00a0](?P<office>[2-9]\d\d)"
    rf"[ \u00a0-](?P<line>\d{{4}}){_ENDS}(?!,?[ \u00a0]\d)"
)
_ANNOUNCED = re.compile(
    r"(?:(?<![A-Za-z])(?:tel|telephone|phone|mobile|cell|fax|whatsapp|hotline)(?![A-Za-z])"
    r"|电话|電話|手机|手機|座机|传真|傳真|热线|熱線|联系方式)"
    r"(?:\s?(?:number|no\.|号码|號碼|是|为|is)){0,2}\s{0,2}[:：.]?\s{0,2}"
    r"(?P<number>[+(（]?\d(?:[ \u00a0.()（）-]{0,2}\d){6,14})(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_VERSION = re.compile(
    r"(?:\bv|version|release|build|firmware|driver|版本|版)[\s.:=]{0,3}$", re.IGNORECASE
)
_UNIT = re.compile(
    r"\s?(?:param|byte|token|flop|bits?\b|[kmgt]i?b\b|×|x\s?\d|\*|[个次元]|字节|参数)",
    re.IGNORECASE,
)
_COUNTED = re.compile(
    r"\s{1,2}(?:[mb]illion|people|persons|users|customers|subscribers|viewers|devices|times"
    r"|dollars|euros?|pounds|yuan|percent)\b|\s?(?:人次|美元|用户|用戶)",
    re.IGNORECASE,
)
# Two years, or an amount: millions, or thousands in groups of three.
_NO_PHONE = re.compile(
    r"(?:19|20)\d\d\D+(?:19|20)\d\d|\d{1,4}[ \u00a0]?000[ \u00a0]?000"
    r"|\d{1,2}(?:[ \u00a0]\d{3}){1,3}[ \u00a0]000"
)
_ARITHMETIC = re.compile(r"[\d)\]=]\s{1,2}$")
_SMALL = 20

Finder = Callable[[str], Iterator[tuple[int, int]]]


def _logins(text: str) -> Iterator[tuple[int, int]]:
    for found in _LOGIN.finditer(text):
        yield found.span()


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for found in _EMAIL.finditer(text):
        torn = found["at"].strip() != found["at"] or found["top"].strip() != found["top"]
        top = found["top"].strip().lower()
        # A decorator or a product of matrices is no address with a space in it.
        sure = not torn or len(top) > 2 or top == "cn"  # noqa: PLR2004 (letters of a country)
        if found["at"][0].isspace() and found["at"][-1].isspace():
            sure = top in _SPOKEN_DOMAINS and not _OF_SELF.search(found[0])
        if sure:
            yield found.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for found in _IBAN.finditer(text):
        length = iban_length(found[0][:2]) or 0
        taken, end = "", found.start()
        while len(taken) < length and end < len(text) and _of_iban(text[end]):
            taken += text[end].strip()
            end += 1
        if not _of_word(text[end : end + 1]) and is_iban(taken):
            yield found.start(), end


def _of_iban(character: str) -> bool:
    return character in " \u00a0\n" or _of_word(character)


def _of_word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _identities(text: str) -> Iterator[tuple[int, int]]:
    for found in _IDENTITY.finditer(text):
        if is_resident_identity("".join(c for c in found[0] if c.isdigit() or c in "Xx")):
            yield found.span()


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for found in _CARD.finditer(text):
        if is_card(_digits(found[0])) and not _sizes(found[0]):
            yield found.span()


def _social_security(text: str) -> Iterator[tuple[int, int]]:
    for found in _SSN.finditer(text):
        if is_social_security(_digits(found[0])):
            yield found.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for found in _INTERNATIONAL.finditer(text):
        sum_ = _ARITHMETIC.search(text, max(found.start() - 3, 0), found.start())
        if not sum_ and has_country_code(_digits(found[0]).removeprefix("00")):
            yield found.span()
    yield from _national(text)
    for found in _ANNOUNCED.finditer(text):
        if not _NO_PHONE.fullmatch(found["number"]) and not _COUNTED.match(text, found.end()):
            yield found.span("number")


def _national(text: str) -> Iterator[tuple[int, int]]:
    for found in _CHINESE_MOBILE.finditer(text):
        if not _sizes(found[0]) and not _UNIT.match(text, found.end()):
            yield found.span()
    for pattern in (_CHINESE_LINE, _AMERICAN):
        for found in pattern.finditer(text):
            if not _sizes(found[0]):
                yield found.span()
    for found in _AMERICAN_SPACED.finditer(text):
        if _american(found) and not _COUNTED.match(text, found.end()):
            yield found.span()


def _american(found: re.Match[str]) -> bool:
    """Whether three numbers are a telephone's: no row of sizes, and no service code (N11)."""
    area, office, line = found["area"], found["office"], found["line"]
    round_ = office.endswith("00") and line.endswith("00")
    service = area.endswith("11") or office.endswith("11")
    return not (round_ or service or _sizes(f"{area} {office} {line}"))


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    for found in _ADDRESS.finditer(text):
        parts = found[0].split(".")
        # Four small numbers that differ are a version or a section far more often.
        small = all(int(part) < _SMALL for part in parts) and len(set(parts)) > 1
        version = _VERSION.search(text[max(found.start() - 12, 0) : found.start()])
        if is_public_address(found[0]) and not small and not version:
            yield found.span()


_FINDERS: tuple[tuple[str, Finder], ...] = (
    ("login", _logins),
    ("email", _emails),
    ("iban", _ibans),
    ("id", _identities),
    ("card", _cards),
    ("ssn", _social_security),
    ("phone", _phones),
    ("ip", _addresses),
)


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdecimal())


def _sizes(text: str) -> bool:
    """Whether the numbers of `text` are sizes of arrays, powers of two or years."""
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if len(numbers) == 1:
        return numbers[0] % 256 == 0
    return all(number % 16 == 0 or 1900 <= number < 2100 for number in numbers[1:])  # noqa: PLR2004


def find(text: str) -> list[Datum]:
    """The personal data in `text`, from its beginning to its end, none over another.

    Names with passwords in URLs; e-mail addresses; IBANs, numbers of payment cards and of
    Chinese resident identity cards, each with a right check digit; United States social
    security numbers; telephone numbers with a country code, in the Chinese and American forms
    or after a word that announces one; public IPv4 addresses.
    """
    found: list[Datum] = []
    rest = text
    for kind, finder in _FINDERS:
        new = _apart(finder(rest))
        found += [Datum(start=start, end=end, kind=kind) for start, end in new]
        # What one kind has taken is no other's; the places of the rest stay.
        rest = _replaced(rest, [(start, end, "\0" * (end - start)) for start, end in new])
    return sorted(found, key=lambda one: one.start)


def _apart(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept


def _replaced(text: str, changes: Sequence[tuple[int, int, str]]) -> str:
    pieces, done = [], 0
    for start, end, new in changes:
        pieces += [text[done:start], new]
        done = end
    return "".join((*pieces, text[done:]))


def scrub(text: str) -> tuple[str, Counter[str]]:
    """`text` with ``<EMAIL>`` and the like for personal data, and how many of each kind."""
    data = find(text)
    changes = [(one.start, one.end, _placeholder(one)) for one in data]
    return _replaced(text, changes), Counter(one.kind for one in data)


def _placeholder(one: Datum) -> str:
    return f"<{one.kind.upper()}>"


def scrub_parts(parts: Sequence[str]) -> tuple[list[str], Counter[str]]:
    """`parts` of a running text, each scrubbed, with what is divided between them.

    Of a divided datum the placeholder stands in the first part and nothing in the others.
    """
    scrubbed = [scrub(part) for part in parts]
    texts = [text for text, _ in scrubbed]
    counts: Counter[str] = sum((count for _, count in scrubbed), Counter())
    for glue in ("", " "):
        texts, more = _scrub_joints(texts, glue)
        counts += more
    return texts, counts


def _scrub_joints(parts: Sequence[str], glue: str) -> tuple[list[str], Counter[str]]:
    starts = [0, *accumulate(len(part) + len(glue) for part in parts)][: len(parts)]
    texts, counts = list(parts), Counter[str]()
    # From the end, so that the places before stay.
    for one in reversed(find(glue.join(parts))):
        first = bisect_right(starts, one.start) - 1
        last = bisect_right(starts, one.end - 1) - 1
        if first == last:
            continue
        counts[one.kind] += 1
        texts[last] = texts[last][max(one.end - starts[last], 0) :]
        texts[first + 1 : last] = [""] * (last - first - 1)
        texts[first] = texts[first][: one.start - starts[first]] + _placeholder(one)
    return texts, counts
