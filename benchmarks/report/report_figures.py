"""The figures of reports: the time, the memory and the size of one, by the number of findings.

    python benchmarks/report/report_figures.py [--files N ...] [--out FILE]

Each case is a runbook over N small tables of people. It is run twice, so that the report also
compares two runs, and reported ROUNDS times: wall time and processor time of the whole process,
the most memory that it held, and the size of the file. Raw measurements are written as JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

WCT = str(Path(sys.executable).with_name("wct"))
ROUNDS = 5
FILES = (120, 1_200, 12_000)
BOOK = """
name: People
artifacts:
  files: {source: {type: filesystem, properties: {path: files}}}
  findings: {inputs: files, process: {type: personal_data}}
"""
HEAD = "name,email,phone,iban,religion,city\n"


def main() -> None:
    """Measure the cases and write what was measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, nargs="+", default=FILES)
    parser.add_argument("--out", type=Path)
    typed = parser.parse_args()
    found = {"python": platform.python_version(), "cases": [case(n) for n in typed.files]}
    text = json.dumps(found, indent=2) + "\n"
    if typed.out:
        typed.out.write_text(text)
    sys.stdout.write(text)


def case(files: int) -> dict[str, Any]:
    """Return the measurements of reports over so many tables."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, files)
        for run in ("first", "second"):
            command = [WCT, "run", "book.yaml", "-q", "--run-id", run]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            (folder / "files" / "team_00000.csv").write_text(HEAD.replace("religion", "diagnosis"))
        rounds = [measured(folder) for _ in range(ROUNDS)]
        page = (folder / "report.html").read_bytes()
        summary = json.loads((folder / ".waivern/runs/second/findings.json").read_text())
    return {
        "findings": summary["content"]["summary"]["findings"],
        "bytes": len(page),
        "wall_s": statistics.median(each["wall_s"] for each in rounds),
        "cpu_s": statistics.median(each["cpu_s"] for each in rounds),
        "memory_mib": max(each["memory_mib"] for each in rounds),
        "rounds": rounds,
    }


def write(folder: Path, files: int) -> None:
    """Write the runbook, and tables of people."""
    (folder / "files").mkdir()
    (folder / "book.yaml").write_text(BOOK)
    for n in range(files):
        rows = "".join(
            f"Ann Ash{m},ann{n}.{m}@larkfield.org,+44 20 7946 0{n % 900 + 100},"
            "GB82WEST12345698765432,catholic,Leeds\n"
            for m in range(2)
        )
        (folder / "files" / f"team_{n:05}.csv").write_text(HEAD + rows)


def measured(folder: Path) -> dict[str, float]:
    """Return the measurements of one `wct report`."""
    start = time.perf_counter()
    child = subprocess.Popen([WCT, "report", "second"], cwd=folder, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    cpu = used.ru_utime + used.ru_stime
    return {
        "wall_s": round(wall, 3),
        "cpu_s": round(cpu, 3),
        "memory_mib": round(used.ru_maxrss / 1024, 1),
    }


if __name__ == "__main__":
    main()
