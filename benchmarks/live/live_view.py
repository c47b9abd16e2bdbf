"""Measure the processor time that the live view adds to a run of 1,000 artifacts.

    python benchmarks/live/live_view.py [ROUNDS]

Each round runs the same runbook twice on a pseudo-terminal of 120 by 40, with `--quiet` and with
the live view, in alternating order. The figure is the median of the ratios of the rounds.
"""

from __future__ import annotations

import fcntl
import os
import platform
import pty
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

ARTIFACTS = 1_000
WCT = str(Path(sys.executable).with_name("wct"))
STEPS = "def value(x):\n    return {'value': x}\n"


def runbook() -> str:
    """Return a runbook of artifacts that depend on nothing."""
    call = "source: {{type: python, properties: {{call: 'steps.py:value', args: {{x: {0}}}}}}}"
    lines = (f"  a{n:04}: {{{call.format(n)}}}" for n in range(ARTIFACTS))
    return "\n".join(["name: many", "artifacts:", *lines, ""])


def spent(folder: Path, *options: str) -> tuple[float, int]:
    """Return the processor time of a run in seconds, and the bytes on its terminal."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    process = subprocess.Popen(
        [WCT, "run", "many.yaml", "--store", "store", *options],
        cwd=folder,
        env={**os.environ, "TERM": "xterm-256color"},
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    )
    os.close(theirs)
    written = 0
    try:
        while piece := os.read(ours, 65536):
            written += len(piece)
    except OSError:  # the other end is closed
        pass
    assert process.wait() == 0
    os.close(ours)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(folder / "store")
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return user + system, written


def main() -> None:
    """Print a line for each round, and the medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 21
    print(f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores")
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        folder = Path(name)
        (folder / "many.yaml").write_text(runbook())
        (folder / "steps.py").write_text(STEPS)
        spent(folder, "--quiet")
        quiet: list[float] = []
        live: list[float] = []
        for number in range(rounds):
            for _ in range(2):
                if (len(quiet) + len(live) + number) % 2:
                    quiet.append(spent(folder, "--quiet")[0])
                else:
                    seconds, written = spent(folder)
                    live.append(seconds)
            print(
                f"{number + 1:>3}  quiet {quiet[-1]:.3f} s  live {live[-1]:.3f} s  {written} bytes"
            )
    ratios = [one / other for one, other in zip(live, quiet, strict=True)]
    print(f"medians: quiet {statistics.median(quiet):.3f} s, live {statistics.median(live):.3f} s")
    print(f"least: quiet {min(quiet):.3f} s, live {min(live):.3f} s")
    print(f"median of the ratios: {statistics.median(ratios):.4f}")
    print(f"ratio of the medians: {statistics.median(live) / statistics.median(quiet):.4f}")


if __name__ == "__main__":
    main()
