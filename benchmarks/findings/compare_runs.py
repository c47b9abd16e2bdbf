"""The time and memory of `wct diff`, and of a list, over runs with many findings.

    python benchmarks/findings/compare_runs.py [--findings 100000] > benchmarks/findings/results.txt

Two runs have as many findings each, of 2,000 files: in the second, 1 of 100 is gone, 1 of 100 is
new, 1 of 100 has another count and 1 of 100 has moved. Each command runs three times.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

WCT = str(Path(sys.executable).with_name("wct"))
STEPS = """
import hashlib

KINDS = [("EMAIL_ADDRESS", "contact", False), ("IBAN_CODE", "financial", False),
         ("PERSON", "identity", False), ("UK_NHS", "health", True)]

def found(count, second):
    for n in range(count):
        if second and n % 100 == 0:
            n += count
        kind, category, special = KINDS[n % 4]
        lines = [n % 997 + (second and n % 100 == 1) + each for each in range(5)]
        file = f"data/folder-{n % 40}/file-{n % 2000}.csv"
        yield {
            "id": hashlib.sha256(str(n).encode()).hexdigest()[:32],
            "category": category, "kind": "value", "type": kind, "field": f"column-{n % 17}",
            "canonical": "DE", "severity": "high", "test_data": False, "evidence": "a***@c***.de",
            "validators": ["domain"], "terms": ["mail"],
            "why": {"form": 0.8, "label": 0.15, "threshold": 0.5, "stance": "for", "term": "mail",
                    "place": "field"},
            "confidence": 0.95,
            "locations": [{"input": "files", "file": file, "line": line, "column": 3, "start": 40,
                           "end": 60} for line in lines],
            "total": 5 + (second and n % 100 == 2), "special_category": special,
            "articles": ["4(1)"], "rule": {"id": kind.lower(), "version": "1.0.0"},
        }
    return {"ruleset": {"name": "own", "version": "1.0.0"}}
"""
BOOK = """
name: found
params: {{second: {{type: boolean, default: false}}}}
artifacts:
  found:
    source:
      type: python
      properties: {{call: "steps.py:found", args: {{count: {count}, second: "${{params.second}}"}}}}
    output_schema: personal_data_findings
"""


class Spent(NamedTuple):
    """The cost of a process."""

    seconds: float
    """Of the processor."""
    megabytes: float
    """The greatest resident size."""


def spent(folder: Path, *args: str) -> Spent:
    """Run a command and return what it cost. Raises SystemExit if it fails."""
    with subprocess.Popen([WCT, *args], cwd=folder, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{args} exited with {process.returncode}")
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--findings", type=int, default=100_000)
    count = parser.parse_args().findings
    print(f"python {platform.python_version()}, {os.cpu_count()} cores, {count:,} findings a run")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "steps.py").write_text(STEPS)
        (folder / "found.yaml").write_text(BOOK.format(count=count))
        for run_id, second in (("one", "false"), ("two", "true")):
            spent(folder, "run", "found.yaml", "-q", "--run-id", run_id, "-p", f"second={second}")
        stream = folder / ".waivern/runs/two/found.jsonl"
        print(f"the findings of a run: {stream.stat().st_size / 1e6:.1f} MB")
        for words in (
            ("--version",),
            ("diff", "one", "two"),
            ("diff", "one", "two", "--json"),
            ("findings", "list", "two"),
            ("findings", "list", "two", "--json", "--where", "special_category"),
            ("inspect", "two/found"),
        ):
            results = [spent(folder, *words) for _ in range(3)]
            seconds = sorted(each.seconds for each in results)
            most = max(each.megabytes for each in results)
            times = " ".join(f"{each:.2f}" for each in seconds)
            print(f"wct {' '.join(words):58} {times} s  {most:.0f} MB", flush=True)


if __name__ == "__main__":
    main()
