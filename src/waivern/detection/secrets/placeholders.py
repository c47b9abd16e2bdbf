"""The distinction between a secret and what documents and programs write in its place."""

from __future__ import annotations

import re

from waivern.detection.expressions import expression

_STAND_INS = frozenset(
    """
        password passwd passphrase passwort passcode pass pw pwd secret token key apikey
        change changeme changeit changethis replace replaceme me it this that here
        insert enter add set your my the a an our new old user username admin root guest
        postgres mysql test tests testing tester example examples sample demo dummy fake
        mock foo bar baz qux foobar some any none null nil undefined true false default
        empty blank todo fixme tbd placeholder redacted hidden masked removed omitted
        value string text abc abcd abcdef abcdefg abcdefgh xyz qwerty letmein hello
        world secure super very long random not real in production please api access
        client auth private public base encoded of for with is to and or no yes
    """.split()  # noqa: SIM905
)
_WORDS = expression(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_COUNTED = frozenset({"1234567890", "0123456789", "123456789012345678901234567890"})
_TEMPLATE = expression(
    r"[$#%@]?[{(<\[]|[)}\]>]\Z|%[-.\d]{0,6}[sdrfgxu]\b|%\(|\$[A-Za-z_]|%[A-Za-z_]+%|\.\.\.|\u2026|\\[nrtu]|://|\*\*"
)
"""A variable, a slot, a format, an omission, an escape or a URL."""
_CODE = expression(r"[A-Za-z_][\w]*(?:(?:\.|->|::)[A-Za-z_]\w*)+[(\[]?|.*[(\[]|[A-Za-z_]\w*\[")
_REPEATED = expression(r"(.)\1*|(?:(.{1,3})\2+)", re.ASCII)
_UUID = expression(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_NAME_PART = expression(r"(?:[a-z]{2,}|[A-Z]{2,}|[A-Z][a-z]+)*\d{0,2}|[a-z]")
_SYMBOLS = frozenset("!@#$%^&*+=?~/")


def is_password(value: str) -> bool:
    """Return whether a value is a password: no slot, no words, no name of something else."""
    if not 4 <= len(value) <= 200 or any(char.isspace() for char in value):
        return False
    if (
        value[0] in "/.\\"
        or _TEMPLATE.search(value)
        or _CODE.fullmatch(value)
        or _REPEATED.fullmatch(value)
    ):
        return False
    parts = _WORDS.findall(value)
    if all(part.lower() in _STAND_INS or _is_counted(part) for part in parts):
        return False
    letters = any(map(str.isalpha, value))
    digits = any(map(str.isdigit, value))
    return letters and (digits or not _SYMBOLS.isdisjoint(value)) and not _is_name(value)


def is_key(value: str) -> bool:
    """Return whether a value looks like a key: long, random, neither a name nor an identifier."""
    if not is_password(value) or len(value) < 16 or _UUID.fullmatch(value) or value[:3] == "eyJ":
        return False
    if all(part.isdigit() or len(part) >= 3 for part in _WORDS.findall(value)[:-1]):
        return False  # a name of words: SensitiveString2048, get_shared_secret_25519
    longest = max(map(len, re.findall(r"[a-z]+|[A-Z]+", value)), default=0)
    return sum(map(str.isdigit, value)) >= 3 and longest <= 8 and len(set(value)) >= 10


def _is_counted(part: str) -> bool:
    """Return whether digits are a small number, or count up as in `1234`."""
    return part.isdigit() and (len(part) <= 2 or any(part in row for row in _COUNTED))


def _is_name(value: str) -> bool:
    """Return whether it is an identifier of words: `password_field_2`, `x-api-key`, `Token1`."""
    parts = re.split(r"[_\-./:]", value)
    return len(parts) > 1 and all(_NAME_PART.fullmatch(part) for part in parts)
