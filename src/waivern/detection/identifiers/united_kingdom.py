"""Identifiers of the United Kingdom and Ireland."""

from __future__ import annotations

from waivern.detection.identifiers.checks import is_date, repeated, weighted
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LICENCE,
    LIKELY,
    PASSPORT,
    PLATE,
    POSSIBLE,
    TAX,
    UNLIKELY,
    Identifier,
    form,
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
    return not repeated(digits) and -weighted(digits[:9], range(10, 1, -1)) % 11 == int(digits[9])


def uk_driving_licence(value: str) -> bool:
    """DVLA: surname, decade, month (plus 50 for women), day, year, initials."""
    name, month, day = value[:5], int(value[6:8]), int(value[8:10])
    month -= 50 if month > 50 else 0
    named = name.rstrip("9").isalpha() and len(name.rstrip("9")) >= 1
    return named and is_date(2000, month, day) and value[11].isalpha()


def uk_registration(value: str) -> bool:
    """DVLA: the two digits of a mark since 2001 are 02 to 29, or 51 to 79 for the second half."""
    if not value[1].isalpha():
        return True
    age = int(value[2:4])
    return 2 <= age <= 29 or 51 <= age <= 79


def uk_utr(digits: str) -> bool:
    """HMRC unique taxpayer reference: weights 6 7 8 9 10 5 4 3 2, the first digit checks."""
    rest = weighted(digits[1:], (6, 7, 8, 9, 10, 5, 4, 3, 2)) % 11
    return "21987654321"[rest] == digits[0] and not repeated(digits)


def ie_pps(value: str) -> bool:
    """Personal Public Service Number: mod 23 with a second letter since 2013."""
    total = weighted(value[:7], range(8, 1, -1))
    if len(value) == 9 and value[8] != "W":
        total += (ord(value[8]) - 64) * 9
    return "WABCDEFGHIJKLMNOPQRSTUV"[total % 23] == value[7]


_AREAS = (
    r"(?:A[BL]|B[ABDHLNRST]?|C[ABFHMORTVW]|D[ADEGHLNTY]|E[CHNX]?|F[KY]|G[LUY]?|H[ADGPRSUX]|I[GMPV]"
    r"|JE|K[ATWY]|L[ADELNSU]?|M[EKL]?|N[EGNPRW]?|O[LX]|P[AEHLOR]|R[GHM]|S[AEGKLMNOPRSTWY]?|T[ADFNQRSW]"
    r"|UB|W[ACDFNRSV]?|YO|ZE)"
)
"""Royal Mail: the postcode areas."""
_POSTCODE = rf"(?:{_AREAS}\d(?:\d|[ABCDEFGHJKPSTUWXY])?|GIR) ?\d[ABD-HJLNP-UW-Z]{{2}}"


IDENTIFIERS = (
    Identifier(
        "UK_NINO",
        form(r"[A-Z]{2}([ -]?)\d{2}([ -]?)\d{2}\2\d{2}\1[A-Z]"),
        """nino, ni number, national insurance, national insurance number, national insurance no,
        ni no, nat ins, insurance number, nin""",
        uk_nino,
        ("allocation",),
        lambda text: 0.6 if text.isupper() else LIKELY if text.islower() else POSSIBLE,
        example="AA000160A",
    ),
    Identifier(
        "UK_NHS",
        form(r"\d{3}([ -])\d{3}\1\d{4}|\d{10}"),
        "nhs, nhs number, nhs no, nhs id, national health service, nhs num",
        uk_nhs,
        ("mod11",),
        lambda text: POSSIBLE if text.isdigit() else 0.6 if text[3] == " " else 0.55,
        category="health",
        shown=(0, 2),
        example="8197010110",
    ),
    Identifier(
        "UK_DRIVING_LICENCE",
        form(
            r"[A-Z][A-Z9]{4}\d{6}[A-Z][A-Z9]\d?[A-Z0-9][A-Z]{2}|[A-Z][A-Z9]{4}\d{6}[A-Z9]{2}[A-Z0-9]{3}"
        ),
        """driving licence, driver licence, licence number, driver number, dvla, driving license,
        licence no, uk licence""",
        uk_driving_licence,
        ("date",),
        CERTAIN,
        kind=LICENCE,
        example="LVVRS308010GJ110",
    ),
    Identifier(
        "UK_PASSPORT",
        form(r"[A-Z]{2}\d{7}|\d{9}"),
        "uk passport, british passport, passport, passport number, passport no, travel document",
        confidence=lambda text: UNLIKELY if text.isdigit() else POSSIBLE,
        kind=PASSPORT,
        example="AA0010002",
    ),
    Identifier(
        "UK_POSTCODE",
        form(_POSTCODE),
        """postcode, post code, postal code, zip, zip code, address, postcode area, home address,
        billing address, delivery address, street, london""",
        confidence=lambda text: LIKELY - 0.05 if " " in text and text.isupper() else POSSIBLE,
        category="location",
        severity="low",
        example="KA0 0AA",
    ),
    Identifier(
        "UK_VEHICLE_REGISTRATION",
        form(r"[A-HJ-PR-Y]{2}\d{2}[ -]?[A-HJ-PR-Z]{3}|[A-HJ-NPR-TV-Y]\d{1,3}[ -]?[A-HJ-PR-Y]{3}"),
        """registration, registration number, vehicle registration, number plate, car reg, reg,
        plate, licence plate, vrm, vehicle, vehicles, reg no, car registration""",
        uk_registration,
        ("age",),
        lambda text: 0.05 if text[0].islower() and " " in text else POSSIBLE,
        category="location",
        severity="medium",
        kind=PLATE,
        example="BH10AAA",
    ),
    Identifier(
        "UK_UTR",
        form(r"\d{5} ?\d{5}"),
        "utr, unique taxpayer reference, tax reference, self assessment, utr number",
        uk_utr,
        ("mod11",),
        UNLIKELY,
        kind=TAX,
        example="1004100080",
    ),
    Identifier(
        "IE_PPS",
        form(r"\d{7}[A-W][ABHW]?"),
        "pps, ppsn, pps number, pps no, personal public service number, rsi number",
        ie_pps,
        ("mod23",),
        lambda text: LIKELY if text.isupper() or text[7:].isupper() else POSSIBLE,
        example="0004100A",
    ),
)
