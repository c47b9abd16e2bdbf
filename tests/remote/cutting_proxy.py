"""A proxy between a client and a server that cuts, loses and delays what a test chooses."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from typing import Literal

CHUNK = 65536
Fault = Literal["fail", "lose"]
"""`fail`: the request does not arrive; `lose`: it is executed, and its response does not arrive."""


class CuttingProxy:
    """A proxy on this computer, for one server."""

    def __init__(self, address: str) -> None:
        self._target = ("127.0.0.1", int(address.rpartition(":")[2]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.faults: dict[int, Fault] = {}
        """The fault of each request that has one, by its number from 1; signs of life have none."""
        self.cut_at: int | None = None
        """The number of bytes from the client after which its connection is cut, once."""
        self.delay = 0.0
        """The seconds by which each response is late."""
        self.is_open = True
        """Whether connections are accepted, and those that exist are carried."""
        self.requests = 0
        self.received = 0
        """Bytes from the client."""
        self._mutex = threading.Lock()
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def block(self) -> None:
        """Cut every connection, and accept none until `is_open` is set."""
        self.is_open = False
        for each in list(self._sockets):
            _cut(each)

    def close(self) -> None:
        self.block()
        _cut(self._listening)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            if not self.is_open:
                _cut(client)
                continue
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._target)
        except OSError:
            _cut(client)
            return
        for each in (client, server):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets.append(each)
        lost = threading.Event()
        threading.Thread(target=self._back, args=(server, client, lost), daemon=True).start()
        with suppress(OSError):
            while data := client.recv(CHUNK):
                fault = self._fault(data)
                if self._is_cut(len(data)) or fault == "fail":
                    break
                if fault == "lose":
                    lost.set()
                server.sendall(data)
        if not lost.is_set():
            _cut(client)
            _cut(server)

    def _back(self, server: socket.socket, client: socket.socket, lost: threading.Event) -> None:
        with suppress(OSError):
            while data := server.recv(CHUNK):
                if lost.is_set():
                    break
                time.sleep(self.delay)
                client.sendall(data)
        _cut(client)
        _cut(server)

    def _fault(self, data: bytes) -> Fault | None:
        begins = data.startswith((b"POST ", b"DELETE "))
        if not begins or b"/alive HTTP" in data[:200]:
            return None
        with self._mutex:
            self.requests += 1
            return self.faults.get(self.requests)

    def _is_cut(self, count: int) -> bool:
        with self._mutex:
            self.received += count
            cut = self.cut_at is not None and self.received > self.cut_at
            if cut:
                self.cut_at = None
            return cut


def _cut(each: socket.socket) -> None:
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)
    each.close()
