"""Identifiers of the United States, Canada and Mexico."""

from __future__ import annotations

import re

from waivern.detection.identifiers.checks import is_date, luhn, repeated, weighted
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LICENCE,
    LIKELY,
    NATIONAL_ID,
    PASSPORT,
    PLAUSIBLE,
    POSSIBLE,
    SOCIAL_SECURITY,
    TAX,
    UNLIKELY,
    Identifier,
    by_separator,
    form,
)


def us_ssn(digits: str) -> bool:
    """Social Security Administration: areas, groups and serials that are never issued."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        area not in ("000", "666")
        and area < "900"
        and group != "00"
        and serial != "0000"
        and not repeated(digits)
        and digits != "123456789"
    )


def us_itin(digits: str) -> bool:
    """IRS: nine hundreds, with a group of 50 to 65, 70 to 88, 90 to 92 or 94 to 99."""
    group = int(digits[3:5])
    ranges = ((50, 65), (70, 88), (90, 92), (94, 99))
    return digits[0] == "9" and any(low <= group <= high for low, high in ranges)


def us_npi(digits: str) -> bool:
    """CMS: the Luhn check digit of the number after the prefix 80840."""
    return digits[0] in "12" and len(set(digits)) > 2 and luhn("80840" + digits)


def aba_routing(digits: str) -> bool:
    """American Bankers Association: Federal Reserve prefixes, weights 3 7 1."""
    prefix = int(digits[:2])
    ranges = ((0, 12), (21, 32), (61, 72), (80, 80))
    issued = any(low <= prefix <= high for low, high in ranges)
    return issued and weighted(digits, (3, 7, 1) * 3) % 10 == 0


def us_dea(value: str) -> bool:
    """Drug Enforcement Administration: kind of registrant, check digit of the six digits."""
    digits = value[2:]
    total = sum(map(int, digits[0:6:2])) + 2 * sum(map(int, digits[1:6:2]))
    return total % 10 == int(digits[6]) and not repeated(digits)


def ca_sin(digits: str) -> bool:
    """Service Canada: Luhn, and a first digit that is assigned (1 to 7, 9)."""
    return digits[0] not in "08" and luhn(digits)


_CURP = "0123456789ABCDEFGHIJKLMNÑOPQRSTUVWXYZ"


def mx_curp(value: str) -> bool:
    """RENAPO: a date of birth, a state, and a check digit over all characters."""
    if not is_date(1904 + int(value[4:6]) % 96, int(value[6:8]), int(value[8:10])):
        return False
    total = sum(_CURP.index(char) * (18 - n) for n, char in enumerate(value[:17]))
    return -total % 10 == int(value[17])


_STATES = (
    "(?:A[SG]|B[CS]|C[CLMSH]|D[FG]|G[TR]|HG|JC|M[CNS]|N[TLE]|OC|PL|Q[TR]|S[PLR]|T[CSL]|VZ|YN|ZS)"
)
"""The states of Mexico in a CURP, and NE for those who were born abroad."""
_MBI = "AC-HJKMNP-RT-Y"
"""The letters of Medicare Beneficiary Identifiers: not S, L, O, I, B, Z."""


def _mbi(text: str) -> float:
    return CERTAIN if re.search(r"[A-Za-z]", text[1:]) else UNLIKELY


IDENTIFIERS = (
    Identifier(
        "US_SSN",
        form(r"\d{3}([-. ])\d{2}\1\d{4}|\d{9}"),
        """ssn, social security, social security number, social security no, soc sec, ss number,
        social sec, taxpayer id, us ssn, ssn tin, social, numero de seguro social, seguro social""",
        us_ssn,
        ("allocation",),
        lambda text: {"-": CERTAIN, "": POSSIBLE}.get("" if text.isdigit() else text[3], LIKELY),
        shown=(0, 2),
        samples=frozenset({"078051120", "219099999"}),
        kind=SOCIAL_SECURITY,
        example="078-05-1120",
    ),
    Identifier(
        "US_ITIN",
        form(r"9\d{2}([- ]?)\d{2}\1\d{4}"),
        "itin, individual taxpayer, individual taxpayer identification number, taxpayer id, tin",
        us_itin,
        ("allocation",),
        by_separator(LIKELY, POSSIBLE),
        shown=(0, 2),
        kind=TAX,
        example="900540000",
    ),
    Identifier(
        "US_NPI",
        form(r"[12]\d{3}([- ]?)\d{3}\1\d{3}"),
        """npi, national provider identifier, provider identifier, provider number, provider id,
        npi number, npi no, prescriber, rendering provider""",
        us_npi,
        ("luhn",),
        by_separator(LIKELY, POSSIBLE),
        category="employment",
        severity="medium",
        example="1800201000",
    ),
    Identifier(
        "US_MBI",
        form(rf"[1-9][{_MBI}][0-9{_MBI}]\d(-?)[{_MBI}][0-9{_MBI}]\d\1[{_MBI}]{{2}}\d{{2}}"),
        """mbi, medicare, medicare number, medicare id, medicare beneficiary identifier,
        beneficiary id, hicn""",
        confidence=lambda text: CERTAIN if "-" in text else LIKELY if text.isupper() else POSSIBLE,
        category="health",
        samples=frozenset({"1EG4TE5MK73", "1EG4TE5MK72"}),
        example="1EG4-TE5-MK73",
    ),
    Identifier(
        "US_PASSPORT",
        form(r"[A-Z]\d{8}|\d{9}"),
        "passport, passport number, passport no, us passport, travel document",
        confidence=lambda text: UNLIKELY if text.isdigit() else POSSIBLE,
        kind=PASSPORT,
        example="A80010000",
    ),
    Identifier(
        "US_DRIVER_LICENSE",
        form(
            r"[A-Z]{1,2}[- ]?\d{3}[- ]?\d{4}(?:[- ]?\d{2,7})?"
            r"|[A-Z]\d{4,8}|\d{7,9}|\d{3}-\d{3}-\d{3}"
        ),
        """driver license, drivers license, driver licence, driving license, license number,
        dl number, dl no, driver id, licence number, license no, permit number""",
        confidence=lambda text: UNLIKELY if text[0].isdigit() else POSSIBLE,
        kind=LICENCE,
        example="A0000",
    ),
    Identifier(
        "US_BANK_NUMBER",
        form(r"\d{8,17}"),
        """bank account, account number, bank account number, checking account, savings account,
        account no, acct, acct no, acct number, deposit account""",
        confidence=UNLIKELY,
        category="financial",
        unless="aws account number, aws account",
        shown=(0, 2),
        example="00800210",
    ),
    Identifier(
        "ABA_ROUTING_NUMBER",
        form(r"\d{4}-\d{4}-\d|\d{9}"),
        """routing, routing number, aba, aba number, aba routing, bank routing, routing no, rtn,
        transit number, routing transit number, ach routing""",
        aba_routing,
        ("weights", "allocation"),
        by_separator(LIKELY, POSSIBLE),
        category="financial",
        severity="medium",
        example="001017209",
    ),
    Identifier(
        "MEDICAL_LICENSE",
        form(r"[ABCDEFGHJKLMPRSTUX][A-Z9]\d{7}"),
        """dea, dea number, dea no, medical license, medical license number, prescriber id,
        medical certificate, physician license""",
        us_dea,
        ("weights",),
        lambda text: LIKELY if text.isupper() and set(text[:2]) - set("ABCDEF9") else 0.3,
        category="employment",
        severity="medium",
        example="RS0100280",
    ),
    Identifier(
        "CA_SIN",
        form(r"\d{3}([- ])\d{3}\1\d{3}|\d{9}"),
        """sin, social insurance, social insurance number, sin number, sin no, nas,
        numero d assurance sociale, assurance sociale, canadian social insurance""",
        ca_sin,
        ("luhn",),
        by_separator(PLAUSIBLE, POSSIBLE),
        shown=(0, 2),
        kind=SOCIAL_SECURITY,
        example="172010100",
    ),
    Identifier(
        "MX_CURP",
        form(rf"[A-Z][AEIOUX][A-Z]{{2}}\d{{6}}[HMX]{_STATES}[B-DF-HJ-NP-TV-Z]{{3}}[0-9A-Z]\d"),
        "curp, clave unica de registro de poblacion, clave unica",
        mx_curp,
        ("date", "check digit"),
        CERTAIN,
        kind=NATIONAL_ID,
        example="AAAO710111HPLBDB00",
    ),
)
