"""A store in a SQLite database: what is particular to one, beside the conformance suite."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest
from store_life import holds, lives, repeats

from waivern.errors import (
    IntegrityError,
    RefusedError,
    RunLockedError,
    RunNotFoundError,
    StoreError,
    UsageError,
)
from waivern.runs.locate import find_project, locate, located
from waivern.store.opening import open_store
from waivern.store.sql import database
from waivern.store.sql.sqlite_store import SqliteStore
from waivern.testing.store_helpers import OWNER, begin, message

CANARY = "anna@example.org"
STRANGER = 12345


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "runs.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    opened = SqliteStore(path)
    yield opened
    close(opened)


def close(store: SqliteStore) -> None:
    anyio.run(store.aclose)


def saved(store: SqliteStore, run_id: str = "r", key: str = "a", text: str = "text") -> None:
    anyio.run(store.save, run_id, key, message(text))


def outside(path: Path, statement: str) -> list[tuple[object, ...]]:
    """Execute a statement as a person would, with another program."""
    opened = sqlite3.connect(path)
    try:
        with opened:
            return opened.execute(statement).fetchall()
    finally:
        opened.close()


# where it is


def test_a_relative_path_starts_from_the_data_directory(tmp_path: Path) -> None:
    project, below = tmp_path / "project", tmp_path / "project" / "a" / "b"
    below.mkdir(parents=True)

    def opened(url: str = "sqlite:///runs.db") -> str:
        return open_store(url, working_folder=below).url

    assert opened() == f"sqlite:///{below}/runs.db"
    (project / "a" / ".waivern").mkdir()
    assert opened() == f"sqlite:///{project}/a/runs.db"
    (project / "waivern.yaml").write_text("persistence: {url: 'sqlite:///data/runs.db'}")
    assert opened() == f"sqlite:///{project}/runs.db"
    assert opened("sqlite:///.waivern/runs.db") == f"sqlite:///{project}/.waivern/runs.db"
    assert locate(None, {}, str(below)) == f"sqlite:///{project}/data/runs.db"
    assert located(None, {}, str(below), find_project(str(below))).url == locate(
        None, {}, str(below)
    )
    (project / "waivern.yaml").write_text("persistence: {backend: sqlite, path: data/runs.db}")
    assert locate(None, {}, str(below)) == f"sqlite:///{project}/data/runs.db"
    assert open_store(opened(), working_folder=tmp_path).url == opened()
    assert opened("sqlite:////srv/runs.db") == "sqlite:////srv/runs.db"


@pytest.mark.parametrize("url", ["sqlite:", "sqlite:///", "sqlite://host/runs.db", "sqlite:x.db"])
def test_another_form_of_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="does not name a SQLite store") as caught:
        open_store(url)
    assert "sqlite:///runs.db" in str(caught.value.hint)


def test_opening_and_reading_create_nothing(store: SqliteStore, path: Path) -> None:
    assert store.runs() == []
    with pytest.raises(RunNotFoundError):
        store.read_journal("r")
    assert not path.parent.exists()


def test_only_the_owner_can_read_it(tmp_path: Path) -> None:
    opened = SqliteStore(".waivern/runs.db", working_folder=tmp_path)
    mask = os.umask(0)
    try:
        lease = begin(opened, "r")
        modes = {
            each.relative_to(tmp_path).as_posix(): stat.S_IMODE(each.stat().st_mode)
            for each in tmp_path.rglob("*")
        }
    finally:
        os.umask(mask)
    lease.release()
    close(opened)
    assert {"runs.db", "runs.db-wal", "runs.db-shm", "runs.db-locks", ".gitignore"} <= {
        each.removeprefix(".waivern/") for each in modes
    }
    for name, mode in modes.items():
        assert mode == (0o700 if (tmp_path / name).is_dir() else 0o600), name


def test_what_is_in_it_can_be_looked_up_by_hand(store: SqliteStore, path: Path) -> None:
    saved(store, text="read me")
    found = {(str(name), kind) for name, kind in outside(path, "SELECT path, kind FROM paths")}
    assert {("runs", "folder"), ("runs/r", "folder"), ("runs/r/a.json", "file")} <= found
    ((text,),) = outside(path, "SELECT text FROM texts WHERE path = 'runs/r/a.json'")
    assert "read me" in str(text)


# whole runs


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_a_run_and_its_cached_repetition(store: SqliteStore, tmp_path: Path, executor: str) -> None:
    repeats(tmp_path, store, executor)


@pytest.mark.sweep
def test_the_life_of_a_store(path: Path, tmp_path: Path) -> None:
    def is_redacted() -> None:
        assert not holds(path.parent)

    lives(tmp_path, f"sqlite:///{path}", is_redacted)


def test_threads_write_at_the_same_time(store: SqliteStore, path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda n: saved(store, key=f"a{n}", text="x" * 200_000), range(32)):
            pass
    assert len(anyio.run(store.list_keys, "r")) == 32


def test_threads_create_it_at_the_same_time(tmp_path: Path) -> None:
    for number in range(20):
        new = SqliteStore(str(tmp_path / f"{number}.db"))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda n, new=new: saved(new, key=f"a{n}"), range(8)))
        assert len(anyio.run(new.list_keys, "r")) == 8


WRITER = """
import anyio, sys
from waivern.store.sql.sqlite_store import SqliteStore
from waivern.testing.store_helpers import message
store = SqliteStore(sys.argv[1])
for n in range(20):
    anyio.run(store.save, "r", f"{sys.argv[2]}{n}", message("text"))
