"""Check digits and allocation rules: each takes a value without separators and says if it holds."""

from __future__ import annotations

import hashlib
import re
from functools import cache

from waivern.detection.numbering import AREA_CODES, IBAN_SHAPES, ISSUERS


def luhn(digits: str) -> bool:
    """ISO/IEC 7812 mod 10, and not one digit repeated."""
    if len(set(digits)) == 1:
        return False
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def card_issuer(digits: str) -> str | None:
    """Return the payment network that issues numbers with this prefix and length."""
    for name, first, last, lengths in ISSUERS:
        if len(digits) in lengths and first <= digits[: len(first)] <= last:
            return name
    return None


@cache
def _iban_pattern(country: str) -> re.Pattern[str] | None:
    shape = IBAN_SHAPES.get(country)
    if shape is None:
        return None
    classes = {"n": "[0-9]", "a": "[A-Z]", "c": "[0-9A-Z]"}
    parts = re.findall(r"(\d+)([nac])", shape)
    body = "".join(f"{classes[kind]}{{{count}}}" for count, kind in parts)
    return re.compile(country + "[0-9]{2}" + body)


@cache
def iban_length(country: str) -> int | None:
    """Return how long an IBAN of this country is; None where it has none."""
    shape = IBAN_SHAPES.get(country)
    return None if shape is None else 4 + sum(map(int, re.findall(r"\d+", shape)))


def iban(value: str) -> bool:
    """ISO 13616: country, length, shape of the account number, mod 97."""
    pattern = _iban_pattern(value[:2])
    if pattern is None or not pattern.fullmatch(value):
        return False
    return int("".join(str(int(c, 36)) for c in value[4:] + value[:4])) % 97 == 1


def us_ssn(digits: str) -> bool:
    """Social Security Administration: areas, groups and serials that are never issued."""
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        area not in ("000", "666")
        and area < "900"
        and group != "00"
        and serial != "0000"
        and len(set(digits)) > 1
        and digits != "123456789"
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
    if len(set(digits)) == 1:
        return False
    check = -sum(int(d) * w for d, w in zip(digits[:9], range(10, 1, -1), strict=True)) % 11
    return check == int(digits[9])


def nanp(digits: str) -> bool:
    """North American number of ten digits: area code in service, exchange from 200, not N11."""
    return digits[:3] in AREA_CODES and digits[3] in "23456789" and digits[4:6] != "11"


def pl_pesel(digits: str) -> bool:
    """PESEL: weights 1 3 7 9, and a birth date inside."""
    month, day = int(digits[2:4]) % 20, int(digits[4:6])
    weights = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)
    check = -sum(int(d) * w for d, w in zip(digits[:10], weights, strict=True)) % 10
    return 1 <= month <= 12 and 1 <= day <= 31 and check == int(digits[10])


def nl_bsn(digits: str) -> bool:
    """BSN: the eleven test."""
    weights = (9, 8, 7, 6, 5, 4, 3, 2, -1)
    total = sum(int(d) * w for d, w in zip(digits, weights, strict=True))
    return total % 11 == 0 and digits.strip("0") != ""


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


def de_tax_id(digits: str) -> bool:
    """Steuer-ID: ISO 7064 mod 11,10, no leading zero, no digit more than three times."""
    if digits[0] == "0" or max(map(digits[:10].count, digits[:10])) > 3:
        return False
    product = 10
    for char in digits[:10]:
        product = ((int(char) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[10])


_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def base58_address(value: str) -> bool:
    """Bitcoin address with a version byte and a four-byte double SHA-256 checksum."""
    number = 0
    for char in value:
        place = _BASE58.find(char)
        if place < 0:
            return False
        number = number * 58 + place
    try:
        data = number.to_bytes(25, "big")
    except OverflowError:
        return False
    digest = hashlib.sha256(hashlib.sha256(data[:21]).digest()).digest()
    return data[0] in (0, 5) and data[21:] == digest[:4]


def bech32_address(value: str) -> bool:
    """Bitcoin segwit address: BIP 173 and BIP 350 checksum."""
    value = value.lower()
    data = [_BECH32.find(c) for c in value[3:]]
    if not value.startswith("bc1") or -1 in data:
        return False
    generator = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
    checksum = 1
    for item in [3, 3, 0, 2, 3, *data]:  # "bc", expanded
        top, checksum = checksum >> 25, (checksum & 0x1FFFFFF) << 5 ^ item
        for bit in range(5):
            checksum ^= generator[bit] if top >> bit & 1 else 0
    return checksum in (1, 0x2BC830A3)
