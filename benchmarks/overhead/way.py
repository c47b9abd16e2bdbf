"""The way of one small artifact through the source, from `wct run` to the write of its file.

    python benchmarks/overhead/way.py

Prints the functions of the package on the stack of each thread where it hands the artifact on: the
main thread at `submit`, the worker at `hold`, the ledger at the first `write` of its group. The sum
of the frames is what a reader goes through. Run it with the Python beside `wct`.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import shapes

HERE = Path(__file__).parent
STATIONS = {
    "the main thread starts it": ("executor.py", "submit"),
    "a worker produces it": ("staging.py", "hold"),
    "the ledger writes it": ("disk.py", "write"),
}
"""Each handover: the last file and function on its stack."""


def own(frame: FrameType | None, package: str) -> list[str]:
    """Return the functions of the package on a stack, from the outermost."""
    found = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(package):
            found.append(f"{code.co_filename[len(package) + 1 :]}:{code.co_name}")
        frame = frame.f_back
    return found[::-1]


def main() -> None:
    """Run a runbook of one artifact and print its way."""
    import waivern
    from waivern.cli.main import main as wct

    package = str(Path(waivern.__file__).parent)
    ways: dict[str, list[str]] = {}

    def note(frame: FrameType, event: str, _argument: Any) -> None:
        if event != "call":
            return
        for station, (file, name) in STATIONS.items():
            code = frame.f_code
            if station not in ways and code.co_name == name and code.co_filename.endswith(file):
                stack = own(frame, package)
                if file != "disk.py" or any(each.endswith(":publish") for each in stack):
                    ways[station] = stack

    folder = Path(tempfile.mkdtemp(prefix="way-"))
    try:
        shutil.copy(HERE / "payload.py", folder)
        (folder / "one.yaml").write_text(shapes.wide(1))
        os.chdir(folder)
        sys.argv = ["wct", "run", "-q", "one.yaml"]
        _watched(note, wct)
    finally:
        shutil.rmtree(folder)
    if missing := STATIONS.keys() - ways.keys():
        raise SystemExit(f"no stack was seen where {missing}: STATIONS names other functions")
    for station, stack in ways.items():
        print(f"{station}: {len(stack)}")
        print("\n".join(f"  {each}" for each in stack))
    files = {each.partition(":")[0] for stack in ways.values() for each in stack}
    frames = sum(map(len, ways.values()))
    print(f"{frames} frames, at most {max(map(len, ways.values()))} at once, in {len(files)} files")


def _watched(note: Callable[[FrameType, str, Any], None], run: Callable[[], int]) -> None:
    threading.setprofile(note)
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


if __name__ == "__main__":
    main()
