"""The client's side of a session: numbered requests, repeated until they are answered.

A request has a number, so that the server executes it once however often it is sent. A thread keeps
the session alive while something is open. After the session has ended, whatever it had open is
refused here as on the server; nothing opens it again, because another process may hold the run now.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import ref

from waivern.errors import RefusedError, StoreError, UsageError
from waivern.message import Json
from waivern.store.remote.connection import Answer, AwayError, ServerConnection
from waivern.store.remote.frames import (
    FORM,
    MOST_OPERATIONS,
    PREFIX,
    Frame,
    FrameError,
    error_of,
    unpacked,
)
from waivern.store.remote.operation_groups import FailedRequestError, Request

FIRST_CONTACT_S = 3.0
"""How long a server that was never reached is tried."""
SPARE_S = 5.0
"""How much longer than the server waits for its client the client tries to reach the server."""
PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
IDLE_S = 0.1
"""How often the thread of a session looks whether something is open."""
BUSY = (429, 502, 503, 504)
"""The statuses of a server, or a proxy before it, that is worth another attempt."""


class ClientSession:
    """The open files and locks of this process on a server. Thread-safe."""

    def __init__(self, connection: ServerConnection) -> None:
        self._connection = connection
        self._process = os.getpid()
        self._numbers = itertools.count(1)
        self._handles = itertools.count(1)
        self._mutex = threading.Lock()
        self._open_requests: set[int] = set()
        self._closing: deque[int] = deque()
        self._open = 0
        self._away: float | None = None
        """The time since which signs of life fail."""
        self._over: str | None = None
        """Why the session has ended."""
        self._patience = FIRST_CONTACT_S
        self._contact = time.monotonic()
        document = self._opened()
        self._path = f"{PREFIX}/sessions/{document['session']}"
        self._patience = float(document["ttl"]) + SPARE_S
        keeper = threading.Thread(
            target=_keep_alive, args=(ref(self),), name="waivern-session", daemon=True
        )
        keeper.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing that was opened in it can be used any more."""
        # not by a hook of fork: others, which close files in the child, may come before it
        return self._over is not None or os.getpid() != self._process

    @property
    def in_use(self) -> bool:
        """Whether something is open."""
        return self._open > 0

    def close(self) -> None:
        """End the session on the server, which then forgets it."""
        if not self.is_over:
            self._over = "the session was closed"
            try:
                self._connection.send("DELETE", self._path)
            except AwayError:
                return  # the server ends it when it hears no more of it

    # handles

    def new_handle(self) -> int:
        """Return a number for a file or folder that is to be opened."""
        return next(self._handles)

    def count(self, change: int) -> None:
        """Count the files and folders that are open."""
        with self._mutex:
            self._open += change

    def close_later(self, handle: int) -> None:
        """Close a handle with the next request."""
        self._closing.append(handle)

    # requests

    def send(self, requests: Sequence[Request]) -> list[Any]:
        """Send requests in one frame; return their results. Raises FailedRequestError, OSError."""
        self._check()
        blobs: list[bytes] = []
        operations: list[Json] = []
        for request in requests:
            document = request.document
            if request.data is not None:
                document = {**document, "data": len(blobs)}
                blobs.append(request.data)
            operations.append(document)
        closed = self._closed()
        operations += [{"do": "close", "on": handle} for handle in closed]
        try:
            found = self._answered(operations, blobs)
        except OSError:
            self._closing.extend(closed)
            raise
        results = _results(found)
        if (failure := found.head.get("error")) is not None:
            self._closing.extend(closed)
            raise FailedRequestError(len(results), error_of(failure))
        return results[: len(requests)]

    def _closed(self) -> list[int]:
        found: list[int] = []
        while self._closing and len(found) < MOST_OPERATIONS // 4:
            found.append(self._closing.popleft())
        return found

    def _check(self) -> None:
        if self.is_over:
            raise OSError(errno.ESTALE, self._over or "it was opened by the parent of this process")

    def _answered(self, operations: list[Json], blobs: Sequence[bytes]) -> Frame:
        """Send operations under a number until they are answered."""
        with self._mutex:
            number = next(self._numbers)
            self._open_requests.add(number)
            received = min(self._open_requests) - 1
        head: dict[str, Json] = {"number": number, "received": received, "operations": operations}
        try:
            answer = self._until_answered("POST", self._path, Frame(head, blobs).packed())
        finally:
            with self._mutex:
                self._open_requests.discard(number)
        if answer.status == 410:
            self._over = (
                f"{self._connection.url} has ended the client session of this process: "
                "it was restarted, or could not be reached for too long"
            )
            self._check()
        _refuse(answer)
        try:
            return unpacked(answer.body)
        except FrameError as error:
            raise OSError(errno.EIO, f"the server sent no frame: {error}") from error

    def _until_answered(self, method: str, path: str, body: bytes) -> Answer:
        """Repeat a request until it is answered. Raises OSError if the server stays away."""
        began, pause = time.monotonic(), PAUSE_S
        while True:
            try:
                answer = self._connection.send(method, path, body)
            except AwayError as error:
                reason = str(error)
            else:
                if answer.status == 202:  # it works on it
                    self._contact, pause = time.monotonic(), PAUSE_S
                    continue
                if answer.status not in BUSY:
                    self._contact = time.monotonic()
                    return answer
                reason = answer.message or f"status {answer.status}"
            away = time.monotonic() - max(began, self._contact)
            if away > self._patience or self.is_over:
                self._give_up(reason)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _give_up(self, reason: str) -> None:
        """End the session on this side: whatever it held is lost, and each later call says so."""
        text = f"{self._connection.url} does not answer ({reason})"
        self._over = self._over or text
        raise OSError(errno.EHOSTUNREACH, text)

    def _opened(self) -> dict[str, Any]:
        """Open the session. Raises StoreError, RefusedError, UsageError."""
        url = self._connection.url
        try:
            answer = self._until_answered(
                "POST", f"{PREFIX}/sessions", Frame({"form": FORM}).packed()
            )
        except OSError as error:
            raise StoreError(
                f"the store cannot be reached: {error.strerror}",
                hint="check the address, and that `wct serve` runs there",
            ) from error
        if answer.status == 201:
            try:
                document = json.loads(answer.body)
                if isinstance(document["session"], str) and document["ttl"] > 0:
                    return dict(document)
            except (ValueError, KeyError, TypeError):
                pass
        raise _refusal(url, answer)

    # the thread of a session

    def stay(self) -> bool:
        """Keep the session alive for some seconds; return whether it is."""
        try:
            answer = self._connection.send("POST", f"{self._path}/alive")
        except AwayError as error:
            return self._stay_away(str(error))
        self._away = None
        if answer.status != 204:
            time.sleep(LONGEST_PAUSE_S)
        self._contact = time.monotonic()
        return answer.status != 410

    def _stay_away(self, reason: str) -> bool:
        """Wait before the next sign of life; the server has ended the session after a time."""
        now = time.monotonic()
        self._away = self._away or now
        if now - self._away > self._patience:
            self._over = self._over or f"{self._connection.url} does not answer ({reason})"
        time.sleep(min(LONGEST_PAUSE_S, PAUSE_S + (now - self._away) / 4))
        return not self.is_over


