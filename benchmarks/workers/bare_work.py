"""The same work without waivern, by one process or by several at once.

    python bare_work.py spin ROUNDS COUNT --processes 2
    python bare_work.py patterns|personal_data FOLDER --processes 2

`spin` computes COUNT times, the searches read every file below FOLDER. The processes are forked
from one that has imported what they need, share the work equally, and return nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path


def search(name: str) -> Callable[[str], object]:
    """Return the function that searches a text."""
    if name == "personal_data":
        from waivern.detection import scan

        return scan
    sys.path.append("parts")
    from patterns import counts

    return counts


def work(words: list[str]) -> list[Callable[[], object]]:
    """Return the pieces of work."""
    name, where, *rest = words
    if name == "spin":
        from computing import spin

        return [partial(spin, int(where))] * int(rest[0])
    searched = search(name)
    files = sorted(path for path in Path(where).rglob("*") if path.is_file())
    return [partial(_search, searched, path) for path in files]


def _search(searched: Callable[[str], object], path: Path) -> None:
    searched(path.read_text())


def main() -> None:
    """Do the work in so many processes, and wait for them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("words", nargs="+")
    parser.add_argument("--processes", type=int, required=True)
    asked = parser.parse_args()
    pieces = work(asked.words)
    forked = []
    for part in range(asked.processes):
        if (pid := os.fork()) == 0:
            for piece in pieces[part :: asked.processes]:
                piece()
            os._exit(0)
        forked.append(pid)
    failed = [os.waitpid(pid, 0)[1] for pid in forked]
    raise SystemExit(int(any(failed)))


if __name__ == "__main__":
    main()
