"""Two to eight processes at one run: one winner, and the others are told who it is."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from harness import ALL, RUN, WCT, Bench, Count, Done, Job, Plan, Shelf, carry_out
from oracle import Known, after_fault, after_resume, agree, contents, leftovers, story

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]  # a sweep on a busy machine

ROUNDS = 1000 if ALL else 60
OWNER = re.compile(r"process (\d+) on \S+, since 20\d\d-")


@pytest.fixture(scope="module")
def crashed(bench: Bench) -> tuple[Shelf, Known]:
    shelf = bench.shelf()
    known = after_fault(shelf, carry_out(bench.zygote, shelf.start(Plan("kill", 70))))
    assert known.story
    return shelf, known


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> dict[str, Any]:
    shelf = bench.shelf()
    assert carry_out(bench.script, shelf.start()).code == 1
    return contents(shelf.run)


def dawdling(job: Job, seed: int, **environ: str) -> Job:
    """Return the command with random delays before its locks, opens and renames."""
    return replace(job, plan=Plan("delay", seed=seed), environ=job.environ | environ)


def owners(losers: list[Done]) -> set[int]:
    found = [OWNER.search(loser.err) for loser in losers]
    assert all(found), [loser.err for loser in losers]
    return {int(match[1]) for match in found if match}


def test_resumes_while_the_winner_is_at_work(
    bench: Bench, crashed: tuple[Shelf, Known], undisturbed: dict[str, Any], tried: Count
) -> None:
    """The winner's component ends when all others are over; a reader looks at it all."""

    def point(number: int) -> None:
        shelf, count = crashed[0].copy(), 2 + number % 7
        over = shelf.path / "over"
        over.touch()
        environ = {"OVER": str(over), "OTHERS": str(count)}
        jobs = [dawdling(shelf.resume(), 10 * number + n, **environ) for n in range(count)]
        look = dawdling(shelf.wct("runs"), number, OVER=str(over))
        *done, looked = bench.zygote.together([*jobs, look])
        assert sorted(one.code for one in done) == [1] + [5] * (count - 1), done
        (winner,) = (one for one in done if one.code == 1)
        assert owners([one for one in done if one.code == 5]) == {winner.pid}
        assert looked.code == 0, looked.err
        assert looked.out.split("\t")[:2] in ([[RUN, "running"], [RUN, "interrupted"]]), looked.out
        after_resume(shelf, crashed[1], winner, undisturbed)
        assert story(shelf.run).attempts == 2
        shelf.clear()

    points = bench.each([partial(point, n) for n in range(ROUNDS)], width=4)
    tried("two at once: 2 to 8 resumes, the winner stays until all are over", points)


def test_resumes_one_after_the_other_or_not(
    bench: Bench, crashed: tuple[Shelf, Known], undisturbed: dict[str, Any], tried: Count
) -> None:
    """Nobody waits: whoever comes when the winner is done resumes again."""

    def point(number: int) -> None:
        shelf, count = crashed[0].copy(), 2 + number % 7
        done = bench.zygote.together(
            [dawdling(shelf.resume(), 10 * number + n) for n in range(count)]
        )
        winners = [one for one in done if one.code == 1]
        losers = [one for one in done if one.code == 5]
        assert winners
        assert len(winners) + len(losers) == count, done
        if losers:
            assert owners(losers) <= {one.pid for one in done}
        truth = story(shelf.run)
        assert truth.attempts == 1 + len(winners)
        after_resume(shelf, crashed[1], winners[0], undisturbed)
        shelf.clear()

    points = bench.each([partial(point, n) for n in range(ROUNDS)])
    tried("two at once: 2 to 8 resumes, freely", points)