"""


def test_processes_write_at_the_same_time(store: SqliteStore, path: Path) -> None:
    commands = [[sys.executable, "-c", WRITER, str(path), name] for name in "abc"]
    processes = [subprocess.Popen(command) for command in commands]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert len(anyio.run(store.list_keys, "r")) == 60


# locks


HOLDER = """
import os, sys
from waivern.store.lock import this_process
from waivern.store.sql.sqlite_store import SqliteStore
from waivern.testing.store_helpers import initial_state
store = SqliteStore(sys.argv[1])
lease = store.begin("r", initial_state(), this_process())
child = os.fork() if sys.argv[2] == "fork" else 1
if child:
    print(child, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("child", ["none", "fork"])
def test_the_lock_dies_with_its_process(store: SqliteStore, path: Path, child: str) -> None:
    command = [sys.executable, "-c", HOLDER, str(path), child]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        left = int(process.stdout.readline())
        owner = store.owner("r")
        assert owner is not None
        assert owner.pid == process.pid
        with pytest.raises(RunLockedError, match=f"process {process.pid}"):
            store.lock("r", OWNER)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert store.owner("r") is None
        store.lock("r", OWNER).release()
        if child == "fork":
            os.kill(left, signal.SIGKILL)


def test_a_holder_without_its_lock_writes_nothing_more(store: SqliteStore, path: Path) -> None:
    """Another process has removed the file of the lock, and holds the run now."""
    first = begin(store, "r")
    first.append([{"type": "first"}], sync=True)
    for lock in path.with_name("runs.db-locks").iterdir():
        lock.unlink()
    other = SqliteStore(path)
    second = other.lock("r", OWNER)
    second.append([{"type": "second"}], sync=True)
    before = other.read_journal("r")
    writes: list[Callable[[], None]] = [
        lambda: first.append([{"type": "late"}], sync=True),
        lambda: first.project({}, {}, sync=True),
        lambda: first.unpublish(["a"]),
    ]
    for write in writes:
        with pytest.raises(IntegrityError, match="the run was taken from its owner"):
            write()
    assert other.read_journal("r") == before
    second.append([{"type": "third"}], sync=True)
    second.release()
    first.release()
    close(other)


def test_the_fence_is_checked_in_the_transaction_that_writes(store: SqliteStore) -> None:
    """Whatever the holder believes: its own look at the lock may be long ago."""
    lease = begin(store, "r")
    events = lease._events  # type: ignore[attr-defined]
    with events.database.transaction() as transaction:
        transaction.rows("UPDATE files SET fence = fence + 1 WHERE id = ?", events.fence[0])
    size = events.stat().st_size
    with pytest.raises(IntegrityError, match="another process holds its lock"):
        events.write(b"late")
    assert events.stat().st_size == size
    lease.release()


def test_locks_leave_no_files(store: SqliteStore, path: Path) -> None:
    begin(store, "r").release()
    saved(store)
    assert list(path.with_name("runs.db-locks").iterdir()) == []


def test_of_many_who_want_a_run_one_has_it(store: SqliteStore, path: Path) -> None:
    begin(store, "r").release()
    held, most, counting = 0, 0, threading.Lock()

    def hold(_: int) -> bool:
        nonlocal held, most
        other = SqliteStore(path)
        try:
            lease = other.lock("r", OWNER)
        except RunLockedError:
            return False
        with counting:
            held += 1
            most = max(most, held)
        with counting:
            held -= 1
        lease.release()
        close(other)
        return True

    with ThreadPoolExecutor(4) as pool:
        assert any(pool.map(hold, range(40)))
    assert most == 1


# forks


def test_a_forked_child_has_connections_of_its_own(store: SqliteStore) -> None:
    saved(store, key="before")
    child = os.fork()
    if child == 0:
        code = 1
        try:
            saved(store, key="child")
            code = 0
        finally:
            os._exit(code)
    saved(store, key="parent")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert anyio.run(store.list_keys, "r") == ["before", "child", "parent"]


def test_a_fork_waits_for_no_transaction_of_another_process(store: SqliteStore, path: Path) -> None:
    saved(store)
    opened = sqlite3.connect(path, isolation_level=None)
    opened.execute("BEGIN IMMEDIATE")
    child = os.fork()
    if child == 0:
        os._exit(0 if anyio.run(store.exists, "r", "a") else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    opened.close()


# trouble with the database


def test_a_database_that_another_program_has_locked(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved(store)
    monkeypatch.setattr(database, "PATIENCE_S", 0.1)
    opened = sqlite3.connect(path, isolation_level=None)
    opened.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="database is locked") as caught:
        saved(store)
    assert "another process uses the database" in str(caught.value.hint)
    assert anyio.run(store.exists, "r", "a"), "reading needs no lock"
    opened.execute("ROLLBACK")
    opened.close()
    saved(store)


def test_a_write_waits_for_another_process(store: SqliteStore, path: Path) -> None:
    saved(store)
    opened = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    opened.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.4, opened.execute, ["COMMIT"])
    timer.start()
    saved(store, key="b")
    timer.join()
    opened.close()


def full(store: SqliteStore, path: Path) -> None:
    pages = outside(path, "PRAGMA page_count")[0][0]
    for connection in store._at.backend.database._pool._idle:  # type: ignore[attr-defined]
        connection.raw.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_database_loses_nothing(store: SqliteStore, path: Path) -> None:
    saved(store, text="before")
    full(store, path)
    with pytest.raises(StoreError, match="No space left") as caught:
        saved(store, text="x" * 1_000_000)
    assert "free some space" in str(caught.value.hint)
    assert anyio.run(store.get, "r", "a").content == "before"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"x" * 4096 + data[4096:],
        lambda data: data[:4096] + b"\xff" * (len(data) - 4096),
        lambda data: b"not a database",
    ],
    ids=["header", "pages", "text"],
)
def test_a_damaged_database_is_reported(
    store: SqliteStore, path: Path, damage: Callable[[bytes], bytes]
) -> None:
    saved(store)
    close(store)
    path.write_bytes(damage(path.read_bytes()))
    other = SqliteStore(path)
    with pytest.raises(IntegrityError, match="is damaged") as caught:
        anyio.run(other.get, "r", "a")
    assert str(path) in caught.value.message
    assert ".recover" in str(caught.value.hint)
    with pytest.raises(IntegrityError, match="is damaged"):
        begin(other, "r2")
    close(other)


