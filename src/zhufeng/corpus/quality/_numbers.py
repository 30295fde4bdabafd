"""Numbers that name a person or an account, told from others by their published rules."""

from __future__ import annotations

import re
from datetime import date
from ipaddress import IPv4Address

# ISO 13616: how long an IBAN is, by country (SWIFT's registry, release 99).
_IBAN_LENGTHS = {
    code: int(length)
    for length, codes in (
        ("15", "NO"),
        ("16", "BE"),
        ("18", "DK FK FI FO GL NL SD"),
        ("19", "MK SI"),
        ("20", "AT BA EE KZ LT LU MN XK"),
        ("21", "CH HR LI LV"),
        ("22", "BG BH CR DE GB GE IE ME RS VA"),
        ("23", "AE GI IL IQ OM SO TL"),
        ("24", "AD CZ ES MD PK RO SA SE SK TN VG"),
        ("25", "LY PT ST"),
        ("26", "IS TR"),
        ("27", "BI DJ FR GR IT MC MR SM"),
        ("28", "AL AZ BY CY DO GT HU LB NI PL SV"),
        ("29", "BR EG PS QA UA"),
        ("30", "JO KW MU"),
        ("31", "MT SC"),
        ("32", "LC"),
        ("33", "RU"),
    )
    for code in codes.split()
}
# GB 11643-1999, the resident identity card's check character.
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"
# ISO/IEC 7812, who issues cards of so many digits: Visa, Mastercard, American Express,
# Discover, JCB, UnionPay.
_CARDS = {
    15: ("34", "37"),
    16: (
        *("4", "51", "52", "53", "54", "55", "6011", "65", "62", "35"),
        *map(str, range(223, 272)),
        *map(str, range(644, 650)),
    ),
    19: ("4", "62"),
}


def luhn(digits: str) -> bool:
    """Whether `digits` end with their check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(map(int, reversed(digits))):
        total += sum(divmod(digit * (1 + place % 2), 10))
    return total % 10 == 0


def is_card(digits: str) -> bool:
    """Whether `digits` can be the number of a payment card."""
    return digits.startswith(_CARDS.get(len(digits), ())) and luhn(digits)


def is_resident_identity(text: str) -> bool:
    """Whether `text` is a number of a Chinese resident identity card: 17 digits and a check."""
    try:
        born = date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(w * int(c) for w, c in zip(_ID_WEIGHTS, text[:17], strict=True))
    real = text[0] in "12345678" and date(1900, 1, 1) <= born
    return real and _ID_CHECKS[total % 11] == text[17].upper()


def is_social_security(digits: str) -> bool:
    """Whether nine digits can be a number of the United States' social security (20 CFR 422)."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def is_iban(text: str) -> bool:
    """Whether `text`, without spaces, is an account's number by length and check (ISO 13616)."""
    if _IBAN_LENGTHS.get(text[:2]) != len(text):
        return False
    moved = text[4:] + text[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def iban_length(country: str) -> int | None:
    """How many characters an IBAN of `country` has; None where it has none."""
    return _IBAN_LENGTHS.get(country)


def is_public_address(text: str) -> bool:
    """Whether `text` is an IPv4 address that is somebody's in the Internet."""
    try:
        return IPv4Address(text).is_global
    except ValueError:
        return False


# ITU-T E.164: a country code in use, and up to 15 digits with it; North America and China
# have lengths of their own.
_INTERNATIONAL = re.compile(
    r"1[2-9]\d{2}[2-9]\d{6}|86\d{9,11}"
    r"|(?:7|2[0-79]|3[0-9]|4[0-9]|5[0-9]|6[0-9]|8[0124578]|9[0-9])\d{6,13}"
)


def has_country_code(digits: str) -> bool:
    """Whether `digits` begin as an international telephone number does and are as long."""
    return bool(_INTERNATIONAL.fullmatch(digits))
