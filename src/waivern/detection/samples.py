"""Values that standards and vendors set apart for documentation and tests."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

from waivern.detection.numbering import TEST_DOMAINS

_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        (
            "192.0.2.0/24",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "2001:db8::/32",
            "3fff::/20",
            "127.0.0.0/8",
            "0.0.0.0/32",
            "::1/128",
        ),
    )
)
_CARDS = frozenset(
    """
        4111111111111111 4012888888881881 4242424242424242 4222222222222 5555555555554444
        5105105105105100 378282246310005 371449635398431 30569309025904 38520000023237
        6011111111111117 6011000990139424 3530111333300000 3566002020360505 4000056655665556
        2223003122003222 5200828282828210 6011000400000000 4917300800000000 4484070000000000
        6759649826438453 122000000000003
    """.split()  # noqa: SIM905
)
_SSNS = frozenset({"078051120", "219099999"})
_IBANS = frozenset({"GB82WEST12345698765432", "DE89370400440532013000", "GB29NWBK60161331926819"})
_DOMAINS = ("example.com", "example.net", "example.org", "example.edu")


@lru_cache(maxsize=4096)
def is_sample(kind: str, value: str) -> bool:
    """Say whether `value` is reserved for documentation or tests, or is no one's (loopback)."""
    plain = "".join(c for c in value if c.isalnum())
    if kind == "EMAIL_ADDRESS":
        domain = value.rpartition("@")[2].lower()
        within = any(domain == d or domain.endswith("." + d) for d in _DOMAINS)
        return within or domain.rpartition(".")[2] in TEST_DOMAINS
    if kind == "IP_ADDRESS":
        address = ipaddress.ip_address(value.partition("/")[0].partition("%")[0])
        return any(address in network for network in _NETWORKS)
    if kind == "PHONE_NUMBER":
        return _fictional_phone(plain)
    known = {"CREDIT_CARD": _CARDS, "US_SSN": _SSNS, "IBAN_CODE": _IBANS}.get(kind, frozenset())
    return plain.upper() in known


def _fictional_phone(digits: str) -> bool:
    """555-0100 to 555-0199 in North America; Ofcom's and Arcep's ranges for drama."""
    if digits[-7:-2] == "55501" and len(digits) in (7, 10, 11):
        return True
    national = digits.removeprefix("0044").removeprefix("44").removeprefix("0")
    return national.startswith(("2079460", "7700900", "1632960", "1144960", "1214960", "1314960"))
