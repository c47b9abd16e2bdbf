"""The processes of a `wct` command: its template, its workers and what components start there."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from wct_process import Done, Place

PATIENCE_S = 90.0
"""How long a test waits for something that takes a moment, on a machine that is busy."""
PROMPT_S = 5.0
"""A generous bound for what ends within a tenth of a second on a machine that is not."""


def python(call: str, **properties: str) -> str:
    """Return the work of a function: `module.py:name`, with properties as YAML."""
    more = "".join(f", {name}: {value}" for name, value in properties.items())
    return f'{{type: python, properties: {{call: "{call}"{more}}}}}'


def source(name: str, call: str, keys: str = "", **properties: str) -> str:
    """Return an artifact that a function makes from nothing; `keys` is YAML too."""
    more = f", {keys}" if keys else ""
    return f"  {name}: {{source: {python(call, **properties)}{more}}}\n"


def steps(done: Done) -> dict[str, Any]:
    """Return what `run --json` says of each artifact."""
    return {step["artifact"]: step for step in done.data("run")["steps"]}


def statuses(done: Done) -> dict[str, str]:
    return {name: step["status"] for name, step in steps(done).items()}


def log(place: Place, artifact: str) -> str:
    return (place.run_folder() / f"_system/logs/{artifact}.log").read_text()


def contents(place: Place, run: str = "@last") -> Any:
    """Return the contents of all artifacts of a run."""
    return place.wct("inspect", run, "--full", "--json").data("inspect")["contents"]


def until(what: Callable[[], Any], within_s: float = PATIENCE_S) -> Any:
    """Return what is found, as soon as something is."""
    deadline = time.monotonic() + within_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"not within {within_s} s"
        time.sleep(0.005)
    return found


# processes


def _parents() -> Mapping[int, int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                if fields[0] != "Z":  # it has ended
                    parents[int(entry.name)] = int(fields[1])
    return parents


def below(pid: int) -> set[int]:
    """Return the processes that a process has started, with those that they have started."""
    parents = _parents()
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def keeper(pid: int) -> int | None:
    """Return the process that ends the template and the workers of a command."""
    for child, parent in _parents().items():
        if parent == pid and b"fork_template" in command(child):
            return child
    return None


def template(pid: int) -> int | None:
    """Return the process from which the workers of a command are forked."""
    if (parent := keeper(pid)) is None:
        return None
    found = [child for child, of in _parents().items() if of == parent]
    return next((child for child in found if command(child) == command(parent)), None)


def workers(pid: int) -> list[int]:
    """Return the workers of a command, in the order in which they were started."""
    if (parent := template(pid)) is None:
        return []
    found = [child for child, of in _parents().items() if of == parent]
    return sorted(child for child in found if command(child) == command(parent))


def command(pid: int) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def exists(pid: int) -> bool:
    return pid in _parents()


def marked(mark: str) -> set[int]:
    """Return the processes that have a mark among their arguments."""
    return {pid for pid in _parents() if mark.encode() in command(pid)}


def gone(pids: Iterable[int], within_s: float = PROMPT_S) -> float:
    """Return how long it took until none of some processes existed any more."""
    began, left = time.monotonic(), set(pids)
    while left := left & _parents().keys():
        assert time.monotonic() < began + within_s, [command(pid) for pid in left]
        time.sleep(0.002)
    return time.monotonic() - began


def kill(pids: Iterable[int], number: int = signal.SIGKILL) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def staged(place: Place) -> list[Path]:
    """Return what the runs of a place have staged and not published."""
    return [
        file
        for run in place.run_ids()
        for folder in ("staged", ".over")
        for file in (place.path / ".waivern/runs" / run / "_system" / folder).rglob("*")
        if file.is_file()
    ]
