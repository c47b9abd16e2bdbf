"""A connection of a client: it ends if the client is too slow, or if another user has opened it."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 15.0
"""How long a client may take for the head of a request."""
SEND_S = 30.0
"""How long a client may leave a full buffer of a response unread."""
TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_REFUSAL = b'{"error":{"status":403,"message":"another user opened this connection",'
_REFUSAL += b'"hint":"start `wct serve` with --token-file to serve other users"}}'


class ConnectionProtocol(H11Protocol):
    """A connection whose requests must arrive, and whose responses must be read, in time."""

    _timer: asyncio.TimerHandle | None = None
    _send_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            if self._timer is None:
                self._await_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._stop_send_timer()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Wait for the client to read; a stream would otherwise be retained for it for ever."""
        super().pause_writing()
        self._send_timer = self.loop.call_later(SEND_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_send_timer()
        super().resume_writing()

    def _await_head(self) -> None:
        self._timer = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None


class OwnUserProtocol(ConnectionProtocol):
    """A connection that only the user of the server, and root, may open.

    Without a token nothing else distinguishes the user's browser from programs of other users: an
    address of this computer is open to all of them.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        user = peer_user(transport.get_extra_info("socket"))
        if user not in (os.geteuid(), 0):
            head = f"HTTP/1.1 403 Forbidden\r\nContent-Length: {len(_REFUSAL)}\r\n"
            head += "Content-Type: application/json\r\nConnection: close\r\n\r\n"
            transport.write(head.encode() + _REFUSAL)
            transport.close()

    def data_received(self, data: bytes) -> None:
        if not self.transport.is_closing():
            super().data_received(data)


def can_name_users() -> bool:
    """Return whether the system reports who has opened a connection."""
    return sys.platform == "linux" and os.access(TABLES[0], os.R_OK)


def peer_user(sock: Any) -> int | None:
    """Return the id of the user whose process has opened a connection from this computer.

    None: it is not known, as after that process has closed it.
    """
    ours, theirs = _entry(sock.getsockname()), _entry(sock.getpeername())
    for table in TABLES:
        try:
            lines = table.read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            if not any(each in line for each in theirs):  # there may be thousands
                continue
            _, local, remote, _, _, _, _, user, _, inode, *_ = line.split()
            # a closed socket has no inode, and reports no user
            if local in theirs and remote in ours and inode != "0":
                return int(user)
    return None


def _entry(name: tuple[Any, ...]) -> set[str]:
    """Return an address and port in the forms in which the tables have it."""
    address = ipaddress.ip_address(str(name[0]).partition("%")[0])
    found = {_in_words(address.packed)}
    if isinstance(address, ipaddress.IPv4Address):
        found.add(_in_words(bytes(10) + b"\xff\xff" + address.packed))
    elif address.ipv4_mapped is not None:
        found.add(_in_words(address.ipv4_mapped.packed))
    return {f"{each}:{name[1]:04X}" for each in found}


def _in_words(packed: bytes) -> str:
    """Return bytes as the kernel prints them: words of 32 bits in its own byte order."""
    words = (packed[at : at + 4] for at in range(0, len(packed), 4))
    return "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words)
