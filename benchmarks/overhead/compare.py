"""A comparison of two installed `wct`s: the processor time of each command, in turn.

    python benchmarks/overhead/compare.py BEFORE AFTER [--rounds 9] [--only one,runs] [--out FILE]
    python benchmarks/overhead/compare.py BEFORE AFTER --instructions [--rounds 1]

BEFORE and AFTER are the `wct` programs of two virtual environments. Both take the same runbooks in
the same folder, one directly after the other, and the one that is first changes from round to
round. Other work on the machine lengthens wall time more than processor time, so the processor
time of the whole process is compared: the ratio of each round, then their median. Commands that
take less than a second are repeated four times a round.

`--instructions` counts the instructions of user code with valgrind instead, in thousands of
millions. Other work on the machine hardly changes them; what threads do differs a little from run
to run, and system calls count for nothing.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import shapes
from run import HERE, measure

LIMIT = 1.05
"""The ratio that no case may exceed."""
REPEATS = 4
"""How often a quick command is measured in a round."""
RUNBOOKS = {
    "wide1000": shapes.wide(1000),
    "wide10000": shapes.wide(10000),
    "deep300": shapes.deep(300),
    "layered900": shapes.layered(30, 30),
    "one": shapes.wide(1),
}


@dataclass(frozen=True)
class Case:
    """A command line for a `wct` and the number of the measurement."""

    name: str
    arguments: Callable[[str, int], list[str]]
    quick: bool = True


def cases(folder: Path) -> list[Case]:
    """Write the runbooks into `folder` and return what is measured."""
    shutil.copy(HERE / "payload.py", folder)
    found = []
    for name, text in RUNBOOKS.items():
        (folder / f"{name}.yaml").write_text(text)

        def run(which: str, n: int, name: str = name) -> list[str]:
            return ["run", "-q", f"{name}.yaml", "--store", f"{which}-{name}-{n}"]

        found.append(Case(name, run, quick=name == "one"))
    found.append(Case("runs", lambda which, _n: ["runs", "--store", f"{which}-listed"]))
    found.append(Case("validate", lambda _which, _n: ["validate", "one.yaml"]))
    found.append(Case("version", lambda _which, _n: ["--version"]))
    return found


def processor_time(command: list[str], folder: Path) -> float:
    """Return the processor time of a command in seconds."""
    return measure(command, folder).cpu


def instructions(command: list[str], folder: Path) -> float:
    """Return the instructions of a command, in thousands of millions."""
    python = str(Path(command[0]).with_name("python"))
    options = ["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    environ = {**os.environ, "PYTHONHASHSEED": "0"}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        ["valgrind", *options, python, *command],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"I +refs: +([0-9,]+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1].replace(",", "")) / 1e9


def compare(
    case: Case,
    programs: dict[str, str],
    folder: Path,
    rounds: int,
    cost: Callable[[list[str], Path], float],
) -> str:
    """Measure one case and return its row."""
    used: dict[str, list[float]] = {"before": [], "after": []}
    repeats = REPEATS if case.quick and cost is processor_time else 1
    for n in range(-1, rounds * repeats):  # -1: bytecode, page cache
        for which in ("before", "after") if n % 2 else ("after", "before"):
            command = [programs[which], *case.arguments(which, n)]
            used_now = (processor_time if n < 0 else cost)(command, folder)
            shutil.rmtree(folder / f"{which}-{case.name}-{n}", ignore_errors=True)
            if n >= 0:
                used[which].append(used_now)
    ratios = [b / a for a, b in zip(used["before"], used["after"], strict=True)]
    quarters = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    medians = [statistics.median(used[which]) for which in ("before", "after")]
    return (
        f"{case.name:<11} {medians[0]:9.4f} {medians[1]:9.4f} {statistics.median(ratios):6.3f} "
        f"({quarters[0]:.3f} to {quarters[2]:.3f}) {min(used['after']) / min(used['before']):8.3f} "
        f"{len(ratios):5}"
    )


HEADER = "case           before     after  ratio (middle half)     least  pairs"


def main() -> None:
    """Measure what was asked for and print a table."""
    parser = argparse.ArgumentParser(description="Processor time of two versions of wct.")
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--instructions", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    programs = {which: str(getattr(asked, which).absolute()) for which in ("before", "after")}
    cost = instructions if asked.instructions else processor_time
    unit = "10^9 instructions" if asked.instructions else "seconds of processor time"
    lines = [
        f"Python {platform.python_version()}, {os.cpu_count()} processors; {unit}; "
        f"no ratio may exceed {LIMIT}",
        HEADER,
    ]
    print("\n".join(lines))
    folder = Path(tempfile.mkdtemp(prefix="overhead-"))
    try:
        wanted = [name for name in asked.only.split(",") if name]
        found = cases(folder)
        for which, program in programs.items():
            measure([program, "run", "-q", "one.yaml", "--store", f"{which}-listed"], folder)
        for case in found:
            if not wanted or case.name in wanted:
                lines.append(compare(case, programs, folder, asked.rounds, cost))
                print(lines[-1], flush=True)
    finally:
        shutil.rmtree(folder)
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
