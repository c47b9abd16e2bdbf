"""Identifiers of Russia, Ukraine, Moldova, Belarus, Kazakhstan, Albania and Serbia."""

from __future__ import annotations

from waivern.detection.identifiers.checks import ALPHABET, day_of_century, mod11_10, weighted
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    NATIONAL_ID,
    PASSPORT,
    POSSIBLE,
    UNLIKELY,
    Identifier,
    by_separator,
    form,
)


def ru_inn(digits: str) -> bool:
    """INN: two check digits mod 11 for persons (12 digits), one for companies (10)."""
    weights = (3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8)
    if len(digits) == 10:
        return weighted(digits[:9], weights[2:]) % 11 % 10 == int(digits[9])
    first = weighted(digits[:10], weights[1:]) % 11 % 10
    second = weighted(digits[:11], weights) % 11 % 10
    return digits[:2] != "00" and f"{first}{second}" == digits[10:]


def ru_snils(digits: str) -> bool:
    """SNILS: weights 9 to 1, mod 101."""
    rest = weighted(digits[:9], range(9, 0, -1)) % 101
    return digits[:9] > "001001998" and rest % 100 == int(digits[9:])


def ua_rntrc(digits: str) -> bool:
    """RNOKPP: days since 1900, mod 11."""
    weights = (-1, 5, 7, 9, 4, 6, 10, 5, 7)
    return digits[0] != "0" and weighted(digits, weights) % 11 % 10 == int(digits[9])


def md_idnp(digits: str) -> bool:
    """IDNP: a registry, weights 7 3 1, mod 10."""
    return digits[0] in "029" and weighted(digits[:12], (7, 3, 1) * 4) % 10 == int(digits[12])


def by_personal(value: str) -> bool:
    """Identification number of Belarus: sex and century, date of birth, weights 7 3 1."""
    century = {"1": 1800, "2": 1800, "3": 1900, "4": 1900, "5": 2000, "6": 2000}.get(value[0])
    if not day_of_century(value[5:7] + value[3:5] + value[1:3], century):
        return False
    total = sum(ALPHABET.index(char) * (7, 3, 1)[n % 3] for n, char in enumerate(value[:13]))
    return total % 10 == int(value[13])


def kz_iin(digits: str) -> bool:
    """IIN: date of birth, century and sex, mod 11 with a second row of weights."""
    century = {"1": 1800, "2": 1800, "3": 1900, "4": 1900, "5": 2000, "6": 2000}.get(digits[6])
    if not day_of_century(digits[:6], century):
        return False
    check = weighted(digits[:11], range(1, 12)) % 11
    if check == 10:
        check = weighted(digits[:11], (3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 2)) % 11
    return check == int(digits[11])


def al_nipt(value: str) -> bool:
    """NID and NIPT: decade, year, month (50 more for women), day."""
    month, day = int(value[2:4]) % 50, int(value[4:6])
    return value[0] <= "T" and 1 <= month <= 12 and 1 <= day <= 31


IDENTIFIERS = (
    Identifier(
        "RU_INN",
        form(r"\d{12}|\d{10}"),
        "инн, inn, tax id, номер налогоплательщика, identifikatsionnyy nomer",
        ru_inn,
        ("mod11",),
        UNLIKELY,
        example="6216053327",
    ),
    Identifier(
        "RU_SNILS",
        form(r"\d{3}-\d{3}-\d{3}[ -]\d{2}|\d{11}"),
        "снилс, snils, страховой номер, insurance account number",
        ru_snils,
        ("mod101",),
        by_separator(CERTAIN, UNLIKELY),
        example="991-404-340 15",
    ),
    Identifier(
        "RU_PASSPORT",
        form(r"\d{2} ?\d{2} ?\d{6}"),
        "паспорт, серия и номер, серия номер, номер паспорта, pasport, passport rf",
        confidence=by_separator(POSSIBLE, UNLIKELY),
        kind=PASSPORT,
        example="73 33 052030",
    ),
    Identifier(
        "UA_RNTRC",
        form(r"\d{10}"),
        "рнокпп, іпн, ипн, ідентифікаційний номер, rnokpp, rntrc, ipn, податковий номер",
        ua_rntrc,
        ("mod11",),
        UNLIKELY,
        kind=NATIONAL_ID,
        example="9825979197",
    ),
    Identifier(
        "MD_IDNP",
        form(r"\d{13}"),
        "idnp, cod personal, numarul de identificare, personal code",
        md_idnp,
        ("weights",),
        UNLIKELY,
        kind=NATIONAL_ID,
        example="9270990190749",
    ),
    Identifier(
        "BY_PERSONAL_NUMBER",
        form(r"[1-6]\d{6}[ABCHKEM]\d{3}(?:PB|BA|BI)\d"),
        "личный номер, идентификационный номер, personal number, асабісты нумар",
        by_personal,
        ("date", "weights"),
        CERTAIN,
        kind=NATIONAL_ID,
        example="5210147C069BA4",
    ),
    Identifier(
        "KZ_IIN",
        form(r"\d{12}"),
        "иин, жсн, iin, individual identification number, индивидуальный идентификационный номер",
        kz_iin,
        ("date", "mod11"),
        POSSIBLE,
        kind=NATIONAL_ID,
        example="251027346465",
    ),
    Identifier(
        "AL_NID",
        form(r"[A-T]\d{8}[A-W]"),
        "nid, nipt, nuis, numri i identitetit, numri personal, letternjoftim",
        al_nipt,
        ("date",),
        0.3,
        kind=NATIONAL_ID,
        example="E55526678A",
    ),
    Identifier(
        "RS_PIB",
        form(r"\d{9}"),
        "pib, poreski identifikacioni broj, poreski broj",
        mod11_10,
        ("mod11-10",),
        UNLIKELY,
        category="employment",
        severity="low",
        example="900518913",
    ),
)
