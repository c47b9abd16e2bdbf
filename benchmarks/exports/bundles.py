"""The time and memory of audit bundles, their verification, and descriptions for other tools.

    python benchmarks/exports/bundles.py > benchmarks/exports/results.txt

One run has 100,000 findings, the other 2,000 artifacts. Each command runs three times.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

WCT = str(Path(sys.executable).with_name("wct"))
VERIFIER = "waivern/exporters/bundle_verifier.py"
FORMATS = ("bundle", "openlineage", "rocrate", "waivern")
STEPS = """
def found(count):
    for n in range(count):
        place = {"input": "files", "file": f"data/{n % 2000}.txt", "line": n, "column": 6}
        yield {
            "id": f"{n:032x}", "type": "EMAIL_ADDRESS", "category": "contact", "kind": "value",
            "field": "", "canonical": "de", "severity": "medium", "test_data": False,
            "evidence": "a***@f***.de", "validators": ["domain"], "confidence": 0.9,
            "locations": [place], "total": 1, "special_category": False, "articles": ["4(1)"],
            "rule": {"id": "value.email", "version": "1.0.0"},
        }

def value():
    return 1
"""
SHAPES = {
    "100,000 findings": """
artifacts:
  found:
    source: {type: python, properties: {call: "steps.py:found", args: {count: 100000}}}
    output_schema: personal_data_findings
""",
    "2,000 artifacts": "artifacts:\n"
    + "".join(
        f'  a{n}: {{source: {{type: python, properties: {{call: "steps.py:value"}}}}}}\n'
        for n in range(2000)
    ),
}


class Spent(NamedTuple):
    """The cost of a process."""

    seconds: float
    """Of the processor."""
    megabytes: float
    """The greatest resident size."""


def spent(folder: Path, *command: str) -> Spent:
    """Run a command three times; return the least time and the greatest size."""
    costs = []
    for _ in range(3):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=-3)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0, command
        costs.append(Spent(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024))
    return Spent(min(each.seconds for each in costs), max(each.megabytes for each in costs))


def main() -> None:
    """Measure, and print a table."""
    print(f"{platform.platform()}, Python {platform.python_version()}")
    verifier = next(str(Path(each, VERIFIER)) for each in sys.path if Path(each, VERIFIER).exists())
    for name, runbook in SHAPES.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            (folder / "steps.py").write_text(STEPS)
            (folder / "run.yaml").write_text(runbook)
            command = [WCT, "run", "run.yaml", "--run-id", "r1", "-q"]
            subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=-3)
            print(f"\n{name}")
            for each in FORMATS:
                cost = spent(folder, WCT, "export", "r1", "--export", f"{each}=out.{each}")
                size = (folder / f"out.{each}").stat().st_size / 1e6
                print(f"  {each:12} {cost.seconds:6.2f} s {cost.megabytes:6.0f} MB, {size:.1f} MB")
            cost = spent(folder, sys.executable, "-I", "-S", verifier, "out.bundle")
            print(f"  {'verify.py':12} {cost.seconds:6.2f} s {cost.megabytes:6.0f} MB")


if __name__ == "__main__":
    main()