def _keep_alive(session: ref[ClientSession]) -> None:
    """Keep a session alive while something is open, until it has ended or no store uses it."""
    while True:
        time.sleep(IDLE_S)
        while (found := session()) is not None and found.in_use and not found.is_over:
            if not found.stay():
                return
        if found is None or found.is_over:
            return
        del found


def _results(frame: Frame) -> list[Any]:
    """Return the results in a frame. Raises OSError."""
    try:
        return [
            frame.blobs[each["blob"]] if "blob" in each else each["value"]
            for each in frame.head["results"]
        ]
    except (KeyError, TypeError, IndexError) as error:
        raise OSError(errno.EIO, "the server sent no results") from error


def _refuse(answer: Answer) -> None:
    """Raise OSError for an answer that has no results."""
    if answer.status != 200:
        number = errno.EACCES if answer.status in (401, 403) else errno.EIO
        why = answer.message or f"status {answer.status}"
        raise OSError(number, f"the server refuses the request: {why}")


def _refusal(url: str, answer: Answer) -> Exception:
    """Return the error for a server that opens no session."""
    if answer.status == 401:
        return RefusedError(
            f"{url} does not accept the token",
            hint="set WAIVERN_STORE_TOKEN, or WAIVERN_STORE_TOKEN_FILE, to the token of the server",
        )
    if answer.location is not None:
        return RefusedError(
            f"{url} redirects to another address; the token is not sent there",
            hint="use the address of the server itself",
        )
    if answer.message:
        return RefusedError(f"{url} refuses: {answer.message}")
    return UsageError(
        f"{url} is not a server of runs (status {answer.status})",
        hint="use the address that `wct serve` prints",
    )
