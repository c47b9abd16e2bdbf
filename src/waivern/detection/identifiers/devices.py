"""Identifiers of devices and vehicles that belong to a person."""

from __future__ import annotations

from waivern.detection.identifiers.checks import luhn, weighted
from waivern.detection.identifiers.identifier import (
    LIKELY,
    POSSIBLE,
    UNLIKELY,
    Identifier,
    form,
    if_valid,
)

_VIN_VALUES = dict(zip("ABCDEFGHJKLMNPRSTUVWXYZ", "12345678123457923456789", strict=True))


def vin(value: str) -> bool:
    """ISO 3779, with the check digit that North America requires in the ninth place."""
    digits = "".join(_VIN_VALUES.get(char, char) for char in value)
    rest = weighted(digits, (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)) % 11
    return "0123456789X"[rest] == value[8]


def imei(digits: str) -> bool:
    """3GPP TS 23.003: Luhn over fifteen digits; the first two name the body that reports."""
    return luhn(digits) and digits[:2] in (
        "01",
        "35",
        "86",
        "99",
        "98",
        "91",
        "44",
        "45",
        "49",
        "52",
        "53",
        "10",
    )


IDENTIFIERS = (
    Identifier(
        "VIN",
        form(r"[A-HJ-NPR-Z0-9]{17}"),
        """vin, vehicle identification number, chassis number, fahrgestellnummer, vin number, fin,
        chassis, fahrzeug identifizierungsnummer, numero de chasis""",
        lambda value: any(map(str.isalpha, value)) and any(map(str.isdigit, value)),
        confidence=if_valid(vin, 0.45, UNLIKELY),
        category="location",
        severity="medium",
        example="7F001R01000R08000",
    ),
    Identifier(
        "IMEI",
        form(r"\d{15}|\d{2}-\d{6}-\d{6}-\d"),
        "imei, imei number, device imei, imei no, imei1, imei2, handset",
        imei,
        ("luhn",),
        lambda text: POSSIBLE if text.isdigit() else LIKELY,
        category="online_identifier",
        severity="medium",
        example="019711001000000",
    ),
)
