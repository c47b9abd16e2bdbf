"""Identifiers of Sweden, Finland, Denmark, Norway and Iceland."""

from __future__ import annotations

from waivern.detection.identifiers.checks import is_date, luhn, short_date, weighted
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LIKELY,
    NATIONAL_ID,
    PLAUSIBLE,
    POSSIBLE,
    Identifier,
    by_separator,
    form,
)


def se_personnummer(value: str) -> bool:
    """A date of birth (60 days later for a coordination number), and Luhn over ten digits."""
    digits = value.replace("+", "")
    if len(digits) == 12:
        if digits[:2] not in ("18", "19", "20"):
            return False
        digits = digits[2:]
    day = int(digits[4:6])
    return short_date(f"{digits[:4]}{day - 60 if day > 60 else day:02}") and luhn(digits)


def se_organisation(digits: str) -> bool:
    """Luhn; the third digit is at least 2, so that it cannot be a month."""
    return digits[2] >= "2" and digits[0] != "0" and luhn(digits)


_HETU = "0123456789ABCDEFHJKLMNPRSTUVWXY"


def fi_hetu(value: str) -> bool:
    """Henkilotunnus: a date of birth, and the digits mod 31 as a character."""
    digits, check = value[:6] + value[-4:-1], value[-1]
    serial = int(value[-4:-1])
    return serial >= 2 and short_date(digits[:6], "dmy") and _HETU[int(digits) % 31] == check


def dk_cpr(digits: str) -> bool:
    """CPR: a date of birth. Numbers after 2007 need not fulfil mod 11."""
    day = int(digits[:2])
    return short_date(f"{day - 60 if day > 60 else day:02}{digits[2:6]}", "dmy")


def no_fodselsnummer(digits: str) -> bool:
    """Fodselsnummer and D-nummer: a date of birth, two check digits mod 11."""
    day = int(digits[:2]) - (40 if digits[0] > "3" else 0)
    if not short_date(f"{day:02}{digits[2:6]}", "dmy"):
        return False
    first = -weighted(digits, (3, 7, 6, 1, 8, 9, 4, 5, 2)) % 11
    second = -weighted(digits, (5, 4, 3, 2, 7, 6, 5, 4, 3, 2)) % 11
    return f"{first}{second}" == digits[9:]


def is_kennitala(digits: str) -> bool:
    """Kennitala: a date of birth (40 days later for companies), a check digit, a century."""
    day = int(digits[:2]) - (40 if digits[0] > "3" else 0)
    century = {"8": 1800, "9": 1900, "0": 2000}.get(digits[9])
    if century is None or not is_date(century + int(digits[4:6]), int(digits[2:4]), day):
        return False
    return weighted(digits, (3, 2, 7, 6, 5, 4, 3, 2, 1)) % 11 == 0


IDENTIFIERS = (
    Identifier(
        "SE_PERSONNUMMER",
        form(r"(?:18|19|20)?\d{6}[-+]?\d{4}"),
        """personnummer, person nummer, pnr, personnr, samordningsnummer, personal identity number,
        personal identity code, personal number, swedish personal number, persnr""",
        se_personnummer,
        ("date", "luhn"),
        lambda text: 0.6 if not text.isdigit() else PLAUSIBLE if len(text) == 12 else POSSIBLE,
        kind=NATIONAL_ID,
        example="100171+7006",
    ),
    Identifier(
        "SE_ORGANISATIONSNUMMER",
        form(r"\d{6}-?\d{4}"),
        """organisationsnummer, org nr, orgnr, organisation number, company number,
        company identity code, organisationsnr, org nummer""",
        se_organisation,
        ("luhn",),
        by_separator(LIKELY, POSSIBLE),
        category="employment",
        severity="low",
        example="197110-0100",
    ),
    Identifier(
        "FI_PERSONAL_IDENTITY_CODE",
        form(r"\d{6}[-+A-FU-Y]\d{3}[0-9A-FHJ-NPR-Y]"),
        """henkilotunnus, henkilötunnus, hetu, personal identity code, sosiaaliturvatunnus, sotu,
        personbeteckning, personal identity number""",
        fi_hetu,
        ("date", "mod31"),
        CERTAIN,
        kind=NATIONAL_ID,
        example="010170+0150",
    ),
    Identifier(
        "DK_CPR",
        form(r"\d{6}-?\d{4}"),
        "cpr, cpr nr, cpr nummer, cpr number, personnummer, cprnummer",
        dk_cpr,
        ("date",),
        by_separator(0.3, POSSIBLE - 0.05),
        kind=NATIONAL_ID,
        example="061001-8000",
    ),
    Identifier(
        "NO_FODSELSNUMMER",
        form(r"\d{6} ?\d{5}"),
        """fodselsnummer, fødselsnummer, fnr, personnummer, d nummer, fodselsnr,
        national identity number""",
        no_fodselsnummer,
        ("date", "mod11"),
        by_separator(0.6, LIKELY),
        kind=NATIONAL_ID,
        example="111071 08000",
    ),
    Identifier(
        "IS_KENNITALA",
        form(r"\d{6}-?\d{4}"),
        "kennitala, kt, icelandic id",
        is_kennitala,
        ("date", "mod11"),
        by_separator(LIKELY, POSSIBLE),
        kind=NATIONAL_ID,
        example="100280-0000",
    ),
)
