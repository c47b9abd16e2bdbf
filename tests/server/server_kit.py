"""A running `wct serve`, and requests to it over a socket."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from wct_process import Place

import waivern
from waivern import RunResult
from waivern.server.listening import listener, prepared
from waivern.server.server_options import ServerOptions
from waivern.store import LocalFilesystemStore
from waivern.store.base import RunStore

RUNBOOK = """
artifacts:
  first: {source: {type: python, properties: {call: "steps.py:value"}}}
  last:
    inputs: first
    process: {type: python, properties: {call: "steps.py:total"}}
    output: true
"""


@dataclass
class Answer:
    """A response that was received whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The fact that an error document states."""
        return str(self.json["error"]["message"])


@dataclass
class Reached:
    """A server that requests are sent to."""

    address: str
    token: str | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def host(self) -> str:
        return urlsplit(self.address).netloc

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Send a request; a body that is not bytes is sent as JSON."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token and "Authorization" not in named:
            named["Authorization"] = f"Bearer {self.token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            named.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection(self.host, timeout=20)
        try:
            connection.request(method, path, body, {**self.headers, **named})
            got = connection.getresponse()
            found = {name.lower(): value for name, value in got.getheaders()}
            return Answer(got.status, found, got.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        return self.request("POST", path, {} if body is None else body, **headers)

    def raw(self, data: bytes) -> bytes:
        """Send bytes, and return all that comes back until the server ends the connection."""
        with self.connected() as sock:
            sock.sendall(data)
            found = b""
            with suppress(ConnectionResetError):
                while piece := sock.recv(65536):
                    found += piece
            return found

    def connected(self) -> socket.socket:
        """Return a connection to the server."""
        host, _, port = self.host.partition(":")
        return socket.create_connection((host, int(port)), timeout=20)


@dataclass
class Served(Reached):
    """A `wct serve` that a test has started."""

    process: subprocess.Popen[str] = field(kw_only=True)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; return the exit code and what stderr has."""
        self.process.send_signal(number)
        _, messages = self.process.communicate(timeout=20)
        return self.process.returncode, messages


class Hosted(Reached):
    """A server in the process of the test, on a thread: it starts a hundred times faster."""

    def __init__(self, store: RunStore, port: int = 0, **options: Any) -> None:
        chosen = ServerOptions(user="the user", **options)
        listening = listener(chosen.host, port)
        addresses: SimpleQueue[str] = SimpleQueue()
        self._server = prepared(store, chosen, listening, addresses.put)
        self._thread = threading.Thread(target=self._server.run, args=([listening],))
        self._thread.start()
        token = chosen.tokens[0].secret if chosen.tokens else None
        super().__init__(addresses.get(timeout=20), token)

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.server_state.connections)

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        assert not self._thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


class EventStream:
    """An open stream of server-sent events."""

    def __init__(self, served: Reached, path: str, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection = http.client.HTTPConnection(served.host, timeout=20)
        self._connection.request("GET", path, headers={**served.headers, **named})
        self._response = self._connection.getresponse()
        self.status = self._response.status

    def __iter__(self) -> Iterator[Event]:
        """Yield the events until the server ends the stream."""
        found: dict[str, str] = {}
        for raw in self._response:
            line = raw.decode().rstrip("\n")
            if line:
                name, _, value = line.partition(": ")
                found[name] = value
            elif "data" in found:
                seq = int(found["id"]) if "id" in found else None
                yield Event(found["event"], seq, json.loads(found["data"]))
                found = {}

    def until(self, name: str) -> list[Event]:
        """Return the events up to the first one with this name."""
        found = []
        for event in self:
            found.append(event)
            if event.name == name:
                return found
        raise AssertionError(f"the stream ended without {name}: {found}")

    def close(self) -> None:
        self._response.close()
        self._connection.close()

    def __del__(self) -> None:
        self.close()


class Event(NamedTuple):
    """A server-sent event."""

    name: str
    seq: int | None
    data: Any


def start_server(place: Place, *options: str, token: str | None = None) -> Served:
    """Start `wct serve` in the folder of a test, and return when it listens."""
    if token:
        options = (*options, "--token-file", str(token_file(place.path, token)))
    process = place.start("serve", *options)
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address, process.communicate(timeout=10)[1]
    return Served(address, token, process=process)


def ran(place: Place, runbook: str, run_id: str, **options: Any) -> RunResult:
    """Execute a runbook in the process of the test."""
    options.setdefault("store", store_of(place))
    return waivern.run(place.path / runbook, run_id=run_id, **options)


def store_of(place: Place) -> LocalFilesystemStore:
    """Return the store of a folder."""
    return LocalFilesystemStore(place.path / ".waivern")


def awaited(look: Callable[[], Any], wanted: Any) -> None:
    deadline = time.monotonic() + 20
    while (seen := look()) != wanted:
        assert time.monotonic() < deadline, seen
        time.sleep(0.05)


def token_file(folder: Path, *lines: str) -> Path:
    path = folder / "tokens"
    path.touch(0o600)
    path.write_text("\n".join(lines) + "\n")
    return path
