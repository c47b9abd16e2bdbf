"""The options of a server."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple


class AccessToken(NamedTuple):
    """A secret that allows its holder to use the server."""

    secret: str
    name: str | None = None
    """The holder, as the access log and decisions record them; None: the user of the server."""


class ServerOptions(NamedTuple):
    """The options of a server, as `wct serve` has them."""

    host: str = "127.0.0.1"
    """The address that it listens on."""
    tokens: tuple[AccessToken, ...] = ()
    """What a request must present one of; without any, all requests are served."""
    read_only: bool = False
    """Whether requests that change something are refused."""
    runbooks: str | None = None
    """The folder of the runbooks that may be started; None: none may."""
    names: tuple[str, ...] = ()
    """Further names of the server that a request may be addressed to."""
    trust_store: bool = False
    """Whether the store is used even if other users can write to it."""
    user: str = ""
    """The user who runs the server."""

    @property
    def is_local(self) -> bool:
        """Whether only programs on this computer can reach the server."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Return whether a name or address is this computer's own, which no other one can reach."""
    if host == "localhost":
        return True
    address = ip_address(host)
    return address is not None and address.is_loopback


def ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return a text as an address; None if it is a name."""
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
