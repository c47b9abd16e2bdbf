"""A store in PostgreSQL: what is particular to one, beside the conformance suite."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from postgres_kit import PASSWORD, Server
from store_life import SCAN, lives, repeats

from waivern.errors import IntegrityError, RefusedError, RunLockedError, StoreError, UsageError
from waivern.runs.verify import verify
from waivern.store.opening import open_store
from waivern.store.sql import database, postgres_locks
from waivern.store.sql.postgres_store import PostgresStore
from waivern.testing.store_helpers import OWNER, begin, message, records

WCT = str(Path(sys.executable).with_name("wct"))


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    opened = PostgresStore(url)
    yield opened
    close(opened)


@pytest.fixture
def other(url: str) -> Iterator[PostgresStore]:
    """The same store, as another process has it."""
    opened = PostgresStore(url)
    yield opened
    close(opened)


def close(store: PostgresStore) -> None:
    anyio.run(store.aclose)


def saved(store: PostgresStore, key: str = "a", text: str = "text") -> None:
    anyio.run(store.save, "r", key, message(text))


def schema_of(url: str) -> str:
    return url.rpartition("=")[2]


def cut(server: Server) -> None:
    """End all sessions, as a network does that fails."""
    server.psql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'waivern'"
    )


# whole runs


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_run_and_its_cached_repetition(
    store: PostgresStore, tmp_path: Path, executor: str
) -> None:
    repeats(tmp_path, store, executor)


def test_the_life_of_a_store(url: str, tmp_path: Path) -> None:
    lives(tmp_path, url)


def test_what_is_in_it_can_be_looked_up_by_hand(
    store: PostgresStore, url: str, server: Server
) -> None:
    saved(store, text="ä read me" * 50_000)
    schema = schema_of(url)
    assert "runs/r/a.json" in server.psql(f"SELECT path FROM {schema}.paths").splitlines()
    text = server.psql(f"SELECT text FROM {schema}.texts WHERE path = 'runs/r/a.json'")
    assert text.count("ä read me") == 50_000


# the schema


def test_opening_and_reading_create_nothing(store: PostgresStore, url: str, server: Server) -> None:
    assert store.runs() == []
    schema = schema_of(url)
    assert server.psql(f"SELECT count(*) FROM pg_namespace WHERE nspname = '{schema}'") == "0"


def test_two_schemas_are_two_stores(store: PostgresStore, url: str) -> None:
    second = PostgresStore(f"{url}_b")
    begin(store, "r").release()
    lease = begin(second, "r")
    store.lock("r", OWNER).release()  # locks belong to a whole database
    lease.release()
    close(second)


def test_a_store_of_a_later_version_is_refused(
    store: PostgresStore, other: PostgresStore, url: str, server: Server
) -> None:
    saved(store)
    server.psql(f"UPDATE {schema_of(url)}.store SET version = 2")
    with pytest.raises(RefusedError, match="newer version of waivern"):
        other.runs()


# locks and fences


HOLDER = """
import os, sys
from waivern.store.lock import this_process
from waivern.store.sql.postgres_store import PostgresStore
from waivern.testing.store_helpers import initial_state
store = PostgresStore(sys.argv[1])
lease = store.begin("r", initial_state(), this_process())
child = os.fork() if sys.argv[2] == "fork" else 1
if child:
    print(child, flush=True)
