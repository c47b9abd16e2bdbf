"""A private channel between two processes: JSON documents over a socket.

The documents are JSON and nothing else: what a worker sends is data and can execute nothing here.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import suppress
from json import JSONDecoder, JSONEncoder
from typing import Any, TypeAlias

Document: TypeAlias = dict[str, Any]

_MARK = b"wct\n"
_HEADER = struct.Struct("!4sI")
"""The mark and the length of a document. What a component writes to the descriptor has no mark, so
that it is found at once, and not taken for the beginning of a document whose rest never comes."""
_encoded = JSONEncoder(separators=(",", ":")).encode
_decoded = JSONDecoder().decode
LARGEST = 256 << 20
"""Bytes of a document. A larger one is not a document, but what a component wrote there."""
CHUNK = 1 << 16


class GarbageError(Exception):
    """Bytes were received that are no document."""


class UnreadError(EOFError):
    """The other process is gone, and has not read what was sent to it last."""


class Channel:
    """One end of a channel. Any thread may send; one thread receives."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._received = bytearray()

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, document: Document) -> None:
        """Send a document. Raises OSError if the other process is gone."""
        data = _encoded(document).encode()
        with self._sending:
            self._socket.sendall(_HEADER.pack(_MARK, len(data)) + data)

    def receive(self) -> Document:
        """Wait for the next document, and read nothing of the one after it.

        That one is then found unread if this process ends. Raises EOFError if the other process is
        gone, GarbageError if it sent something else.
        """
        while (document := self._complete()) is None:
            self._read(self._missing())
        return document

    def arrived(self) -> list[Document]:
        """Read once what has arrived, and return the documents that are complete by now.

        Waits if nothing has arrived. Raises the errors of `receive`, UnreadError (on Linux) if the
        other process has ended with something unread.
        """
        self._read()
        found = []
        while (document := self._complete()) is not None:
            found.append(document)
        return found

    def hang_up(self) -> None:
        """Receive only what has arrived by now, and let the other process find the end."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._socket.close()

    def _missing(self) -> int:
        """Return how many bytes the next document needs, as far as its header says."""
        size = _HEADER.size
        if len(self._received) >= size:
            size += _HEADER.unpack_from(self._received)[1]
        return size - len(self._received)

    def _read(self, most: int = CHUNK) -> None:
        try:
            data = self._socket.recv(min(most, LARGEST))
        except ConnectionError:
            raise UnreadError from None
        if not data:
            raise EOFError
        self._received += data

    def _complete(self) -> Document | None:
        """Take the next document out of what was received; None if it is not complete."""
        buffer = self._received
        if not _MARK.startswith(bytes(buffer[: len(_MARK)])):
            raise GarbageError
        if len(buffer) < _HEADER.size:
            return None
        _, length = _HEADER.unpack_from(buffer)
        if length > LARGEST:
            raise GarbageError
        end = _HEADER.size + length
        if len(buffer) < end:
            return None
        data = bytes(buffer[_HEADER.size : end])
        del buffer[:end]
        try:
            document = _decoded(data.decode())
        except (ValueError, RecursionError):
            raise GarbageError from None
        if not isinstance(document, dict):
            raise GarbageError
        return document
