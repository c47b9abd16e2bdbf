"""What of a value may be shown: enough to recognise it by, never enough to have it."""

from __future__ import annotations

import re

_ALNUM = re.compile(r"[^\W_]")
_KEEP_END = {
    "CREDIT_CARD": 4,
    "IBAN_CODE": 4,
    "PHONE_NUMBER": 2,
    "US_SSN": 2,
    "UK_NHS": 2,
    "CRYPTO": 4,
}
_KEEP_START = {"IBAN_CODE": 2, "CRYPTO": 2}


def mask(kind: str, value: str) -> str:
    """Return `value` with its telling characters as '*'; separators and length stay."""
    if kind == "EMAIL_ADDRESS":
        local, _, domain = value.rpartition("@")
        return (local[:1] if len(local) > 2 else "*") + "***@" + domain
    if kind == "IP_ADDRESS":
        return _after(value, 1 if "." in value.partition("%")[0].rpartition(":")[2] else 2)
    if kind == "MAC_ADDRESS":
        return value[:2] + _ALNUM.sub("*", value[2:])
    places = [m.start() for m in _ALNUM.finditer(value)]
    first, last = _KEEP_START.get(kind, 0), _KEEP_END.get(kind, 0)
    if len(places) < first + last + 4:
        first = last = 0
    hidden = set(places[first : len(places) - last])
    return "".join("*" if n in hidden else c for n, c in enumerate(value))


def _after(value: str, groups: int) -> str:
    """Keep the first `groups` groups of an address, if there is more to hide."""
    marks = list(re.finditer(r"[.:]", value))
    cut = marks[groups - 1].end() if len(marks) > groups else 0
    return value[:cut] + re.sub(r"[0-9A-Za-z]", "*", value[cut:])
