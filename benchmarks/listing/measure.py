"""The duration of lists of runs, and the run folders that they open, with 10 to 10,000 runs.

    python benchmarks/listing/measure.py [--rounds 7] [--sizes 10,1000] [--before SRC] [--out FILE]

`--before` is the `src` folder of another version, which lists the same stores; it takes turns with
this one, so that a machine whose speed drifts is fair to both. Whole processes; medians. The runs
are copies of one real run under other ids and times. The first list of this version writes the
index; it is measured on its own, as `index`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import waivern

CODE = """
import os, sys
opened = set()
def hook(event, args):
    if event == "open" and isinstance(args[0], str) and args[2] & os.O_DIRECTORY:
        opened.add(args[0])
if "--count" in sys.argv:
    sys.argv.remove("--count")
    sys.addaudithook(hook)
sys.argv[0] = "wct"
from waivern.cli.main import main
code = main()
sys.stderr.write(f"\\n{sum(1 for name in opened if name.startswith('run-'))}")
sys.exit(code)
"""
CASES = {
    "runs": ("runs", "--limit", "20"),
    "status": ("runs", "--limit", "20", "--status", "completed"),
    "none": ("runs", "--status", "failed"),
    "last": ("runs", "pin", "@last"),
}
RUNBOOK = """
name: book
artifacts:
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--sizes", default="10,1000,10000")
    parser.add_argument("--before", type=Path)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    lines = [
        f"Python {platform.python_version()}, {os.cpu_count()} processors, {args.rounds} rounds",
        "case     runs   version  seconds (min to max)     cpu s  folders opened",
    ]
    for count in map(int, args.sizes.split(",")):
        with tempfile.TemporaryDirectory() as folder:
            store = make(Path(folder), count)
            for line in measure(store, count, args.rounds, args.before):
                print(line, flush=True)
                lines.append(line)
    if args.out:
        args.out.write_text("\n".join(lines) + "\n")


def make(folder: Path, count: int) -> Path:
    """Return a store with so many runs."""
    (folder / "steps.py").write_text("def value():\n    return {'value': 1}\n")
    (folder / "book.yaml").write_text(RUNBOOK)
    store = folder / ".waivern"
    waivern.run(folder / "book.yaml", run_id="run-00000", store=str(store))
    runs = store / "runs"
    head = json.loads((runs / "run-00000/_system/run.json").read_text())
    for number in range(1, count):
        name = f"run-{number:05}"
        shutil.copytree(runs / "run-00000", runs / name)
        day, second = divmod(number, 86_400)
        clock = time.strftime("%H:%M:%S", time.gmtime(second))
        started = f"2027-01-{day + 1:02}T{clock}.000Z"
        document = head | {"run_id": name, "started_at": started}
        (runs / name / "_system/run.json").write_text(json.dumps(document, indent=2))
    return store


def measure(store: Path, count: int, rounds: int, before: Path | None) -> list[str]:
    """Return a line for each case and version."""
    first = [timed(store, CASES["runs"], None)]
    found = [line("index", count, "now", first, opened(store, CASES["runs"], None))]
    for case, words in CASES.items():
        versions = {"before": before, "now": None} if before else {"now": None}
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in versions}
        for _ in range(rounds):
            for name, source in versions.items():
                samples[name].append(timed(store, words, source))
        for name, source in versions.items():
            found.append(line(case, count, name, samples[name], opened(store, words, source)))
    return found


def line(case: str, count: int, name: str, samples: list[tuple[float, float]], folders: int) -> str:
    walls = [wall for wall, _ in samples]
    cpu = statistics.median(cpu for _, cpu in samples)
    spread = f"({min(walls):.3f} to {max(walls):.3f})"
    middle = statistics.median(walls)
    return f"{case:7} {count:6,}  {name:7} {middle:8.3f} {spread:20} {cpu:6.3f} {folders:8,}"


def timed(store: Path, words: tuple[str, ...], source: Path | None) -> tuple[float, float]:
    """Return the seconds of wall and processor time that a command takes."""
    began, used = time.perf_counter(), os.times()
    carry_out(store, words, source)
    wall, after = time.perf_counter() - began, os.times()
    children = after.children_user + after.children_system
    return wall, children - used.children_user - used.children_system


def opened(store: Path, words: tuple[str, ...], source: Path | None) -> int:
    """Return how many run folders a command opens."""
    return int(carry_out(store, (*words, "--count"), source).rpartition("\n")[2])


def carry_out(store: Path, words: tuple[str, ...], source: Path | None) -> str:
    environ = os.environ | ({"PYTHONPATH": str(source)} if source else {})
    command = [sys.executable, "-c", CODE, *words, "--store", str(store)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return done.stderr


if __name__ == "__main__":
    main()
