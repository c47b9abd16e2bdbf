"""The copy of a whole run from one store to another, over the backend port.

The copy is built like a new run: beside the others, locked, and renamed into its place when it is
durable. So a reader finds it whole or not at all, and a crash leaves a leftover that the next run
sweeps.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack

from waivern.errors import RefusedError
from waivern.ids import SYSTEM
from waivern.store import lock
from waivern.store.backend import CHUNK_BYTES, FileHandle, FolderHandle
from waivern.store.layout import LOCK, REQUESTS, Layout, described
from waivern.store.store_values import Owner

PASSED_OVER = (f"{SYSTEM}/{LOCK}", f"{SYSTEM}/{REQUESTS}/")
"""What is about the holder of a run, and not about the run."""


def copy_run(source: Layout, target: Layout, run_id: str, owner: Owner) -> None:
    """Copy a run that is not running. Raises RefusedError if the other store has one of this id."""
    hidden = f".new-{run_id}"
    with source.run(run_id) as run, target.runs(make=True) as runs, ExitStack() as stack:
        stack.enter_context(runs.shared())  # or another process could sweep the copy meanwhile
        if runs.has(run_id):
            raise _taken(run_id)
        if runs.has(hidden):
            runs.remove(hidden)
        copy = stack.enter_context(runs.make_folder(hidden))
        system = stack.enter_context(copy.make_folder(SYSTEM))
        stack.callback(lock.acquire(system, run_id, owner).release)
        try:
            _copy_folder(run, copy, "")
            runs.rename(hidden, run_id)
        except OSError as error:
            runs.remove(hidden)
            if error.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise _taken(run_id) from error  # another process was quicker
            raise
        runs.sync()


def _copy_folder(source: FolderHandle, target: FolderHandle, path: str) -> None:
    """Copy everything in a folder but what is staged; links and devices are passed over."""
    for entry in source.entries():
        name, below = entry.name, f"{path}{entry.name}"
        if entry.is_folder:
            if _is_copied(f"{below}/"):
                with source.folder(name) as old, target.ensure_folder(name) as new:
                    _copy_folder(old, new, f"{below}/")
        elif entry.is_file and _is_copied(below):
            with source.open(name, "read") as old_file, target.open(name, "new") as new_file:
                _copy_file(old_file, new_file)
    target.sync()


def _is_copied(path: str) -> bool:
    return path not in PASSED_OVER and described(path).kind != "staged"


def _copy_file(source: FileHandle, target: FileHandle) -> None:
    if not target.copy_from(source):
        at = 0
        while chunk := source.read(CHUNK_BYTES, at):
            target.write(chunk)
            at += len(chunk)
    target.sync()


def _taken(run_id: str) -> RefusedError:
    return RefusedError(
        f"there is another run {run_id} in that store",
        hint="delete it there first, or leave this one out",
    )
