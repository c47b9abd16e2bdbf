"""Identifiers of Poland, the Low Countries, Central Europe and the Baltic."""

from __future__ import annotations

from waivern.detection.identifiers.checks import (
    is_date,
    luhn,
    mod11_10,
    repeated,
    short_date,
    verhoeff,
    weighted,
)
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LIKELY,
    NATIONAL_ID,
    POSSIBLE,
    SOCIAL_SECURITY,
    TAX,
    UNLIKELY,
    Identifier,
    by_separator,
    form,
)


def pl_pesel(digits: str) -> bool:
    """PESEL: weights 1 3 7 9, and a birth date inside."""
    century = (1900, 2000, 2100, 2200, 1800)[int(digits[2:4]) // 20]
    dated = is_date(century + int(digits[:2]), int(digits[2:4]) % 20, int(digits[4:6]))
    return dated and weighted(digits, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def pl_nip(digits: str) -> bool:
    """NIP: mod 11 over nine digits."""
    rest = weighted(digits, (6, 5, 7, 2, 3, 4, 5, 6, 7)) % 11
    return rest == int(digits[9]) and not repeated(digits)


def nl_bsn(digits: str) -> bool:
    """BSN: the eleven test."""
    return weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0 and digits.strip("0") != ""


def be_national_number(digits: str) -> bool:
    """Rijksregisternummer: a date of birth, and 97 - n mod 97, with a 2 in front since 2000."""
    month = int(digits[2:4])  # 20 or 40 later for a number of the register of foreigners
    if month > 52 or not month % 20:
        return False
    month %= 20
    if not short_date(f"{digits[:2]}{month:02}{digits[4:6]}"):
        return False
    body, check = digits[:9], int(digits[9:])
    return any(97 - int(first + body) % 97 == check for first in ("", "2"))


def cz_birth_number(digits: str) -> bool:
    """Rodne cislo: a date of birth (50 months later for women), mod 11."""
    month = int(digits[2:4])
    month -= 50 if month > 50 else 0
    month -= 20 if month > 20 else 0
    rest = int(digits[:9]) % 11 % 10
    return short_date(f"{digits[:2]}{month:02}{digits[4:6]}") and rest == int(digits[9])


def ro_cnp(digits: str) -> bool:
    """CNP: sex and century, a date of birth, a county, mod 11."""
    rest = weighted(digits, (2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9)) % 11
    county = int(digits[7:9])
    issued = 1 <= county <= 48 or county in (51, 52, 70, 80, 81, 82, 83)
    dated = digits[0] != "0" and short_date(digits[1:7])
    return dated and issued and (1 if rest == 10 else rest) == int(digits[12])


def bg_egn(digits: str) -> bool:
    """EGN: a date of birth (20 or 40 months later in another century), mod 11."""
    month = int(digits[2:4])
    if month > 52:
        return False
    century = 1800 if 20 < month < 40 else 2000 if month > 40 else 1900
    if not is_date(century + int(digits[:2]), month % 20, int(digits[4:6])):
        return False
    return weighted(digits, (2, 4, 8, 5, 10, 9, 7, 3, 6)) % 11 % 10 == int(digits[9])


def hr_oib(digits: str) -> bool:
    """OIB: ISO 7064 mod 11,10."""
    return mod11_10(digits) and not repeated(digits)


def baltic_code(digits: str) -> bool:
    """Estonian isikukood and Lithuanian asmens kodas: sex and century, date of birth, mod 11."""
    first = int(digits[0])
    century = 1800 + (first - 1) // 2 * 100
    if not 1 <= first <= 6 or not is_date(
        century + int(digits[1:3]), int(digits[3:5]), int(digits[5:7])
    ):
        return False
    rest = weighted(digits, (1, 2, 3, 4, 5, 6, 7, 8, 9, 1)) % 11
    if rest == 10:
        rest = weighted(digits, (3, 4, 5, 6, 7, 8, 9, 1, 2, 3)) % 11 % 10
    return rest == int(digits[10])


def lv_code(digits: str) -> bool:
    """Latvian personas kods: a date of birth and mod 11, or the prefix 32 since 2017."""
    if digits.startswith("32"):
        return True
    rest = (1 + weighted(digits, (10, 5, 8, 4, 2, 1, 6, 3, 7, 9))) % 11 % 10
    return short_date(digits[:6], "dmy") and rest == int(digits[10])


def emso(digits: str) -> bool:
    """Slovenian EMSO and its relatives: a date of birth with three digits of the year, mod 11."""
    year = int(digits[4:7])
    century = 2000 if year < 800 else 1000
    if not is_date(century + year, int(digits[2:4]), int(digits[:2])):
        return False
    total = weighted(digits, (7, 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2))
    return -total % 11 % 10 == int(digits[12])


def hu_taj(digits: str) -> bool:
    """Hungarian social security (TAJ): weights 3 and 7 in turn."""
    total = weighted(digits, (3, 7, 3, 7, 3, 7, 3, 7))
    return total % 10 == int(digits[8]) and not repeated(digits)


def lu_code(digits: str) -> bool:
    """Luxembourg: a date of birth, Luhn over twelve digits, Verhoeff over eleven and the last."""
    dated = is_date(int(digits[:4]), int(digits[4:6]), int(digits[6:8]))
    return dated and luhn(digits[:12]) and verhoeff(digits[:11] + digits[12])


IDENTIFIERS = (
    Identifier(
        "PL_PESEL",
        form(r"\d{11}"),
        "pesel, numer pesel, pesel number, nr pesel",
        pl_pesel,
        ("weights", "date"),
        kind=NATIONAL_ID,
        example="00110710105",
    ),
    Identifier(
        "PL_NIP",
        form(r"\d{3}-\d{3}-\d{2}-\d{2}|\d{3}-\d{2}-\d{2}-\d{3}|\d{10}"),
        "nip, numer nip, nip number, numer identyfikacji podatkowej, tax id",
        pl_nip,
        ("mod11",),
        by_separator(LIKELY, POSSIBLE),
        category="employment",
        severity="medium",
        kind=TAX,
        example="0197010110",
    ),
    Identifier(
        "NL_BSN",
        form(r"\d{9}|\d{4}\.\d{2}\.\d{3}"),
        """bsn, burgerservicenummer, burger service nummer, sofinummer, sofi nummer, bsn nummer,
        citizen service number""",
        nl_bsn,
        ("mod11",),
        kind=NATIONAL_ID,
        example="001700200",
    ),
    Identifier(
        "BE_NATIONAL_NUMBER",
        form(r"\d{2}\.?\d{2}\.?\d{2}[- ]?\d{3}[. ]?\d{2}"),
        """rijksregisternummer, rijksregister, numero national, registre national, nrn, rrn, niss,
        insz, national number, nationaal nummer, numero de registre national""",
        be_national_number,
        ("date", "mod97"),
        by_separator(CERTAIN, LIKELY),
        kind=NATIONAL_ID,
        example="0111.0710704",
    ),
    Identifier(
        "CZ_BIRTH_NUMBER",
        form(r"\d{6}/?\d{4}"),
        "rodne cislo, rc, rodné číslo, birth number, r c",
        cz_birth_number,
        ("date", "mod11"),
        by_separator(0.6, POSSIBLE),
        kind=NATIONAL_ID,
        example="800710/0300",
    ),
    Identifier(
        "RO_CNP",
        form(r"\d{13}"),
        "cnp, cod numeric personal, codul numeric personal",
        ro_cnp,
        ("date", "mod11"),
        LIKELY,
        kind=NATIONAL_ID,
        example="1010807010081",
    ),
    Identifier(
        "BG_EGN",
        form(r"\d{10}"),
        "egn, егн, edinen grazhdanski nomer",
        bg_egn,
        ("date", "mod11"),
        kind=NATIONAL_ID,
        example="0001107190",
    ),
    Identifier(
        "HR_OIB",
        form(r"\d{11}"),
        "oib, osobni identifikacijski broj, personal identification number",
        hr_oib,
        ("mod11-10",),
        kind=NATIONAL_ID,
        example="01101080070",
    ),
    Identifier(
        "EE_ISIKUKOOD",
        form(r"\d{11}"),
        "isikukood, ik, estonian id, personal code",
        baltic_code,
        ("date", "mod11"),
        0.3,
        kind=NATIONAL_ID,
        example="19710111000",
    ),
    Identifier(
        "LT_ASMENS_KODAS",
        form(r"\d{11}"),
        "asmens kodas, a k, lithuanian id, personal code",
        baltic_code,
        ("date", "mod11"),
        0.3,
        kind=NATIONAL_ID,
        example="19710111000",
    ),
    Identifier(
        "LV_PERSONAS_KODS",
        form(r"\d{6}-?\d{5}"),
        "personas kods, p k, latvian id, personal code",
        lv_code,
        ("date", "mod11"),
        by_separator(LIKELY, UNLIKELY),
        kind=NATIONAL_ID,
        example="100171-00040",
    ),
    Identifier(
        "SI_EMSO",
        form(r"\d{13}"),
        "emso, emšo, jmbg, maticni broj, matični broj",
        emso,
        ("date", "mod11"),
        LIKELY,
        kind=NATIONAL_ID,
        example="0711011000600",
    ),
    Identifier(
        "HU_TAJ",
        form(r"\d{3}([ -]?)\d{3}\1\d{3}"),
        "taj, taj szam, taj szám, tajszam, tarsadalombiztositasi azonosito jel",
        hu_taj,
        ("weights",),
        kind=SOCIAL_SECURITY,
        example="070011140",
    ),
    Identifier(
        "LU_NATIONAL_ID",
        form(r"\d{13}"),
        "matricule, numero d identification national, luxembourg id, numero matricule",
        lu_code,
        ("date", "luhn", "verhoeff"),
        0.6,
        kind=NATIONAL_ID,
        example="0701011090000",
    ),
)