def test_starts_under_one_id(bench: Bench, undisturbed: dict[str, Any], tried: Count) -> None:
    def point(number: int) -> None:
        shelf, count = bench.shelf(), 2 + number % 7
        done = bench.zygote.together(
            [dawdling(shelf.start(), 10 * number + n) for n in range(count)]
        )
        assert sorted(one.code for one in done) == [1] + [5] * (count - 1), done
        truth = story(shelf.run)
        assert truth.attempts == 1
        agree(shelf.run, truth)
        assert contents(shelf.run) == undisturbed
        left = leftovers(shelf)  # built in vain by one that lost late
        assert all(path.startswith("runs/.new-main") for path in left), left
        another = shelf.wct("run", "origin.yaml", "--run-id", "another")
        assert carry_out(bench.zygote, another).code == 0
        assert leftovers(shelf) == []
        shelf.clear()

    points = bench.each([partial(point, n) for n in range(ROUNDS // 2)])
    tried("two at once: 2 to 8 starts under one id", points)


def test_runs_of_one_store_that_begin_together(bench: Bench, tried: Count) -> None:
    """In a store that is not there yet: they make it together, and sweep nothing of each other."""

    def point(number: int) -> None:
        shelf, count = bench.bare_shelf(), 2 + number % 7
        jobs = [shelf.wct("run", "origin.yaml", "--run-id", f"r{n}") for n in range(count)]
        done = bench.zygote.together([dawdling(job, number + n) for n, job in enumerate(jobs)])
        assert [one.code for one in done] == [0] * count, done
        rows = shelf.rows()
        assert {run: row.status for run, row in rows.items()} == {
            f"r{n}": "completed" for n in range(count)
        }
        assert leftovers(shelf) == []
        assert (shelf.path / ".waivern" / ".gitignore").read_text().startswith("*\n")
        shelf.clear()

    points = bench.each([partial(point, n) for n in range(ROUNDS // 2)])
    tried("two at once: 2 to 8 runs begin together in a new store", points)


FORK = """
import os, time

def forked(pid):
    if os.path.exists(pid):
        return "again"
    child = os.fork()
    if child == 0:
        os.setsid()
        time.sleep(60)
        os._exit(0)
    with open(pid + ".new", "w") as out:
        out.write(str(child))
    os.rename(pid + ".new", pid)
    time.sleep(60)
"""
SPAWN = 'if [ -e "$0" ]; then echo 1; else echo $$ > "$0.new"; mv "$0.new" "$0"; sleep 60; fi'


@pytest.mark.parametrize("how", ["command", "os.fork"])
def test_a_child_that_outlives_a_killed_parent(bench: Bench, tried: Count, how: str) -> None:
    shelf = bench.bare_shelf()
    pid = shelf.path / "pid"
    (shelf.path / "fork.py").write_text(FORK)
    source = {
        "os.fork": f'python, properties: {{call: "fork.py:forked", args: {{pid: {pid}}}}}',
        "command": f"command, properties: {{argv: [sh, -c, '{SPAWN}', {pid}]}}",
    }
    book = shelf.path / "book.yaml"
    book.write_text(f"artifacts:\n  parent: {{source: {{type: {source[how]}}}}}\n")
    environ = os.environ | {"WAIVERN_STORE": str(shelf.path / ".waivern")}
    words = [WCT, "run", str(book), "-q", "--run-id", RUN]
    parent = subprocess.Popen(words, env=environ)
    child = 0
    try:
        child = int(_appeared(pid))
        parent.kill()
        parent.wait()
        os.kill(child, 0)  # it lives
        assert shelf.rows()[RUN].status == "interrupted"
        words = [WCT, "run", str(book), "-q", "--resume", RUN]
        again = subprocess.run(words, env=environ, timeout=30, check=False)
        assert again.returncode == 0
        os.kill(child, 0)
    finally:
        parent.kill()
        parent.wait()
        if child:
            os.killpg(child, signal.SIGKILL)
    tried(f"two at once: a child by {how} outlives its killed parent", 1)


def _appeared(path: Path) -> str:
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return path.read_text()
