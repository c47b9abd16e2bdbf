"""The removal of runs, and of what a crash left half created or half removed.

A run is renamed before any of it is removed: readers then find it whole or not at all, and a crash
leaves a `.trash-` folder, which the next run that begins sweeps.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import ExitStack, suppress

from waivern.ids import SYSTEM
from waivern.store import lock, staging
from waivern.store.backend import FolderHandle
from waivern.store.layout import EVENTS, RUN, STATE, Layout
from waivern.store.store_values import Owner


def remove(at: Layout, run_id: str, owner: Owner, before: Callable[[], None]) -> None:
    """Remove a run; `before` is called with its lock held, while it is complete.

    Raises RunNotFoundError, RunLockedError, and what `before` raises.
    """
    with ExitStack() as stack:
        try:
            runs = stack.enter_context(at.runs())
        except FileNotFoundError:
            raise at.no_run(run_id) from None
        stack.enter_context(runs.shared())  # or another process could sweep the trash meanwhile
        if runs.is_no_folder(run_id):  # a file or a link in the place of a run
            runs.unlink(run_id)
            runs.sync()
            return
        try:
            run = stack.enter_context(runs.folder(run_id, foreign=True))
        except FileNotFoundError:
            raise at.no_run(run_id) from None
        marks: list[str] = []
        with at.watched(runs, run, run_id):  # another process may remove it first
            if run.has_folder(SYSTEM):  # a corrupt run may have none, and no holder
                system = stack.enter_context(run.folder(SYSTEM, foreign=True))
                if not system.is_no_file(lock.NAME):  # only a file can be locked
                    stack.callback(lock.acquire(system, run_id, owner).release)
                marks = staging.marks_of(system, run_id)
            at.in_place(runs, run, run_id)
            before()
            trash = _take_away(runs, run_id)
        runs.sync()
        runs.remove_tree(trash)
        for name in marks:
            with suppress(FileNotFoundError):
                runs.unlink(name)
        runs.sync()


def _take_away(runs: FolderHandle, name: str) -> str:
    """Take a run away at once; return the name of the folder that is left to remove.

    A folder of an image below an overlay file system cannot be renamed. There the records are
    removed first: a crash then leaves a damaged run, never one that looks whole.
    """
    trash = f".trash-{name}"
    try:
        runs.rename(name, trash)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with runs.folder(name, foreign=True) as run, run.folder(SYSTEM, foreign=True) as system:
            for record in (RUN, STATE, EVENTS):
                system.remove(record)
            system.sync()
        return name
    return trash


def sweep(runs: FolderHandle) -> None:
    """Remove the leftovers of a crash, unless a process is creating or removing a run now."""
    with runs.alone() as alone:
        if alone:
            for name in runs.names():
                if name.startswith((".new-", ".trash-")):
                    runs.remove(name)
                elif name.startswith(staging.MARK):
                    staging.sweep_marked(runs, name)
