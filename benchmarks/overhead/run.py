"""The overhead of `wct run`: whole runs beside a bare loop that writes the same files.

    python benchmarks/overhead/run.py [--rounds 5] [--only wide1000,runs] [--out FILE]

Whole processes, in turn (ours, floor, ours, floor, ...), so that a change of the machine's speed
affects both; medians, and the ratio pair by pair. Needs `wct` beside the Python that runs this.
The floor writes temp + fsync + rename + fsync(dir) for each file (floor.py): what `wct run`
promises, without a journal, a graph, or anything that could be resumed.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import shapes

HERE = Path(__file__).parent
WCT = str(Path(sys.executable).with_name("wct"))
RUNBOOKS = {
    "wide1000": (shapes.wide(1000), 1000),
    "wide10000": (shapes.wide(10000), 10000),
    "deep300": (shapes.deep(300), 300),
    "layered900": (shapes.layered(30, 30), 900),
}


@dataclass(frozen=True)
class Sample:
    """One process: seconds of wall and processor time, and its peak memory in MiB."""

    wall: float
    cpu: float
    peak: float


@dataclass(frozen=True)
class Case:
    """Two commands that are measured in turn; each is rebuilt for every round."""

    name: str
    ours: Callable[[Path, int], list[str]]
    floor: Callable[[Path, int], list[str]]
    artifacts: int | None = None


def measure(command: list[str], folder: Path) -> Sample:
    """Run a command to its end and return what the operating system says it took."""
    environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with (folder / "output.txt").open("wb") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=output, stderr=output)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        said = (folder / "output.txt").read_text()[-2000:]
        raise SystemExit(f"{command} exited with {process.returncode}: {said}")
    return Sample(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def cases(folder: Path) -> list[Case]:
    """Write the runbooks into `folder` and return what is measured."""
    shutil.copy(HERE / "payload.py", folder)
    found = []
    for name, (text, count) in RUNBOOKS.items():
        (folder / f"{name}.yaml").write_text(text)

        def ours(at: Path, n: int, name: str = name) -> list[str]:
            return [WCT, "run", "-q", f"{name}.yaml", "--store", str(at / f"store-{name}-{n}")]

        def floor(at: Path, n: int, name: str = name, count: int = count) -> list[str]:
            script = str(HERE / "floor.py")
            return [sys.executable, script, str(at / f"floor-{name}-{n}"), str(count)]

        found.append(Case(name, ours, floor, count))
    bare = [sys.executable, "-c", "pass"]
    found.append(Case("version", lambda _at, _n: [WCT, "--version"], lambda _at, _n: bare))
    listing = [WCT, "runs", "--store", str(folder / "listed")]
    found.append(Case("runs", lambda _at, _n: listing, lambda _at, _n: bare))
    return found


def compare(case: Case, folder: Path, rounds: int) -> str:
    """Measure one case and return its row.

    The cost of an artifact is what exceeds a run of a single one, measured in turn, too.
    """
    measure(case.ours(folder, -1), folder)  # a warm-up: bytecode, page cache
    ours, floor, start = [], [], []
    for n in range(rounds):
        ours.append(measure(case.ours(folder, n), folder))
        floor.append(measure(case.floor(folder, n), folder))
        if case.artifacts:
            start.append(measure(_one(folder, f"one-{case.name}-{n}"), folder))
    ratios = [a.wall / b.wall for a, b in zip(ours, floor, strict=True)]
    wall = statistics.median(each.wall for each in ours)
    each = " " * 8
    if case.artifacts:
        beyond = wall - statistics.median(each.wall for each in start)
        each = f"{beyond / (case.artifacts - 1) * 1e6:8.0f}"
    return (
        f"{case.name:<11} {wall:8.3f} {statistics.median(b.wall for b in floor):8.3f} "
        f"{statistics.median(ratios):6.2f} ({min(ratios):.2f} to {max(ratios):.2f}) {each} "
        f"{statistics.median(a.cpu for a in ours):8.3f} "
        f"{statistics.median(a.peak for a in ours):7.1f} "
        f"{statistics.median(b.peak for b in floor):7.1f}"
    )


HEADER = (
    "case          ours s  floor s  ratio (min to max)   us/artifact  cpu s  peak MiB  floor MiB"
)


def main() -> None:
    """Measure what was asked for and print a table."""
    parser = argparse.ArgumentParser(description="What wct costs beside the work.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--folder", type=Path, help="on which file system; default: the temporary")
    asked = parser.parse_args()
    lines = [
        f"Python {platform.python_version()}, {os.cpu_count()} processors, {asked.rounds} rounds"
    ]
    lines.append(HEADER)
    print("\n".join(lines))
    folder = Path(tempfile.mkdtemp(prefix="overhead-", dir=asked.folder))
    try:
        wanted = [name for name in asked.only.split(",") if name]
        measure(_one(folder, "listed"), folder)
        for case in cases(folder):
            if not wanted or case.name in wanted:
                lines.append(compare(case, folder, asked.rounds))
                print(lines[-1], flush=True)
    finally:
        shutil.rmtree(folder)
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


def _one(folder: Path, store: str) -> list[str]:
    """Return the command that runs a runbook of one artifact."""
    shutil.copy(HERE / "payload.py", folder)
    (folder / "one.yaml").write_text(shapes.wide(1))
    return [WCT, "run", "-q", "one.yaml", "--store", str(folder / store)]


if __name__ == "__main__":
    main()
