"""Identifiers of the Gulf states, Kenya and Mauritius."""

from __future__ import annotations

from waivern.detection.identifiers.checks import (
    ALPHABET,
    day_of_century,
    luhn,
    short_date,
    weighted,
)
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    NATIONAL_ID,
    POSSIBLE,
    UNLIKELY,
    Identifier,
    by_separator,
    form,
)


def ae_emirates_id(digits: str) -> bool:
    """Emirates ID: 784, year of birth, Luhn."""
    return "1900" <= digits[3:7] <= "2100" and luhn(digits)


def kw_civil_id(digits: str) -> bool:
    """Civil ID of Kuwait: century, date of birth, mod 11."""
    century = {"1": 1800, "2": 1900, "3": 2000}.get(digits[0])
    if not day_of_century(digits[1:7], century):
        return False
    rest = weighted(digits[:11], (2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)) % 11
    return 11 - rest == int(digits[11])


def mu_nid(value: str) -> bool:
    """National identity card of Mauritius: date of birth, weights 14 to 2, mod 17."""
    total = sum(ALPHABET.index(char) * (14 - n) for n, char in enumerate(value[:13]))
    return short_date(value[1:7], "dmy") and ALPHABET[-total % 17] == value[13]


IDENTIFIERS = (
    Identifier(
        "AE_EMIRATES_ID",
        form(r"784-\d{4}-\d{7}-\d|784\d{12}"),
        "emirates id, eid, uae id, emirates identity card, رقم الهوية",
        ae_emirates_id,
        ("luhn",),
        by_separator(CERTAIN, 0.45),
        kind=NATIONAL_ID,
        example="784-1927-2006756-7",
    ),
    Identifier(
        "SA_NATIONAL_ID",
        form(r"[12]\d{9}"),
        "iqama, iqama number, saudi id, رقم الهوية, رقم الاقامة, absher",
        luhn,
        ("luhn",),
        UNLIKELY,
        kind=NATIONAL_ID,
        example="1161254071",
    ),
    Identifier(
        "KW_CIVIL_ID",
        form(r"[123]\d{11}"),
        "civil id, civil id number, kuwait id, الرقم المدني",
        kw_civil_id,
        ("date", "mod11"),
        POSSIBLE,
        kind=NATIONAL_ID,
        example="219112048363",
    ),
    Identifier(
        "KE_PIN",
        form(r"[AP]\d{9}[A-Z]"),
        "kra pin, pin number, kra, tax pin, personal identification number",
        confidence=0.3,
        example="A527099074A",
    ),
    Identifier(
        "MU_NID",
        form(r"[A-Z]\d{12}[0-9A-G]"),
        "nic, nid, national identity card, nic number, mauritius id",
        mu_nid,
        ("date", "mod17"),
        CERTAIN,
        kind=NATIONAL_ID,
        example="Q1510571955372",
    ),
)
