"""Worker processes: the speed on two cores, and what workers cost, as JSON files and as a table.

    python benchmarks/workers/worker_processes.py [--only two-artifacts,memory] [--rounds N]
        [--scale 10] [--folder DIR] [--out DIR]

Each case is measured in a folder of its own, with sources and runbooks that it writes. The commands
of a case take turns, and the first one changes from round to round, so that other work on the
machine affects them all; what is compared is compared within each round, and the median of these
ratios is the figure.

A speed-up is the time of the same work on one core, divided by its time on two. Of bare processes
(`bare_work.py`) it says what the machine can do in that round; it is 2 only if both cores are free.
Of `wct run` it is threads, one artifact at once, divided by worker processes: whole commands, with
their start, for two artifacts; the duration of the search for a scan, whose listing before it uses
one core with every executor. `--scale 10` makes all work ten times smaller, for a trial.

Each case writes one file with all that was measured, and the table is made from the files
(`table.md`). Memory is read from `/proc`, and instructions are counted with valgrind.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from measured_runs import HERE, Bench, Figure
from worker_cases import CASES, ROUNDS


def main() -> None:
    """Measure the cases that were asked for, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(CASES))
    parser.add_argument("--rounds", type=int, help="of each case; default: 5, of long ones fewer")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    for name in asked.only.split(","):
        print(f"{name} ...", flush=True)
        folder = Path(tempfile.mkdtemp(prefix="workers-", dir=asked.folder))
        try:
            (folder / "case").mkdir()
            rounds = asked.rounds or ROUNDS.get(name, 5)
            document = measured(name, Bench(folder / "case", rounds, asked.scale))
        finally:
            shutil.rmtree(folder)
        (asked.out / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    (asked.out / "table.md").write_text(table(asked.out) + "\n")
    print(table(asked.out))


def measured(name: str, bench: Bench) -> dict[str, object]:
    """Measure one case; return the figures with what they come from."""
    before, began = os.getloadavg()[0], time.monotonic()
    figures = CASES[name](bench)
    return {
        "case": name,
        "scale": bench.scale,
        "commit": commit(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "processors": os.cpu_count(),
        "seconds": round(time.monotonic() - began),
        "load": [round(before, 1), round(os.getloadavg()[0], 1)],
        "figures": [figure._asdict() for figure in figures],
        "costs": bench.raw,
        "commands": [f"{ran.wall_s} s, {ran.cpu_s} cpu: {ran.command}" for ran in bench.place.ran],
    }


def commit() -> str:
    """Return the commit that is measured, with `+` if files differ from it."""
    done = [
        subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=True).stdout
        for words in (("rev-parse", "--short", "HEAD"), ("status", "--short", "../../src"))
    ]
    return done[0].strip() + ("+" if done[1].strip() else "")


def processor() -> str:
    """Return the name of the processor; empty on a system that has no file of it."""
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), "")


def table(results: Path) -> str:
    """Return the figures of all results as a Markdown table."""
    lines = ["| case | figure | measured | must reach | load |", "|---|---|---|---|---|"]
    for name in CASES:
        path = results / f"{name}.json"
        if path.exists():
            document = json.loads(path.read_text())
            title = name + (f" / {document['scale']}" if document["scale"] != 1 else "")
            load = " to ".join(map(str, document["load"]))
            lines += [row(title, Figure(**each), load) for each in document["figures"]]
    return "\n".join(lines)


def row(case: str, figure: Figure, load: str) -> str:
    """Return a row of the table; a value that is missed is marked."""
    missed = " **no**" if figure.missed else ""
    value = f"{figure.value:.4g} {figure.unit}".strip()
    return f"| {case} | {figure.figure} | {value}{missed} | {figure.limit} | {load} |"


if __name__ == "__main__":
    main()
