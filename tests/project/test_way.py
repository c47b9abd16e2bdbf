"""The way of one artifact from the command to the write stays short."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

WAY = Path(__file__).parents[2] / "benchmarks" / "overhead" / "way.py"


def test_no_stack_between_the_command_and_the_write_is_deep() -> None:
    done = subprocess.run([sys.executable, WAY], capture_output=True, text=True, check=True)
    found = re.search(r"^(\d+) frames, at most (\d+) at once", done.stdout, re.MULTILINE)
    assert found is not None, done.stdout
    assert int(found[1]) <= 35
    assert int(found[2]) <= 16
