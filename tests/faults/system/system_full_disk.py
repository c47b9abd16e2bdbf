"""A disk that is really full, by bytes and by inodes, and one that cannot be written."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import Bench, Count, Done, Shelf, carry_out
from oracle import after_fault, after_resume, contents

PLENTY = "size=4m,nr_inodes=4000"


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> dict[str, Any]:
    shelf = bench.shelf()
    assert carry_out(bench.script, shelf.start()).code == 1
    return contents(shelf.run)


@pytest.fixture
def small(bench: Bench, tmp_path: Path) -> Iterator[Shelf]:
    """A store on a file system of its own; what counts the calls is elsewhere."""
    full = bench.shelf()
    shelf = bench.bare_shelf()
    store = shelf.path / ".waivern"
    store.mkdir(0o700)
    mount("-t", "tmpfs", "-o", f"{PLENTY},mode=700", "none", str(store))
    try:
        subprocess.run(["cp", "-a", f"{full.path}/.waivern/.", str(store)], check=True)
        yield shelf
    finally:
        subprocess.run(["umount", str(store)], check=True)


def resize(shelf: Shelf, options: str) -> None:
    mount("-o", f"remount,{options}", str(shelf.path / ".waivern"))


def clean(shelf: Shelf, bench: Bench) -> None:
    done = carry_out(bench.zygote, shelf.wct("runs", "delete", "--yes", "main"))
    assert done.code in (0, 4), done.err
    history = shelf.path / ".waivern" / "runs.jsonl"
    history.write_bytes(history.read_bytes().splitlines(keepends=True)[0])


def told(done: Done, what: str) -> None:
    assert done.code == 74, done.err
    assert what in done.out + done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("unit", ["bytes", "inodes"])
def test_a_full_disk(
    bench: Bench, small: Shelf, undisturbed: dict[str, Any], tried: Count, unit: str
) -> None:
    """With ever more room, until there is enough for a run."""
    points = 0
    for room in range(200):
        stat = subprocess.run(
            ["stat", "-f", "-c", "%b %f %c %d %S", str(small.path / ".waivern")],
            check=True,
            capture_output=True,
            text=True,
        )
        blocks, free, inodes, free_inodes, size = map(int, stat.stdout.split())
        limit = {
            "bytes": f"size={(blocks - free + room) * size},nr_inodes=4000",
            "inodes": f"size=4m,nr_inodes={inodes - free_inodes + room}",
        }
        resize(small, limit[unit])
        done = carry_out(bench.zygote, small.start())
        resize(small, PLENTY)
        if done.code == 1 and "warning" not in done.err:
            break
        known = after_fault(small, done)
        if done.code != 1:
            told(done, "No space left on device")
        after_resume(small, known, carry_out(bench.zygote, small.again()), undisturbed)
        points += 1
        clean(small, bench)
        (small.path / "calls").unlink(missing_ok=True)
    assert contents(small.run) == undisturbed
    assert points > 5
    tried(f"full disk: a run on a tmpfs with too few {unit}, then with more", points)


def test_a_disk_that_cannot_be_written(
    bench: Bench, small: Shelf, undisturbed: dict[str, Any], tried: Count
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
        small.wct("runs", "prune", "--keep-last", "0", "--yes"),
    ]
    for job in commands:
        done = carry_out(bench.zygote, job)
        told(done, "Read-only file system")
        assert done.out + done.err
    for words in (["runs"], ["runs", "verify", "--all"], ["inspect", "main"]):
        assert carry_out(bench.zygote, small.wct(*words)).code == 0
    resize(small, f"{PLENTY},rw")
    after_resume(small, known, carry_out(bench.zygote, small.resume()), undisturbed)
    tried("read-only disk: commands that write, refused with 74", len(commands))
