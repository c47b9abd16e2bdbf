"""Identifiers of Turkey, South Africa, Nigeria and Egypt."""

from __future__ import annotations

from waivern.detection.identifiers.checks import day_of_century, luhn, repeated, short_date
from waivern.detection.identifiers.identifier import (
    LIKELY,
    NATIONAL_ID,
    PLATE,
    PLAUSIBLE,
    UNLIKELY,
    Identifier,
    form,
)


def tr_national_id(digits: str) -> bool:
    """T.C. kimlik no: two check digits, of odd and even places and of the sum."""
    odd, even = sum(map(int, digits[0:9:2])), sum(map(int, digits[1:8:2]))
    tenth = (odd * 7 - even) % 10 == int(digits[9])
    return digits[0] != "0" and tenth and sum(map(int, digits[:10])) % 10 == int(digits[10])


def za_id(digits: str) -> bool:
    """South African identity number: a date of birth, citizenship, Luhn."""
    return short_date(digits[:6]) and digits[10] in "012" and luhn(digits)


def eg_national_id(digits: str) -> bool:
    """Egyptian national id: century, date of birth, governorate."""
    century = {"2": 1900, "3": 2000}.get(digits[0])
    dated = day_of_century(digits[1:7], century)
    governorate = int(digits[7:9])
    return dated and (1 <= governorate <= 35 or governorate == 88)


IDENTIFIERS = (
    Identifier(
        "TR_NATIONAL_ID",
        form(r"[1-9]\d{10}"),
        """tckn, tc kimlik, kimlik no, tc kimlik no, t c kimlik, kimlik numarasi, tc no,
        turkish id, national id, kimlik""",
        tr_national_id,
        ("two check digits",),
        PLAUSIBLE,
        kind=NATIONAL_ID,
        example="10007000200",
    ),
    Identifier(
        "TR_LICENSE_PLATE",
        form(
            r"(?:0[1-9]|[1-7]\d|8[01])([ -]?)(?:[A-Z]\1\d{3,5}|[A-Z]{2}\1\d{2,4}|[A-Z]{3}\1\d{2,4})"
        ),
        "plaka, plaka no, license plate, number plate, plate, arac plakasi, plakasi, plakali",
        confidence=lambda text: 0.3 if text.isupper() else UNLIKELY,
        category="location",
        severity="medium",
        kind=PLATE,
        example="01F0030",
    ),
    Identifier(
        "ZA_ID_NUMBER",
        form(r"\d{6} ?\d{4} ?\d{3}"),
        """south african id, id number, sa id, identity number, rsa id, said, refugee id number,
        permanent resident number, south african identity number""",
        za_id,
        ("date", "luhn"),
        LIKELY,
        kind=NATIONAL_ID,
        example="0011108004000",
    ),
    Identifier(
        "NG_NIN",
        form(r"\d{11}"),
        "nin, national identification number, nimc, nin number",
        lambda digits: not repeated(digits),
        confidence=UNLIKELY,
        kind=NATIONAL_ID,
        example="00100172000",
    ),
    Identifier(
        "NG_VEHICLE_REGISTRATION",
        form(r"[A-Z]{3}[- ]?\d{3}[A-Z]{2}"),
        "plate number, vehicle registration, number plate, registration number, plate, vehicle",
        confidence=lambda text: 0.3 if text.isupper() else UNLIKELY,
        category="location",
        severity="medium",
        kind=PLATE,
        example="AGM000AW",
    ),
    Identifier(
        "EG_NATIONAL_ID",
        form(r"[23]\d{13}"),
        "الرقم القومي, national id, egyptian id, national number",
        eg_national_id,
        ("date",),
        LIKELY - 0.1,
        kind=NATIONAL_ID,
        example="27011071000000",
    ),
)
