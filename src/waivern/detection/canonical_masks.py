"""Canonical masks: the coarse forms of values that the identity of a finding has in it.

A canonical mask depends on the value's type alone and does not change with what is shown of a
value. Each type has few of them, so that a text of any size has few findings.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from waivern.detection.expressions import expression
from waivern.detection.numbering import CALLING_CODES, IBAN_SHAPES
from waivern.detection.validators import card_issuer

CanonicalMask = Callable[[str], str]
_FOUR = expression(r"(\d{1,3})\.(\d{1,3})\.\d{1,3}\.\d{1,3}(?![.\d])", re.ASCII)
# Not `is_private`, whose networks depend on the release of Python: identities must not.
_PRIVATE = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "169.254.0.0/16",
            "127.0.0.0/8",
            "fc00::/7",
            "fe80::/10",
            "::1/128",
        ),
    )
)


def type_alone(value: str) -> str:  # noqa: ARG001 - nothing of the value
    """Return the mask that all values of a type share."""
    return ""


def email(value: str) -> str:
    """Return the country of the domain, or 'generic' for a domain of no country."""
    top = value.rpartition(".")[2].lower()
    return top if len(top) == 2 and top.isascii() and top.isalpha() else "generic"


def phone(value: str) -> str:
    """Return the calling code, or 'national' for a number without one."""
    digits = "".join(filter(str.isdigit, value))
    if not value.lstrip("(").startswith("+"):
        if not digits.startswith("00"):
            return "national"
        digits = digits[2:]
    code = next((digits[:n] for n in (1, 2, 3) if digits[:n] in CALLING_CODES), None)
    return "national" if code is None else f"+{code}"


def iban(value: str) -> str:
    """Return the country."""
    country = value[:2].upper()
    return country if country in IBAN_SHAPES else ""


def card(value: str) -> str:
    """Return the payment network."""
    return card_issuer("".join(filter(str.isdigit, value))) or ""


def _private_four(value: str) -> bool | None:
    """Return whether an IPv4 address is of a network of `_PRIVATE`; None if it is none."""
    four = _FOUR.match(value)
    if four is None:
        return None
    first, second = int(four[1]), int(four[2])
    if first == 172:
        return 16 <= second <= 31
    return first in (10, 127) or (first, second) in ((192, 168), (169, 254))


def ip(value: str) -> str:
    """Return the version, and 'private' for an address that no public network has."""
    if (private := _private_four(value)) is not None:
        return "v4 private" if private else "v4"
    try:
        address = ipaddress.ip_address(value.partition("/")[0].partition("%")[0])
    except ValueError:
        return ""
    private = any(address in network for network in _PRIVATE)
    return f"v{address.version} private" if private else f"v{address.version}"