def test_chunks_that_are_lost_are_noticed(store: SqliteStore, path: Path) -> None:
    saved(store)
    outside(path, "DELETE FROM chunks")
    with pytest.raises(IntegrityError, match="has lost"):
        anyio.run(store.get, "r", "a")


def test_a_database_of_another_program_is_left_alone(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir()
    outside(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    for use in (lambda: begin(store, "r"), store.runs):
        with pytest.raises(RefusedError, match="a database of another program"):
            use()
    assert path.read_bytes() == before


def test_a_database_of_a_later_version_is_refused(store: SqliteStore, path: Path) -> None:
    saved(store)
    close(store)
    outside(path, "PRAGMA user_version = 2")
    with pytest.raises(RefusedError, match="newer version of waivern"):
        SqliteStore(path).runs()


def test_a_crash_before_the_tables_exist(store: SqliteStore, path: Path) -> None:
    path.parent.mkdir()
    path.touch(0o600)
    assert store.runs() == []
    saved(store)
    assert store.runs() == ["r"]


def test_a_database_that_took_the_place_of_another(store: SqliteStore, path: Path) -> None:
    lease = begin(store, "r")
    path.rename(path.with_name("moved.db"))
    with pytest.raises(IntegrityError, match="is gone"):
        lease.append([{"type": "late"}], sync=True)
    saved(store, run_id="other")
    with pytest.raises(IntegrityError, match="another file has taken the place"):
        lease.append([{"type": "late"}], sync=True)
    assert store.runs() == ["other"]
    lease.release()


def test_removed_content_is_not_in_the_file(store: SqliteStore, path: Path) -> None:
    lease = begin(store, "r")
    receipt = store.stage("r", "a", message(CANARY * 10_000))
    lease.publish([receipt])
    lease.release()
    files = [path, path.with_name("runs.db-wal")]
    assert any(CANARY.encode() in each.read_bytes() for each in files)
    store.remove("r", OWNER)
    close(store)
    assert CANARY.encode() not in path.read_bytes()
    assert not files[1].exists()


# who may write to it


@pytest.mark.parametrize("end", ["", "-wal", "-locks"])
def test_a_file_of_a_stranger_is_refused(path: Path, end: str) -> None:
    assert os.geteuid() == 0, "these tests give files to other accounts: run them as root"
    first = SqliteStore(path)
    lease = begin(first, "r")
    os.chown(f"{path}{end}", STRANGER, STRANGER)
    for use in (lambda store: store.runs(), lambda store: begin(store, "new")):
        with pytest.raises(RefusedError, match=f"belongs to uid {STRANGER}"):
            use(SqliteStore(path))
    trusting = SqliteStore(path, trust=True)
    assert trusting.runs() == ["r"]
    lease.release()
    close(first)
    close(trusting)


def test_a_folder_that_everybody_can_write_to_is_refused(store: SqliteStore, path: Path) -> None:
    saved(store)
    close(store)
    path.parent.chmod(0o777)
    with pytest.raises(RefusedError, match="everybody") as caught:
        SqliteStore(path).runs()
    assert "--trust-store" in str(caught.value.hint)
    assert SqliteStore(path, trust=True).runs() == ["r"]
