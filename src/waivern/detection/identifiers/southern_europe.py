"""Identifiers of Spain, Portugal, Italy, France and Greece."""

from __future__ import annotations

from waivern.detection.identifiers.checks import luhn, repeated, short_date, weighted
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LICENCE,
    LIKELY,
    NATIONAL_ID,
    PASSPORT,
    POSSIBLE,
    SOCIAL_SECURITY,
    TAX,
    UNLIKELY,
    VAT,
    Identifier,
    bare,
    by_separator,
    form,
)


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


_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3,
         6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def it_fiscal_code(value: str) -> bool:
    """Codice fiscale: a day of birth (40 later for women), and the last letter checks the others.

    A letter may stand in the place of a digit, so that two people do not have the same code.
    """
    day = int("".join(_DIGIT.get(char, char) for char in value[9:11]))
    if not (1 <= day <= 31 or 41 <= day <= 71):
        return False
    total = 0
    for place, char in enumerate(value[:15]):
        if place % 2 == 0:
            total += _ODD[char]
        else:
            total += int(char) if char.isdigit() else ord(char) - 65
    return chr(65 + total % 26) == value[15]


def it_vat(value: str) -> bool:
    """Partita IVA: Luhn over eleven digits."""
    digits = value[-11:]
    office = int(digits[7:10])
    issued = 1 <= office <= 100 or office in (120, 121, 888, 999)
    return luhn(digits) and issued and digits[:7] != "0000000"


def pt_nif(digits: str) -> bool:
    """NIF: mod 11 over eight digits."""
    rest = weighted(digits[:8], range(9, 1, -1)) % 11
    return digits[0] != "0" and (0 if rest < 2 else 11 - rest) == int(digits[8])


def gr_amka(digits: str) -> bool:
    """AMKA: a date of birth, and Luhn."""
    return short_date(digits[:6], "dmy") and luhn(digits)


def fr_vat(value: str) -> bool:
    """Numero de TVA: the key is 12 + 3 times the SIREN mod 97, mod 97."""
    key, siren = value[2:4], value[4:]
    return luhn(siren) and (not key.isdigit() or int(key) == (12 + 3 * (int(siren) % 97)) % 97)


_DIGIT = dict(zip("LMNPQRSTUV", "0123456789", strict=True))
_OMOCODE = "[0-9LMNPQRSTUV]"

IDENTIFIERS = (
    Identifier(
        "ES_NIF",
        form(r"\d{7,8}[ -]?[A-Z]"),
        """nif, dni, numero de identificacion fiscal, documento nacional de identidad, nif number,
        numero de dni, d n i, n i f""",
        es_nif,
        ("mod23",),
        lambda text: LIKELY if text[-1].isupper() and len(bare(text)) == 9 else 0.35,
        kind=TAX,
        example="11027100A",
    ),
    Identifier(
        "ES_NIE",
        form(r"[XYZ][ -]?\d{7}[ -]?[A-Z]"),
        """nie, nif, dni, numero de identidad de extranjero, numero de identificacion de extranjero,
        extranjero""",
        es_nif,
        ("mod23",),
        lambda text: LIKELY if text.isupper() else 0.35,
        kind=NATIONAL_ID,
        example="X0000300R",
    ),
    Identifier(
        "ES_PASSPORT",
        form(r"[A-Z]{3}\d{6}"),
        "pasaporte, numero de pasaporte, pasaporte numero, passport, passport number, passport no",
        kind=PASSPORT,
        example="UAW600000",
    ),
    Identifier(
        "FR_NIR",
        form(r"[12] ?\d{2} ?\d{2} ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),
        """nir, numero secu, num secu, securite sociale, numero de securite sociale, secu,
        numero securite sociale, no securite sociale,
        numero secu sociale, insee, numero insee, nss, numero de secu""",
        fr_nir,
        ("mod97",),
        by_separator(0.6, 0.4),
        example="1019720 11100008",
    ),
    Identifier(
        "FR_VAT",
        form(r"FR ?[0-9A-Z]{2} ?\d{9}"),
        "tva, numero de tva, tva intracommunautaire, vat, vat number, vat id",
        fr_vat,
        ("mod97",),
        LIKELY,
        category="employment",
        severity="low",
        kind=VAT,
        example="FRD1110720000",
    ),
    Identifier(
        "IT_FISCAL_CODE",
        form(rf"[A-Z]{{6}}{_OMOCODE}{{2}}[A-EHLMPR-T]{_OMOCODE}{{2}}[A-Z]{_OMOCODE}{{3}}[A-Z]"),
        "codice fiscale, cod fiscale, cf, fiscal code, tax code, codfisc, c f",
        it_fiscal_code,
        ("check letter",),
        CERTAIN,
        kind=TAX,
        example="AAAAAA11A10A710A",
    ),
    Identifier(
        "IT_VAT_CODE",
        form(r"(?:IT ?)?\d{11}"),
        "partita iva, p iva, piva, iva, vat, vat number, vat code, part iva",
        it_vat,
        ("luhn",),
        lambda text: LIKELY if text[0].isalpha() else POSSIBLE,
        category="employment",
        severity="low",
        kind=VAT,
        example="IT01970021000",
    ),
    Identifier(
        "IT_DRIVER_LICENSE",
        form(r"[A-Z]{2}\d{7}[A-Z]|U1[B-DF-HJ-NP-TV-Z0-9]{7}[A-Z]"),
        "patente, patente di guida, patente guida, driver license, driving licence, licenza",
        confidence=lambda text: LIKELY if text[:2].upper() == "U1" and text.isupper() else 0.3,
        kind=LICENCE,
        example="U10000000X",
    ),
    Identifier(
        "IT_PASSPORT",
        form(r"[A-Z]{2}\d{7}"),
        "passaporto, numero passaporto, passaporto numero, passport, passport number, passport no",
        kind=PASSPORT,
        example="AA0710110",
    ),
    Identifier(
        "IT_IDENTITY_CARD",
        form(r"[A-Z]{2}\d{5}[A-Z]{2}|\d{7}[A-Z]{2}|[A-Z]{2} ?\d{7}"),
        "carta identita, carta di identita, carta d identita, identity card, id card, cie, c i e",
        kind=NATIONAL_ID,
        example="1110700AN",
    ),
    Identifier(
        "PT_NIF",
        form(r"\d{3} ?\d{3} ?\d{3}"),
        """nif, contribuinte, numero de contribuinte, numero de identificacao fiscal, nipc,
        contribuinte nr""",
        pt_nif,
        ("mod11",),
        POSSIBLE,
        kind=TAX,
        example="100270000",
    ),
    Identifier(
        "GR_AMKA",
        form(r"\d{11}"),
        "amka, αμκα, social security number",
        lambda digits: gr_amka(digits) and not repeated(digits),
        ("date", "luhn"),
        POSSIBLE,
        kind=SOCIAL_SECURITY,
        example="01102700000",
    ),
    Identifier(
        "FR_PASSPORT",
        form(r"\d{2}[A-Z]{2}\d{5}"),
        "passeport, numero de passeport, passport, passport number, passport no",
        confidence=UNLIKELY + 0.05,
        kind=PASSPORT,
        example="00PA00080",
    ),
)
