"""National numbers: one row a type, with the function that checks it.

A new number is a row of `NATIONAL_NUMBERS`, its check, and its entry in the ruleset file, which has
the words of its labels and what it means.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from waivern.detection.prepared_text import pattern


class NationalNumber(NamedTuple):
    """The form, the check and the display of the numbers of one type."""

    type: str
    sizes: tuple[int, ...]
    """How many digits its first group of digits can have: the number is read only there."""
    form: re.Pattern[str]
    check: Callable[[str], bool]
    """Takes the number without separators, in capitals."""
    validators: tuple[str, ...]
    """The names of the checks, as findings list them."""
    confidence: Callable[[str], float]
    """Takes the number as it is written: how certain it is without a label."""
    rule: str
    bare_rule: str | None = None
    """The rule of a number without separators, if it has one of its own."""
    begins: Callable[[str, int], int] = lambda _text, start: start
    """Takes a text and the position of the first digit: where the number begins, or -1."""
    shown: tuple[int, int] = (0, 0)
    """How many characters of its beginning and end a mask shows."""
    samples: frozenset[str] = frozenset()
    """Numbers that are reserved for documentation."""


def bare(text: str) -> str:
    """Return a number without its separators."""
    return text.translate(_SEPARATORS)


_SEPARATORS = {ord(c): None for c in " -./()"}


def _by_separator(confidences: Mapping[str, float]) -> Callable[[str], float]:
    """Return the confidence by the first separator, '' being none."""

    def confidence(text: str) -> float:
        return confidences[next((c for c in text if not c.isalnum()), "")]

    return confidence


def _always(confidence: float) -> Callable[[str], float]:
    return lambda _text: confidence


def _nino_begins(text: str, start: int) -> int:
    """Return where the two letters before the first digit begin; a separator may follow them."""
    begin = start - 2 if text[start - 1 : start].isalpha() else start - 3
    return begin if begin >= 0 and text[begin : begin + 2].isalpha() else -1


def _nif_begins(text: str, start: int) -> int:
    """Return where the letter of a foreigner is, if there is one: X1234567L, X-1234567L."""
    return next((start - n for n in (2, 1) if start >= n and text[start - n] in "XYZxyz"), start)


def us_ssn(digits: str) -> bool:
    """Social Security Administration: areas, groups and serials that are never issued."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        area not in ("000", "666")
        and area < "900"
        and group != "00"
        and serial != "0000"
        and len(set(digits)) > 1
        and digits != "123456789"
    )


def uk_nino(value: str) -> bool:
    """HMRC manual NIM39110: prefixes and suffixes that are issued."""
    first, second, suffix = value[0], value[1], value[-1]
    return (
        first not in "DFIQUV"
        and second not in "DFIOQUV"
        and value[:2] not in ("BG", "GB", "KN", "NK", "NT", "TN", "ZZ")
        and suffix in "ABCD"
    )


def uk_nhs(digits: str) -> bool:
    """NHS number: mod 11."""
    if len(set(digits)) == 1:
        return False
    check = -sum(int(d) * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True)) % 11
    return check == int(digits[9])


def pl_pesel(digits: str) -> bool:
    """PESEL: weights 1 3 7 9, and a birth date inside."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    check = -sum(int(d) * w for d, w in zip(digits[:10], weights, strict=True)) % 10
    return 1 <= month <= 12 and 1 <= day <= 31 and check == int(digits[10])


def nl_bsn(digits: str) -> bool:
    """BSN: the eleven test."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=True))
    return total % 11 == 0 and digits.strip("0") != ""


def es_nif(value: str) -> bool:
    """NIF, DNI and NIE: the letter is the number mod 23."""
    number = {"X": "0", "Y": "1", "Z": "2"}.get(value[0], value[0]) + value[1:-1]
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == value[-1]


def fr_nir(value: str) -> bool:
    """NIR: sex, month, department, and the key 97 - n mod 97."""
    body = value[:13].replace("2A", "19").replace("2B", "18")
    month = int(value[3:5])
    if not (1 <= month <= 12 or 20 <= month <= 42 or month >= 50):
        return False
    return 97 - int(body) % 97 == int(value[13:])


def de_tax_id(digits: str) -> bool:
    """Steuer-ID: ISO 7064 mod 11,10, no leading zero, no digit more than three times."""
    if digits[0] == "0" or max(map(digits[:10].count, digits[:10])) > 3:
        return False
    product = 10
    for char in digits[:10]:
        product = ((int(char) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


NATIONAL_NUMBERS = (
    NationalNumber(
        "US_SSN",
        (3, 9),
        pattern(r"\d{3}([-. ])\d{2}\1\d{4}|\d{9}"),
        us_ssn,
        ("allocation",),
        _by_separator({"-": 0.65, ".": 0.5, " ": 0.5, "": 0.2}),
        "ssn",
        "ssn.bare",
        shown=(0, 2),
        samples=frozenset({"078051120", "219099999"}),
    ),
    NationalNumber(
        "UK_NHS",
        (3, 10),
        pattern(r"\d{3}([ -])\d{3}\1\d{4}|\d{10}"),
        uk_nhs,
        ("mod11",),
        _by_separator({" ": 0.6, "-": 0.55, "": 0.2}),
        "nhs",
        "nhs.bare",
        shown=(0, 2),
    ),
    NationalNumber(
        "UK_NINO",
        (2, 6),
        pattern(
            r"(?:[A-Z]{2}([ -]?)\d{2}([ -]?)\d{2}\2\d{2}\1[A-Z]"
            r"|(?![A-Z]{2})[A-Za-z]{2}([ -]?)\d{2}([ -]?)\d{2}\4\d{2}\3[a-z])"
        ),
        uk_nino,
        ("allocation",),
        lambda text: 0.6 if text[0].isupper() else 0.5,
        "nino",
        begins=_nino_begins,
    ),
    NationalNumber(
        "PL_PESEL",
        (11,),
        pattern(r"\d{11}"),
        pl_pesel,
        ("weights", "date"),
        _always(0.2),
        "pesel",
    ),
    NationalNumber(
        "DE_TAX_ID",
        (2, 11),
        pattern(r"\d{2} ?\d{3} ?\d{3} ?\d{3}"),
        de_tax_id,
        ("mod11-10",),
        _always(0.2),
        "steuer-id",
    ),
    NationalNumber(
        "ES_NIF",
        (7, 8),
        pattern(r"(?:[XYZxyz][ -]?\d{7}|\d{7,8})[ -]?[A-Za-z]"),
        es_nif,
        ("mod23",),
        lambda text: 0.5 if text[-1].isupper() and text[:8].isdigit() else 0.35,
        "nif",
        begins=_nif_begins,
    ),
    NationalNumber(
        "FR_NIR",
        (1, 7, 15),
        pattern(r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),
        fr_nir,
        ("mod97",),
        _by_separator({" ": 0.6, "": 0.4}),
        "nir",
    ),
    NationalNumber(
        "NL_BSN",
        (9,),
        pattern(r"\d{9}"),
        nl_bsn,
        ("mod11",),
        _always(0.2),
        "bsn",
    ),
)
