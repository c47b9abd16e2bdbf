"""Runs `programme.yaml` in fresh stores, each twice, and prints how long that took.

    .venv/bin/python docs/evidence/twice.py 5 [-p folder=/usr/share/doc]

Seconds of wall clock, start of the process included; the store is in the current folder's file
system, and removed afterwards.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

RUNBOOK = Path(__file__).parents[2] / "runbooks" / "programme.yaml"
WCT = Path(sys.executable).with_name("wct")


def run(store: str, *more: str) -> tuple[float, str]:
    """Return the seconds that a run took, and how its artifacts came to be."""
    began = time.perf_counter()
    command = [str(WCT), "run", str(RUNBOOK), "-q", "--json", "--store", store, *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603
    took = time.perf_counter() - began
    if done.returncode != 7:  # suspended: it waits for a decision
        raise SystemExit(f"{' '.join(command)} left with {done.returncode}")
    latest = Path(store, "latest", "_system", "events.jsonl").read_text().splitlines()
    events = [json.loads(line)["event"] for line in latest]
    counted = Counter(event["how"] for event in events if "how" in event)
    return took, ", ".join(f"{count} {how}" for how, count in sorted(counted.items()))


def main() -> None:
    times, more = int(sys.argv[1]), sys.argv[2:]
    took: list[list[float]] = [[], []]
    for _ in range(times):
        with TemporaryDirectory(dir=".", prefix=".twice-") as store:
            for which in (0, 1):
                seconds, how = run(store, *more)
                took[which].append(seconds)
                print(f"{'second' if which else 'first'} {seconds:7.2f}  {how}", flush=True)
    first, second = map(median, took)
    print(f"medians {first:.2f} and {second:.2f}: 1 to {first / second:.1f}")


if __name__ == "__main__":
    main()
