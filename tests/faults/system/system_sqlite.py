"""A store in SQLite on a disk that is full or cannot be written, and the order of system calls."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Count, Done, carry_out
from oracle import after_fault, after_resume, contents
from sqlite_kit import SqliteBench, SqliteShelf
from system_full_disk import mount, told
from system_strace import Call, calls_in, straced

PLENTY = "size=4m"
STEP = 8
"""Blocks of 4 KiB between two sizes of the disk that are tried."""


@pytest.fixture(scope="module")
def bench() -> Iterator[SqliteBench]:
    folder = Path(tempfile.mkdtemp(prefix="waivern-"))
    made = SqliteBench(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def undisturbed(bench: SqliteBench) -> dict[str, Any]:
    shelf = bench.shelf()
    assert carry_out(bench.script, shelf.start()).code == 1
    return contents(shelf.run)


@pytest.fixture
def small(bench: SqliteBench) -> Iterator[SqliteShelf]:
    """A store on a file system of its own; what counts the calls is elsewhere."""
    shelf = bench.shelf()
    assert isinstance(shelf, SqliteShelf)
    data = shelf.database.parent
    kept = data.with_name("kept")
    data.rename(kept)
    data.mkdir()
    mount("-t", "tmpfs", "-o", f"{PLENTY},mode=700", "none", str(data))
    try:
        shutil.copytree(kept, data, dirs_exist_ok=True)
        yield shelf
    finally:
        subprocess.run(["umount", str(data)], check=True)


def resize(shelf: SqliteShelf, options: str) -> None:
    mount("-o", f"remount,{options}", str(shelf.database.parent))


def test_a_full_disk(
    bench: SqliteBench, small: SqliteShelf, undisturbed: dict[str, Any], tried: Count
) -> None:
    """With ever more room, until there is enough for a run."""
    template, points = small.path / "kept", 0
    for room in range(1, 400, STEP):
        data = small.database.parent
        for each in data.iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        shutil.copytree(template, data, dirs_exist_ok=True)
        (small.path / "calls").unlink(missing_ok=True)
        resize(small, f"size={4 * (used_blocks(data) + room)}k")
        done = carry_out(bench.zygote, small.start())
        resize(small, PLENTY)
        if done.code == 1 and "warning" not in done.err:
            break
        known = after_fault(small, done)
        if done.code != 1:
            told(done, "No space left on device")
        after_resume(small, known, carry_out(bench.zygote, small.again()), undisturbed)
        points += 1
    assert contents(small.run) == undisturbed
    assert points > 5
    tried("full disk: a run in SQLite with too few blocks, then with more", points)


def used_blocks(folder: Path) -> int:
    usage = shutil.disk_usage(folder)
    return usage.used // 4096


def test_a_disk_that_cannot_be_written(
    bench: SqliteBench, small: SqliteShelf, undisturbed: dict[str, Any], tried: Count
) -> None:
    started = carry_out(bench.zygote, small.start())
    assert started.code == 1
    known = after_fault(small, started)
    resize(small, "ro")
    commands = [
        small.wct("run", "book.yaml", "--run-id", "other"),
        small.resume(),
        small.wct("runs", "delete", "--yes", "main"),
        small.wct("runs", "pin", "main"),
    ]
    for job in commands:
        told(carry_out(bench.zygote, job), "Read-only file system")
    for words in (["runs"], ["runs", "verify", "--all"], ["inspect", "main"]):
        done = carry_out(bench.zygote, small.wct(*words))
        assert done.code == 0, done.err
    resize(small, f"{PLENTY},rw")
    after_resume(small, known, carry_out(bench.zygote, small.resume()), undisturbed)
    tried("read-only disk: commands that write in SQLite, refused with 74", len(commands))


def test_what_is_reported_is_on_the_disk(bench: SqliteBench, tmp_path: Path, tried: Count) -> None:
    """The artifact is synced before its journal line is written, and that before it is reported."""
    shelf = bench.shelf()
    names = "write,pwrite64,fsync,fdatasync"
    options = ["-ff", "-o", str(tmp_path / "t"), "-ttt", "-T", "-y", "-s", "65536"]
    done: Done = straced(shelf.start(), *options, "-e", f"trace={names}")
    assert done.code == 1, done.err
    calls = calls_in(tmp_path.glob("t.*"))
    log = r"runs\.db-wal>"
    syncs = [c for c in calls if c.name in ("fsync", "fdatasync") and re.search(log, c.words)]
    quote = re.escape('\\"')
    for name in ("one", "two", "all", "last"):
        words = ["artifact_completed", ",", "at", ":", '[^"]*', ",", "artifact", ":", name, ""]
        line = quote.join(words)
        content = f"{quote}id{quote}: {quote}{name}{quote}"
        wrote = first(calls, "pwrite64", log + ".*" + content)
        journaled = first(calls, "pwrite64", log + ".*" + line)
        reported = first(calls, "write", rf"(completed|✔) +{name} ")
        assert any(wrote.ended <= s.began and s.ended <= journaled.began for s in syncs), name
        assert any(journaled.ended <= s.began and s.ended <= reported.began for s in syncs), name
    tried("strace: SQLite, syncs before what they are for", 8)


def first(calls: list[Call], name: str, words: str) -> Call:
    return next(c for c in calls if c.name == name and re.search(words, c.words))