for line in sys.stdin:
    try:
        lease.append([{"type": line.strip()}], sync=True)
        print("written", flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
"""


@pytest.fixture
def holder(url: str) -> Iterator[Callable[[str], tuple[subprocess.Popen[str], int]]]:
    """Start a process that holds run `r`, and return it and its child."""
    started: list[subprocess.Popen[str]] = []

    def start(child: str) -> tuple[subprocess.Popen[str], int]:
        command = [sys.executable, "-c", HOLDER, url, child]
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        started.append(process)
        assert process.stdout
        return process, int(process.stdout.readline())

    yield start
    for process in started:
        process.kill()
        process.communicate()


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("child", ["none", "fork"])
def test_the_lock_dies_with_its_process(
    store: PostgresStore, holder: Callable[[str], tuple[subprocess.Popen[str], int]], child: str
) -> None:
    process, left = holder(child)
    owner = store.owner("r")
    assert owner is not None
    assert owner.pid == process.pid
    with pytest.raises(RunLockedError, match=f"process {process.pid}"):
        store.lock("r", OWNER)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert within(2, lambda: store.owner("r") is None)
    store.lock("r", OWNER).release()
    if child == "fork":
        os.kill(left, signal.SIGKILL)


def test_a_holder_that_lost_its_connection_is_fenced(
    store: PostgresStore, other: PostgresStore, server: Server
) -> None:
    first = begin(store, "r")
    first.append([{"type": "first"}], sync=True)
    receipt = store.stage("r", "late", message("late"))
    cut(server)
    second = other.lock("r", OWNER)
    second.append([{"type": "second"}], sync=True)
    writes: list[Callable[[], None]] = [
        lambda: first.publish([receipt]),
        lambda: first.project({}, {}, sync=True),
        lambda: first.unpublish(["a"]),
        lambda: first.append([{"type": "late"}], sync=True),
    ]
    for write in writes:
        with pytest.raises((IntegrityError, StoreError)):
            write()
    second.append([{"type": "third"}], sync=True)
    assert [each["type"] for each in records(other)] == ["born", "first", "second", "third"]
    assert anyio.run(other.list_keys, "r") == []
    second.release()
    first.release()
    assert verify_lock_is_free(other)


def verify_lock_is_free(store: PostgresStore) -> bool:
    return store.owner("r") is None


def test_a_holder_that_nobody_replaced_takes_its_lock_again(
    store: PostgresStore,
    other: PostgresStore,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(postgres_locks, "PING_S", 0)
    lease = begin(store, "r")
    cut(server)
    lease.append([{"type": "after"}], sync=True)
    with pytest.raises(RunLockedError):
        other.lock("r", OWNER)
    lease.release()
    other.lock("r", OWNER).release()


def test_a_write_of_an_earlier_holder_is_refused_where_it_is_written(
    store: PostgresStore, url: str, server: Server
) -> None:
    """Whatever the holder believes: its own look at the lock may be long ago."""
    lease = begin(store, "r")
    events = lease._events  # type: ignore[attr-defined]
    server.psql(f"UPDATE {schema_of(url)}.files SET fence = fence + 1 WHERE name = 'lock'")
    size = events.stat().st_size
    with pytest.raises(IntegrityError, match="another process holds its lock"):
        events.write(b"late")
    assert events.stat().st_size == size
    lease.release()


def test_the_next_holder_waits_for_a_write_that_has_passed_the_fence(
    store: PostgresStore, other: PostgresStore, server: Server
) -> None:
    """A transaction that has compared the fence is before the next holder, or not at all."""
    lease = begin(store, "r")
    events = lease._events  # type: ignore[attr-defined]
    with events.database.transaction() as transaction:
        transaction.check(events.fence)
        server.psql(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        )
        taken: list[object] = []
        import threading

        thread = threading.Thread(target=lambda: taken.append(other.lock("r", OWNER)))
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        events.write(b"")
    thread.join(10)
    assert len(taken) == 1
    taken[0].release()  # type: ignore[attr-defined]
    lease.release()


def test_a_stopped_holder_comes_back_too_late(
    store: PostgresStore,
    holder: Callable[[str], tuple[subprocess.Popen[str], int]],
    server: Server,
) -> None:
    process, _ = holder("none")
    process.send_signal(signal.SIGSTOP)
    cut(server)  # what the server does when it hears nothing from a machine
    assert within(2, lambda: store.owner("r") is None)
    lease = store.lock("r", OWNER)
    lease.append([{"type": "second"}], sync=True)
    process.send_signal(signal.SIGCONT)
    assert process.stdin
    assert process.stdout
    process.stdin.write("late\n")
    process.stdin.flush()
    answer = process.stdout.readline()
    assert answer.startswith(("IntegrityError", "StoreError")), answer
    assert [each["type"] for each in records(store)] == ["born", "second"]
    lease.release()


# a server that is away


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["restart", "crash"])
def test_what_was_durable_survives_the_server(
    store: PostgresStore, server: Server, how: signal.Signals
) -> None:
    lease = begin(store, "r")
    lease.append([{"type": "durable"}], sync=True)
    server.stop(how)
    server.start()
    assert [each["type"] for each in records(store)] == ["born", "durable"]
    lease.append([{"type": "after"}], sync=True)  # the connections are new
    lease.release()
    assert [each["type"] for each in records(store)] == ["born", "durable", "after"]


def test_a_server_that_stays_away_is_named(
    store: PostgresStore, url: str, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_S", 0.3)
    saved(store)
    server.stop()
    try:
        with pytest.raises(StoreError, match="PostgreSQL") as caught:
            saved(store)
        assert "check that the server runs" in str(caught.value.hint)
        began = time.monotonic()
        with pytest.raises(StoreError, match="PostgreSQL"):
            PostgresStore(url).runs()
        assert time.monotonic() - began < 5
    finally:
        server.start()


def test_a_run_that_the_server_left_can_be_resumed(
    url: str, server: Server, tmp_path: Path
) -> None:
    book = tmp_path / "slow.yaml"
    book.write_text(
        "name: slow\nartifacts:\n"
        "  a: {source: {type: command, properties: {argv: [echo, '1']}}}\n"
        "  b:\n    inputs: a\n"
        "    process: {type: command, properties: {argv: [sh, -c, 'sleep 2; echo 2']}}\n"
    )
    command = [WCT, "run", str(book), "--run-id", "slow", "--store", url, "-q"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        store = PostgresStore(url)
        assert within(20, lambda: "a" in anyio.run(store.list_keys, "slow"))
        server.stop(signal.SIGQUIT)
        server.start()
        code = process.wait()
    assert code in (0, 9, 74), code
    resume = [WCT, "run", str(book), "--resume", "slow", "--store", url, "-q"]
    assert subprocess.run(resume, check=False, cwd=tmp_path).returncode == 0
    assert verify(store, "slow").faults == ()
    close(store)


# passwords


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://owner:hunter2@host/db",
        "postgresql://host/db?password=hunter2",
        "postgresql://host/db?sslpassword=hunter2",
    ],
)
def test_a_password_in_the_url_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_store(url)
    assert "hunter2" not in f"{caught.value}{caught.value.hint}"
    assert "${VARIABLE}" in str(caught.value.hint)


@pytest.mark.parametrize("way", ["variable", "PGPASSWORD", "PGPASSFILE"])
def test_ways_to_give_a_password(
    server: Server, url: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = "owner"
    if way == "variable":
        monkeypatch.setenv("DB_PASSWORD", PASSWORD)
        account = "owner:${DB_PASSWORD}"
    elif way == "PGPASSWORD":
        monkeypatch.setenv("PGPASSWORD", PASSWORD)
    else:
        file = tmp_path / "pgpass"
        file.write_text(f"127.0.0.1:{server.port}:*:owner:{PASSWORD}\n")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
    (tmp_path / "mail").mkdir()
    (tmp_path / "mail" / "a.txt").write_text("ann@example.com\n")
    (tmp_path / "scan.yaml").write_text(SCAN)
    tcp = server.tcp_url(schema_of(url), account)
    words = ["run", "scan.yaml", "--run-id", "r", "--store", tcp, "--executor", "processes"]
    done = subprocess.run([WCT, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert PASSWORD not in done.stdout + done.stderr
    everything = server.psql(f"SELECT text FROM {schema_of(url)}.texts")
    assert "scan" in everything
    assert PASSWORD not in everything


@pytest.mark.parametrize("given", [None, "wrong-horse"])
def test_a_password_that_is_wrong_or_missing(
    server: Server, url: str, given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    if given:
        monkeypatch.setenv("DB_PASSWORD", given)
    account = "owner:${DB_PASSWORD}" if given else "owner"
    store = PostgresStore(server.tcp_url(schema_of(url), account))
    with pytest.raises(StoreError, match="the database refuses") as caught:
        store.runs()
    assert "wrong-horse" not in f"{caught.value}"
    assert "PGPASSWORD" in str(caught.value.hint)


def test_a_variable_that_is_not_set(server: Server, url: str) -> None:
    store = PostgresStore(server.tcp_url(schema_of(url), "owner:${NOT_SET}"))
    with pytest.raises(UsageError, match="the variable NOT_SET is not set"):
        store.runs()


# forks


def test_a_forked_child_has_connections_of_its_own(store: PostgresStore) -> None:
    lease = begin(store, "held")
    saved(store, "before")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            saved(store, "child")
            code = 0
        finally:
            os._exit(code)
    saved(store, "parent")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert anyio.run(store.list_keys, "r") == ["before", "child", "parent"]
    lease.append([{"type": "after"}], sync=True)
    assert store.owner("held") is not None
    lease.release()
