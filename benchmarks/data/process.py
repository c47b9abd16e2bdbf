"""Processes that are measured, and what a store holds after them.

The peak memory of a child is at least that of the process that starts it, so the driver stays
small: nothing here imports `waivern`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

WCT = str(Path(sys.executable).with_name("wct"))
MIB = 1 << 20
CHUNK = 8 * MIB


@dataclass(frozen=True)
class Ran:
    """A process that ended: what it took, and what it printed."""

    command: str
    code: int
    wall_s: float
    cpu_s: float
    peak_mib: float
    read_bytes: int
    """All that its system calls read: source, store, and the files of Python itself."""
    out: str

    def document(self) -> dict[str, object]:
        """Return it for the raw results, with the end of a long output only."""
        return asdict(self) | {"out": self.out[-1500:]}

    def hows(self) -> dict[str, str]:
        """Return how each artifact of `wct run --json` was completed."""
        return {each["artifact"]: each["how"] for each in json.loads(self.out)["data"]["steps"]}


class Place:
    """A folder in which `wct` is run, the installed one or that of another `src`."""

    def __init__(self, folder: Path, src: Path | None) -> None:
        self.folder = folder
        self._environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        if src:
            self._environ["PYTHONPATH"] = str(src.resolve())
        self.ran: list[Ran] = []

    def wct(self, *words: str) -> Ran:
        """Run a command of `wct`."""
        return self.run([WCT, *words])

    def python(self, *words: str) -> Ran:
        """Run a script."""
        return self.run([sys.executable, *words])

    def run(self, command: Sequence[str]) -> Ran:
        """Run a command to its end and return what the operating system says it took."""
        with (self.folder / "out.txt").open("wb") as out, (self.folder / "err.txt").open("wb") as e:
            began = time.perf_counter()
            process = subprocess.Popen(
                command, cwd=self.folder, env=self._environ, stdout=out, stderr=e
            )
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            counted = _read_bytes(process.pid)
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said = (self.folder / "out.txt").read_text()
        if process.returncode:
            said += (self.folder / "err.txt").read_text()
        ran = Ran(
            " ".join([Path(command[0]).name, *command[1:]]).replace(str(self.folder), "."),
            process.returncode,
            round(wall, 3),
            round(used.ru_utime + used.ru_stime, 3),
            round(used.ru_maxrss / 1024, 1),
            counted,
            said.replace(str(self.folder), "."),
        )
        self.ran.append(ran)
        return ran


def _read_bytes(pid: int) -> int:
    """Return what an ended process that was not waited for has read; -1 where it is not counted."""
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
    except OSError:
        return -1
    counts: Mapping[str, str] = dict(line.split(": ") for line in lines)
    return int(counts["rchar"])


def size_of(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def holding(folder: Path, mark: str) -> list[str]:
    """Return the files below a folder that hold `mark` anywhere, or have it in their names."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if mark in path.name or (path.is_file() and _holds(path, mark.encode()))
    ]


def _holds(path: Path, mark: bytes) -> bool:
    rest = b""
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            if mark in rest + chunk:
                return True
            rest = chunk[-len(mark) :]
    return False
