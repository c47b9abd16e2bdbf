"""What tests share: a place to run `wct` in; the bench of the failure tests, and their table.

One file for all folders, because mypy knows modules by their name alone. What a fixture needs lies
beside the tests that use it, and can be imported once they have been collected.
"""

from __future__ import annotations

import compileall
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import waivern

if TYPE_CHECKING:
    from harness import Bench, Count, Shelf
    from wct_process import Place, Wct

# Whoever started the tests may ignore them (nohup, `&`), and what they start would do so, too.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

ROWS: list[tuple[str, int, float]] = []


def pytest_configure(config: pytest.Config) -> None:
    """Compile the package once, not in each of the hundreds of processes that the tests start.

    With PYTHONDONTWRITEBYTECODE, as in many containers, none of them would leave it to the next.
    """
    if not hasattr(config, "workerinput"):  # xdist starts its workers after this
        compileall.compile_dir(Path(waivern.__file__).parent, quiet=2)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave the bytecode of the tests to the next session: to rewrite asserts takes half of it."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    from wct_process import Place

    made = Place(tmp_path)
    yield made
    made.close()


@pytest.fixture
def wct(place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Wct:
    """Return the entry of `wct` in this process, where no other is needed."""
    from wct_process import Done

    from waivern.cli.main import main

    monkeypatch.chdir(place.path)
    monkeypatch.delenv("WAIVERN_STORE", raising=False)

    def call(*args: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["wct", *args])
        capsys.readouterr()
        code = main()
        out, err = capsys.readouterr()
        return Done(code, out, err)

    return call


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """A bench in memory, where there is such a folder: no death of a process can tell."""
    from harness import Bench

    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="waivern-", dir=memory if memory.is_dir() else None))
    made = Bench(folder)
    yield made
    made.close()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def waiting(bench: Bench) -> Shelf:
    """A run of the programme that waits for a decision."""
    from programme import suspended

    return suspended(bench)


@pytest.fixture(scope="module")
def approved(bench: Bench, waiting: Shelf) -> dict[str, Any]:
    """The artifacts of that run after an approval that no fault disturbs."""
    from harness import carry_out
    from programme import GATE, MADE, approve, comparable

    shelf = waiting.copy()
    done = carry_out(bench.script, approve(shelf))
    assert done.code == 0, done.err
    artifacts = comparable(shelf)
    assert artifacts.keys() == MADE | {GATE, "end"}
    assert artifacts["end"] == artifacts["sum"] == {"total": 3 + 2 + 7 + 7 + 4}
    return artifacts


@pytest.fixture
def tried() -> Count:
    """Say how many points of a fault class held; zero points fail."""
    began = time.monotonic()

    def count(fault: str, points: int) -> None:
        nonlocal began
        assert points > 0, f"{fault}: no points"
        now = time.monotonic()
        ROWS.append((fault, points, now - began))
        began = now

    return count


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the table to the process that prints it, where the tests ran in several."""
    if (handed_over := getattr(session.config, "workeroutput", None)) is not None:
        handed_over["faults"] = ROWS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    ROWS.extend(map(tuple, getattr(node, "workeroutput", {}).get("faults", [])))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not ROWS:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(f"{'fault class':<70} {'points':>7} {'seconds':>8}  result")
    for fault, points, seconds in sorted(ROWS):
        terminalreporter.write_line(f"{fault:<70} {points:>7,} {seconds:>8.1f}  all hold")
    terminalreporter.write_line(f"{'total':<70} {sum(row[1] for row in ROWS):>7,}")
