"""Values that standards and vendors reserve for documentation and tests."""

from __future__ import annotations

import ipaddress
import re

from waivern.detection.expressions import expression
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
CARDS = frozenset(
    """
        4111111111111111 4012888888881881 4242424242424242 4222222222222 5555555555554444
        5105105105105100 378282246310005 371449635398431 30569309025904 38520000023237
        6011111111111117 6011000990139424 3530111333300000 3566002020360505 4000056655665556
        2223003122003222 5200828282828210 6011000400000000 4917300800000000 4484070000000000
        6759649826438453 122000000000003
    """.split()  # noqa: SIM905
)
IBANS = frozenset({"GB82WEST12345698765432", "DE89370400440532013000", "GB29NWBK60161331926819"})
PERSONS = frozenset(
    """
        JOHNDOE JANEDOE JOHNQPUBLIC JANEQPUBLIC JOEBLOGGS FREDBLOGGS MAXMUSTERMANN
        ERIKAMUSTERMANN MUSTERMANN DOEJOHN DOEJANE MUSTERMANNMAX MUSTERMANNERIKA
    """.split()  # noqa: SIM905
)
"""Names of no real person, as examples and forms have them."""
_ADDRESSES = expression(
    r"example|muster(?:stra|str\.|weg|stadt)|\b(?:your|my) street|anytown", re.IGNORECASE
)
_DOMAINS = ("example.com", "example.net", "example.org", "example.edu")
_BELOW = tuple(f".{domain}" for domain in _DOMAINS)
_FOURS = ("192.0.2.", "198.51.100.", "203.0.113.", "127.")
"""The beginnings of the addresses of `_NETWORKS` that are of version 4."""


def sample_email(value: str) -> bool:
    """Return whether the domain of an address is reserved for documentation or tests."""
    domain = value.rpartition("@")[2].lower()
    return (
        domain in _DOMAINS or domain.endswith(_BELOW) or domain.rpartition(".")[2] in TEST_DOMAINS
    )


def sample_ip(value: str) -> bool:
    """Return whether an IP address is reserved for documentation, or belongs to no one."""
    plain = value.partition("/")[0].partition("%")[0]
    if ":" not in plain:
        return plain.startswith(_FOURS) or plain == "0.0.0.0"  # noqa: S104 - not a socket
    address = ipaddress.ip_address(plain)
    return any(address in network for network in _NETWORKS)


def sample_phone(value: str) -> bool:
    """Return whether a number is reserved for drama.

    555-0100 to 555-0199 in North America; the ranges of Ofcom and Arcep.
    """
    digits = "".join(filter(str.isalnum, value))
    if digits[-7:-2] == "55501" and len(digits) in (7, 10, 11):
        return True
    national = digits.removeprefix("0044").removeprefix("44").removeprefix("0")
    return national.startswith(("2079460", "7700900", "1632960", "1144960", "1214960", "1314960"))


_SAMPLE_DIGITS = expression(
    r"5\D{0,2}5\D{0,2}5\D{0,2}0\D{0,2}1|4\D{0,2}6\D{0,2}0|9\D{0,2}6\D{0,2}0|0\D{0,2}9\D{0,2}0\D{0,2}0",
    re.ASCII,
)


def may_be_sample_phone(value: str) -> bool:
    """Return whether `sample_phone` has to be asked: a quick look, for most numbers."""
    return _SAMPLE_DIGITS.search(value) is not None


def sample_address(value: str) -> bool:
    """Return whether an address is that of a form or an example: `123 Example Street`."""
    return _ADDRESSES.search(value) is not None
