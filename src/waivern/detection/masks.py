"""Masks of values: they show enough to recognise a value by, and never enough to have it."""

from __future__ import annotations

import re
from collections.abc import Callable

from waivern.detection.expressions import expression

_ALNUM = expression(r"[^\W_]")

Mask = Callable[[str], str]


def ends(first: int, last: int) -> Mask:
    """Return a mask that shows so many of the first and last letters and digits.

    Separators and the length stay. A value with fewer than four characters to mask is masked whole.
    """

    def mask(value: str) -> str:
        places = [m.start() for m in _ALNUM.finditer(value)]
        shown = (first, last) if len(places) >= first + last + 4 else (0, 0)
        masked = set(places[shown[0] : len(places) - shown[1]])
        return "".join("*" if n in masked else c for n, c in enumerate(value))

    return mask


def nothing(value: str) -> str:  # noqa: ARG001 - as every mask
    """Show nothing, not even the length."""
    return "***"


def email(value: str) -> str:
    """Show the first letter and the domain."""
    local, _, domain = value.rpartition("@")
    return (local[:1] if len(local) > 2 else "*") + "***@" + domain


def ip(value: str) -> str:
    """Show the first group of an IPv4 address, the first two of an IPv6 address."""
    groups = 1 if "." in value.partition("%")[0].rpartition(":")[2] else 2
    marks = list(re.finditer(r"[.:]", value))
    cut = marks[groups - 1].end() if len(marks) > groups else 0
    return value[:cut] + re.sub(r"[0-9A-Za-z]", "*", value[cut:])


def mac(value: str) -> str:
    """Show the first two characters."""
    return value[:2] + _ALNUM.sub("*", value[2:])
