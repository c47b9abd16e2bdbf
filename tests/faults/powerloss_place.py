"""A store on a simulated disk: commands are carried out for real, recorded, and followed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections import Counter
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from harness import BOOK, COMPONENTS, ORIGIN, RUN
from oracle import contents, story
from powerloss import Disk, Tree
from powerloss_check import EXIT, STORE, Bed, Eyes, Points, Promise, crash_points, violations
from powerloss_recorder import Operation, recorded

from waivern.runs.listing import every
from waivern.runs.request import RunRequest
from waivern.runs.resume import resume
from waivern.runs.run_options import RunOptions
from waivern.runs.start import start
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

RECORDER = Path(__file__).with_name("powerloss_recorder.py")
STEPS = (
    COMPONENTS
    + """
def worse(inputs, name):
    fail(name)
"""
)
CHANGED = BOOK.replace("name: one, x: 1", "name: one, x: 3")
WORSE = BOOK.replace('total", args: {name: last}', 'worse", args: {name: last}')


class Place:
    """A place for the store, in memory, and a folder with the runbooks.

    A run is one of a runbook in its folder: places whose stores are copies of each other share
    `books`. Each new place restores what is there.
    """

    def __init__(self, folder: Path, books: Path | None = None) -> None:
        self._folder = folder
        self._numbers = count(1)
        self.books = books or folder / "books"
        self.books.mkdir(exist_ok=True)
        for name, text in (("steps.py", STEPS), ("origin.yaml", ORIGIN), ("book.yaml", BOOK)):
            (self.books / name).write_text(text)
        self.home = folder / "home"
        self.home.mkdir()
        self.bed = Bed(folder / "bed")
        self.eyes = Eyes()
        self.calls = folder / "calls"

    def wct(
        self, *words: str, kill_at: int = 0, pace: str = "usual", forget: str = "nothing"
    ) -> list[Operation]:
        """Carry out a command of `wct`; return what it did to the disk."""
        trace = self._folder / f"trace-{next(self._numbers)}"
        arguments = [str(trace), str(kill_at), pace, forget, *words]
        done = subprocess.run(
            [sys.executable, str(RECORDER), *arguments, "--store", str(self.home / STORE)],
            cwd=self.books,
            env=os.environ | {"CALLS": str(self.calls)},
            capture_output=True,
            text=True,
            check=False,
        )
        expected = {0, 1, 7, -9 if kill_at else 0}  # one runbook has an artifact that fails
        assert done.returncode in expected, f"{done.returncode}: {done.stdout}{done.stderr}"
        return recorded(trace) if kill_at else [*recorded(trace), (EXIT, *words)]

    def disk(self) -> Disk:
        """Return the disk as it is now, all of it durable."""
        return Disk(self.home)

    def held(
        self,
        disk: Disk,
        trace: list[Operation],
        promise: Promise = Promise(),  # noqa: B008
    ) -> Points:
        """Check every state that a power loss in a trace may leave; return them."""
        points = crash_points(disk, trace, promise)
        assert disk.tree() == Disk(self.home).tree(), "the trace lacks something"
        found = violations(points, self.bed, self.eyes)
        assert not found, "\n".join(f"{n:>6}  {what}" for what, n in found.most_common(20))
        return points

    def resumed(self, points: Points, most: int, undisturbed: dict[str, Any]) -> int:
        """Resume in so many of the states; check that nothing is lost, wrong or made twice."""
        trees = [tree for tree, _ in points.states.values()]
        chosen = trees[:: max(1, -(-len(trees) // most))]
        for tree in chosen:
            self._resume(tree, undisturbed)
        return len(chosen)

    def _resume(self, tree: Tree, undisturbed: dict[str, Any]) -> None:
        self.bed.lay(tree)
        home = self._folder / "resumed"
        self.bed.copy(home)
        run = home / STORE / "runs" / RUN
        before = story(run).completed if run.exists() else {}
        self.calls.unlink(missing_ok=True)
        store, path = LocalFilesystemStore(home / STORE), str(self.books / "book.yaml")
        options = RunOptions({}, max_concurrency=4)
        again = partial(resume, RunRequest(source=path, run=RUN), store, options)
        begin = partial(start, RunRequest(source=path, run_id=RUN), store, options)
        (again if run.exists() else begin)()
        assert contents(run) == undisturbed
        assert [row.status for row in every(store) if row.run_id == RUN] == ["failed"]
        assert not verify(store, RUN).faults
        assert not verify(store, RUN).notes
        calls = Counter(self.calls.read_text().split() if self.calls.exists() else [])
        assert not calls.keys() & before.keys(), "made again although completed"
        shutil.rmtree(home)
