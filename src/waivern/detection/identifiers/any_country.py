"""Identifiers whose form does not say the country: passports, plates, postcodes, researchers.

Types of one country are more certain than these, and are reported in their place.
"""

from __future__ import annotations

from waivern.detection.identifiers.checks import mod11_2, repeated
from waivern.detection.identifiers.identifier import (
    CERTAIN,
    LICENCE,
    PASSPORT,
    PLATE,
    Identifier,
    form,
)

_GENERAL = 0.1
"""Less certain than any type of one country: that one is reported where both fit."""


def orcid(value: str) -> bool:
    """ISO 7064 mod 11,2 over the first fifteen digits."""
    return not repeated(value) and mod11_2(value)


IDENTIFIERS = (
    Identifier(
        "PASSPORT_NUMBER",
        form(r"[A-Z]{1,3}\d{6,8}[A-Z]?|\d{7,9}"),
        """passport book number, pasaporte numero, numero de pasaporte, numero passaporto,
        passnummer""",
        lambda value: not repeated(value[-6:]),
        confidence=_GENERAL,
        kind=PASSPORT,
        example="REL79190740",
    ),
    Identifier(
        "DRIVER_LICENSE_NUMBER",
        form(r"[A-Z]{1,3}-?\d{6,10}[A-Z]?|\d{8,10}"),
        """fuhrerscheinnummer, numero de permis de conduire, permis de conduire, permiso de
        conducir, patente di guida, numero patente, rijbewijs, rijbewijsnummer, prawo
        jazdy, korkort, korkortsnummer, carta de conducao, ajokortti, korekort,
        forerkort""",
        lambda value: not repeated(value[-6:]),
        confidence=_GENERAL,
        kind=LICENCE,
        example="REL-907480",
    ),
    Identifier(
        "LICENSE_PLATE",
        form(
            r"[A-Z]{2}[- ]?\d{3}[- ]?[A-Z]{2}|\d{4}[- ]?[B-DF-HJ-NP-TV-Z]{3}"
            r"|[A-Z]{3}[- ]?\d{2}[0-9A-Z]|[A-Z]{2} ?\d{2} ?\d{3}|[A-Z]{1,2}[- ]?\d{4,6}"
            r"|[A-Z]{2,3}[- ]?\d{4,5}|\d-[A-Z]{3}-\d{2,3}|\d{1,2}-[A-Z]{2,3}-\d{1,2}"
            r"|[A-Z]{1,2}-\d{2,3}-[A-Z]{1,3}|\d{2}-\d{2}-[A-Z]{2}|[A-Z]{2}-\d{2}-\d{2}"
        ),
        """kennzeichen, kfz kennzeichen, immatriculation, plaque d immatriculation, plaque,
        matricula, targa, kenteken, tablica rejestracyjna, nr rejestracyjny,
        rejestracja, registreringsnummer, rekisterinumero, spz, rendszam, vehicle plate,
        car plate, reg number, reg no""",
        lambda value: not value.isalpha() and not value.startswith(("SHA", "MD5", "CRC")),
        confidence=_GENERAL,
        category="location",
        severity="medium",
        kind=PLATE,
        example="LT 90 830",
    ),
    Identifier(
        "POSTAL_CODE",
        form(
            r"[A-Z]\d[A-Z][ -]?\d[A-Z]\d|[A-Z]\d\d[ -]?[0-9A-Z]{4}|\d{4} ?[A-Z]{2}|\d{5}-\d{3,4}"
            r"|\d{4}-\d{3}|\d{3}-\d{4}|\d{2}-\d{3}|\d{3} ?\d{2}|\d{4,6}|[A-Z]{1,2}-\d{4,5}"
        ),
        """postcode, post code, postal code, postalcode, zip, zip code, zipcode, plz, postleitzahl,
        code postal, codigo postal, cod postal, cap, codice postale, postnummer, postnr,
        postinumero, kod pocztowy, psc, postcodes, cep, codigo de endereco postal,
        eircode, iranyitoszam, pin code, pincode, 郵便番号, 邮政编码, почтовый индекс""",
        confidence=_GENERAL,
        category="location",
        severity="low",
        example="59791-740",
    ),
    Identifier(
        "ORCID",
        form(r"\d{4}-\d{4}-\d{4}-\d{3}[0-9X]"),
        "orcid, orcid id, orcid identifier, researcher id, isni",
        orcid,
        ("mod11-2",),
        CERTAIN,
        category="online_identifier",
        severity="low",
        example="9849-0421-4833-8872",
    ),
)
