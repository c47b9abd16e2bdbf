"""Check digits and allocation rules that several types of values use.

Each function takes a value without separators and returns whether the check holds.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache

from waivern.detection.numbering import AREA_CODES, IBAN_SHAPES, ISSUERS


def card_issuer(digits: str) -> str | None:
    """Return the payment network that issues numbers with this prefix and length."""
    return _issuer(digits[:_LONGEST_PREFIX], len(digits))


_LONGEST_PREFIX = max(len(first) for _, first, _, _ in ISSUERS)


@cache
def _issuer(prefix: str, length: int) -> str | None:
    for name, first, last, lengths in ISSUERS:
        if length in lengths and first <= prefix[: len(first)] <= last:
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


_AS_NUMBER = {char: str(int(char, 36)) for char in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def iban(value: str) -> bool:
    """ISO 13616: country, length, shape of the account number, mod 97."""
    pattern = _iban_pattern(value[:2])
    if pattern is None or not pattern.fullmatch(value):
        return False
    account = value[4:] if value[4:].isdigit() else "".join(map(_AS_NUMBER.__getitem__, value[4:]))
    return int(account + _AS_NUMBER[value[0]] + _AS_NUMBER[value[1]] + value[2:4]) % 97 == 1


def nanp(digits: str) -> bool:
    """North American number of ten digits: area code in service, exchange from 200, not N11."""
    return digits[:3] in AREA_CODES and digits[3] in "23456789" and digits[4:6] != "11"


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
