"""The kill points again, by the kernel's own count of system calls; and their order."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from harness import RUN, WCT, Bench, Count, Done, Job, carry_out
from oracle import after_fault, after_resume, contents

SWEEPS = [
    ("fsync,fdatasync,rename,renameat,renameat2,mkdirat,symlinkat", range(1, 40)),
    ("unlinkat,ftruncate,flock", range(1, 20, 2)),
    ("write", range(1, 40)),
]
"""The kernel's calls, and before which of them, by number in its thread, the process dies."""
IMPORTS = 60
"""Of the calls of openat, so many of the last are tried, every fourth: most others are imports."""


def straced(job: Job, *options: str) -> Done:
    done = subprocess.run(
        ["strace", "-f", "-qq", *options, WCT, *job.argv],
        cwd=job.cwd,
        env={"PATH": "/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE": "1", **job.environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "strace: " not in done.stderr, done.stderr
    return Done(0, done.returncode, done.stdout, done.stderr, ())


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> dict[str, Any]:
    shelf = bench.shelf()
    assert carry_out(bench.script, shelf.start()).code == 1
    return contents(shelf.run)


@pytest.mark.parametrize(("calls", "ordinals"), SWEEPS, ids=lambda each: str(each).split(",")[0])
def test_killed_before_a_system_call(
    bench: Bench, undisturbed: dict[str, Any], tried: Count, calls: str, ordinals: range
) -> None:
    def point(number: int) -> bool:
        shelf = bench.shelf()
        inject = f"inject={calls}:signal=KILL:when={number}"
        done = straced(shelf.start(), "-o", "/dev/null", "-e", f"trace={calls}", "-e", inject)
        if done.code != 1:
            assert done.code in (-9, 137), done.err
            known = after_fault(shelf, done)
            after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)
        shelf.clear()
        return done.code != 1

    with ThreadPoolExecutor(2) as pool:
        killed = sum(pool.map(point, ordinals))
    kind, *_ = calls.split(",")
    tried(f"strace: killed before a call of {kind} and the like", killed)


def test_killed_before_a_file_is_opened(
    bench: Bench, undisturbed: dict[str, Any], tmp_path: Path, tried: Count
) -> None:
    options = ["-ff", "-o", str(tmp_path / "t"), "-e", "trace=openat"]
    assert straced(bench.shelf().start(), *options).code == 1
    most = max(len(file.read_bytes().splitlines()) for file in tmp_path.glob("t.*"))
    ordinals = range(most - IMPORTS, most + 1, 4)
    test_killed_before_a_system_call(bench, undisturbed, tried, "openat", ordinals)


class Call(NamedTuple):
    """A system call that succeeded: when it began, when it had returned."""

    began: float
    ended: float
    name: str
    words: str


LINE = re.compile(r"(?P<at>[\d.]+) (?P<name>\w+)\((?P<words>.*)\) += \d+.* <(?P<took>[\d.]+)>$")


def calls_in(files: Iterable[Path]) -> list[Call]:
    found = [LINE.match(line) for file in files for line in file.read_text().splitlines()]
    calls = [
        Call(float(m["at"]), float(m["at"]) + float(m["took"]), m["name"], m["words"])
        for m in found
        if m
    ]
    return sorted(calls)


def test_system_calls_come_in_the_order_of_the_protocol(
    bench: Bench, tmp_path: Path, tried: Count
) -> None:
    shelf = bench.shelf()
    names = "write,fsync,fdatasync,rename,renameat,renameat2"
    options = ["-ff", "-o", str(tmp_path / "t"), "-ttt", "-T", "-y", "-s", "65536"]
    assert straced(shelf.start(), *options, "-e", f"trace={names}").code == 1
    calls = calls_in(tmp_path.glob("t.*"))
    checked = 0
    for name in contents(shelf.run):
        renamed = one(calls, "rename", rf'"{name}\.json"')
        staged = renamed.words.split('"')[1]
        quote = re.escape('\\"')
        words = ["artifact_completed", ",", "at", ":", '[^"]*', ",", "artifact", ":", name, ""]
        written = one(calls, "write", r"events\.jsonl.*" + quote.join(words))
        steps = [
            one(calls, "fdatasync", re.escape(staged)),
            renamed,
            one(calls, "fsync", rf"runs/{RUN}>", before=written),
            written,
            one(calls, "fdatasync", r"events\.jsonl>", after=written),
        ]
        for first, then in itertools.pairwise(steps):
            assert first.ended <= then.began, f"{name}: {first.name} came after {then.name}"
            checked += 1
    tried("strace: the order of system calls, pairs", checked)


def one(
    calls: list[Call],
    name: str,
    words: str,
    *,
    before: Call | None = None,
    after: Call | None = None,
) -> Call:
    """Return the call: the last one `before` another, or the first one after it."""
    fitting = [c for c in calls if c.name.startswith(name) and re.search(words, c.words)]
    if before:
        return [c for c in fitting if c.ended <= before.began][-1]
    if after:
        return next(c for c in fitting if c.began >= after.ended)
    (found,) = fitting
    return found
