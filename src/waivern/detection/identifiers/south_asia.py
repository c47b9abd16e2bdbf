"""Identifiers of Indonesia, Malaysia, Pakistan, Sri Lanka and Vietnam."""

from __future__ import annotations

from waivern.detection.identifiers.checks import short_date
from waivern.detection.identifiers.identifier import (
    LIKELY,
    NATIONAL_ID,
    UNLIKELY,
    Identifier,
    by_separator,
    form,
)


def id_nik(digits: str) -> bool:
    """NIK: a province, a date of birth (40 days later for women)."""
    day = int(digits[6:8])
    dated = short_date(f"{day - 40 if day > 40 else day:02}{digits[8:12]}", "dmy")
    return dated and "11" <= digits[:2] <= "96" and digits[2:4] != "00" and digits[12:] != "0000"


_MY_PLACES = frozenset(
    f"{n:02}"
    for n in (
        *range(1, 17),
        *range(21, 69),
        71,
        72,
        74,
        75,
        76,
        77,
        78,
        79,
        82,
        83,
        84,
        85,
        86,
        87,
        88,
        89,
        90,
        91,
        92,
        93,
        98,
        99,
    )
)


def my_nric(digits: str) -> bool:
    """MyKad: a date of birth and a place of birth."""
    return short_date(digits[:6]) and digits[6:8] in _MY_PLACES


def pk_cnic(digits: str) -> bool:
    """CNIC: a province, and a last digit for the sex."""
    return digits[0] in "1234567" and digits[-1] != "0"


def lk_nic(value: str) -> bool:
    """NIC of Sri Lanka: year and day of birth (500 more for women)."""
    day = int(value[2:5] if len(value) == 10 else value[4:7]) % 500
    return 1 <= day <= 366 and (len(value) == 10 or "1900" <= value[:4] <= "2030")


IDENTIFIERS = (
    Identifier(
        "ID_NIK",
        form(r"\d{16}"),
        "nik, nomor induk kependudukan, ktp, no ktp, nomor ktp, e ktp",
        id_nik,
        ("date",),
        UNLIKELY,
        example="4706040404796660",
    ),
    Identifier(
        "MY_NRIC",
        form(r"\d{6}-\d{2}-\d{4}|\d{12}"),
        "nric, mykad, ic number, no kad pengenalan, kad pengenalan, ic no, my kad",
        my_nric,
        ("date",),
        by_separator(LIKELY, UNLIKELY),
        example="621113-79-0690",
    ),
    Identifier(
        "PK_CNIC",
        form(r"\d{5}-\d{7}-\d|\d{13}"),
        "cnic, nadra, cnic number, nicop, شناختی کارڈ",
        pk_cnic,
        confidence=by_separator(LIKELY, UNLIKELY),
        example="59490-4213378-1",
    ),
    Identifier(
        "LK_NIC",
        form(r"\d{9}[VX]|(?:19|20)\d{10}"),
        "nic, nic number, national identity card, sri lankan id",
        lk_nic,
        ("date",),
        lambda text: 0.3 if not text.isdigit() else UNLIKELY,
        kind=NATIONAL_ID,
        example="527099074V",
    ),
    Identifier(
        "VN_CCCD",
        form(r"0\d{2}[0-9]\d{2}\d{6}"),
        "cccd, can cuoc cong dan, căn cước công dân, cmnd, so cccd, citizen identity card",
        confidence=UNLIKELY + 0.05,
        example="027099007480",
    ),
)
