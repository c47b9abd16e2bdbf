"""`wct run` and `wct serve` as two computers would have them: each a process, and a folder."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_kit import Served, awaited, start_server
from wct_process import Done, Place

from waivern import list_runs
from waivern.errors import RunLockedError
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore
from waivern.store.lock import this_process
from waivern.store.remote.remote_http import RemoteHttpStore

TOKEN = "the-token-of-these-tests"
RUNBOOK = """\
artifacts:
  first: {source: {type: python, properties: {call: "steps.py:value"}}}
  met:
    after: [first]
    source: {type: python, properties: {call: "steps.py:meet", args: {ready: ready, go: go}}}
  last:
    inputs: [first, met]
    process: {type: python, properties: {call: "steps.py:total"}}
"""
"""A run that waits in its middle for the test."""


class Client:
    """A folder with a runbook, and `wct` in it that uses the store of a server."""

    def __init__(self, folder: Path, url: str) -> None:
        folder.mkdir()
        self.place = Place(folder)
        self.url = url
        self.environ = {"WAIVERN_STORE": url, "WAIVERN_STORE_TOKEN": TOKEN}
        (folder / "r.yaml").write_text(RUNBOOK)
        for name in ("ready", "go"):
            os.mkfifo(folder / name)

    def wct(self, *args: str) -> Done:
        return self.place.wct(*args, **self.environ)

    def start(self, *args: str) -> int:
        """Start a run; return its process when it is in its middle."""
        self.process = self.place.start(*args, **self.environ)
        assert (self.place.path / "ready").read_text() == "here"
        return self.process.pid

    def let_go(self) -> None:
        (self.place.path / "go").write_text("go")

    def ended(self) -> Done:
        return self.place.ended(self.process)

    @property
    def store(self) -> RemoteHttpStore:
        return RemoteHttpStore(self.url, token=TOKEN)

    def status(self) -> str:
        (row,) = list_runs(store=self.store)
        return str(row.status)


@pytest.fixture
def server_place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "server").mkdir()
    found = Place(tmp_path / "server")
    yield found
    found.close()


@pytest.fixture
def served(server_place: Place) -> Served:
    return start_server(server_place, "--store", "store", token=TOKEN)


@pytest.fixture
def client(tmp_path: Path, served: Served) -> Iterator[Client]:
    found = Client(tmp_path / "client", served.address)
    yield found
    found.place.close()


@pytest.mark.sweep
def test_a_run_is_killed_and_resumed_elsewhere(
    client: Client, served: Served, server_place: Place, tmp_path: Path
) -> None:
    client.start("run", "r.yaml", "--run-id", "one")
    local = LocalFilesystemStore(server_place.path / "store")
    assert client.status() == list_runs(store=local)[0].status == "running"
    for store in (local, client.store):
        with pytest.raises(RunLockedError, match=f"process {client.process.pid} on"):
            store.lock("one", this_process())
    assert TOKEN not in Path(f"/proc/{client.process.pid}/cmdline").read_text()

    killed = time.monotonic()
    client.process.kill()
    client.ended()
    awaited(client.status, "interrupted")
    assert time.monotonic() - killed < 10, "the lock of a killed client stays for long"

    another = Client(tmp_path / "another", served.address)
    another.start("run", "r.yaml", "--resume", "one")
    another.let_go()
    done = another.ended()
    assert done.code == 0, done.err
    for store in (local, another.store):
        assert list_runs(store=store)[0].status == "completed"
        assert verify(store, "one").vouched
    for file in (server_place.path / "store").rglob("*"):
        assert not file.is_file() or TOKEN.encode() not in file.read_bytes()
    another.place.close()


@pytest.mark.sweep
def test_a_server_that_restarts_interrupts_a_run(
    client: Client, served: Served, server_place: Place
) -> None:
    client.start("run", "r.yaml", "--run-id", "one")
    port = served.address.rstrip("/").rpartition(":")[2]
    served.end(signal.SIGKILL)
    local = LocalFilesystemStore(server_place.path / "store")
    assert list_runs(store=local)[0].status == "interrupted"
    start_server(server_place, "--store", "store", "--port", port, token=TOKEN)
    client.let_go()
    done = client.ended()
    assert done.code == 74
    assert "has ended the client session of this process" in done.out
    client.start("run", "r.yaml", "--resume", "one")
    client.let_go()
    assert client.ended().code == 0
    assert verify(local, "one").vouched


@pytest.mark.sweep  # it waits for the end of a session
def test_a_client_that_was_stopped_writes_nothing_afterwards(
    client: Client, served: Served, server_place: Place, tmp_path: Path
) -> None:
    client.start("run", "r.yaml", "--run-id", "one")
    client.process.send_signal(signal.SIGSTOP)
    awaited(client.status, "interrupted")
    another = Client(tmp_path / "another", served.address)
    another.start("run", "r.yaml", "--resume", "one")
    another.let_go()
    assert another.ended().code == 0
    store = LocalFilesystemStore(server_place.path / "store")
    before = store.read_journal("one").lines
    client.process.send_signal(signal.SIGCONT)
    client.let_go()
    done = client.ended()
    assert done.code == 74
    assert store.read_journal("one").lines == before
    assert verify(store, "one").vouched
    another.place.close()


@pytest.mark.sweep
def test_workers_take_part(client: Client) -> None:
    client.place.runbook(
        "w.yaml",
        "  a: {source: {type: python, properties: {call: 'steps.py:value', computes: true}}}\n"
        "  b: {inputs: a, process: {type: python, properties: {call: 'steps.py:total', "
        "computes: true}}}\n",
    )
    done = client.wct("run", "w.yaml", "--run-id", "w", "--executor", "processes")
    assert done.code == 0, done.err
    assert verify(client.store, "w").vouched


GATED = """\
  first: {source: {type: python, properties: {call: "steps.py:value"}}}
  met: {source: {type: python, properties: {call: "steps.py:meet", args: {ready: ready, go: go}}}}
  ask:
    gate: {question: "Is it right?", show: [first, met]}
  last:
    inputs: first
    after: ask
    process: {type: python, properties: {call: "steps.py:total"}}
"""


@pytest.mark.sweep
def test_a_run_is_killed_resumed_elsewhere_and_approved_on_the_server(
    client: Client, served: Served, server_place: Place, tmp_path: Path
) -> None:
    another = Client(tmp_path / "another", served.address)
    for place in (client.place, another.place):
        place.runbook("g.yaml", GATED)
    client.start("run", "g.yaml", "--run-id", "one")
    client.process.kill()
    client.ended()
    awaited(client.status, "interrupted")
    another.start("run", "g.yaml", "--resume", "one")
    another.let_go()
    assert another.ended().code == 7

    path = "/api/v1/runs/one"
    (asked,) = served.get(path).json["decisions"]["ask"]
    shown = asked["shown"]
    assert list(shown) == ["first", "met"]
    answer = served.post(f"{path}/decisions", {"gate": "ask", "approved": True, "shown": shown})
    assert answer.status == 202, answer.body
    awaited(client.status, "completed")
    assert verify(LocalFilesystemStore(server_place.path / "store"), "one").vouched
    assert [each["by"] for each in served.get(path).json["decisions"]["ask"][1:]]
    another.place.close()
