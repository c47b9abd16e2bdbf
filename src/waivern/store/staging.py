"""The staging of an attempt: the folder in which files wait until they are published.

It belongs to one attempt and is named after it: `_system/staged/<attempt>-<token>/`. The holder of
the run creates it. Everyone else opens it and never creates it, so that a worker that is late, or
whose coordinator has died, gets an error and leaves nothing in a run that has ended.

It ends with the attempt. A process that is killed cannot remove it, so each holder also leaves a
mark beside the runs; the next process that begins or locks any run removes what such a mark leads
to, if that run is not held.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

from waivern.errors import IntegrityError, StoreError
from waivern.ids import SYSTEM
from waivern.store import lock
from waivern.store.backend import FileHandle, FolderHandle
from waivern.store.layout import OVER, STAGED

MARK = ".open-"
"""The prefix of the marks: `.open-<token>-<run id>`."""
TOKEN_BYTES = 4
HELD_BYTES = 1 << 15
"""A larger artifact is written by the thread that produced it: the lease would make the others of
its group wait."""
HELD = 2048
"""The number of artifacts that are held in memory at most."""


class HeldArtifacts:
    """Small staged artifacts, by their places: in memory until the holder writes them in a group.

    One thread that writes many files costs a third of many threads that write one each: Python may
    switch threads between any two system calls.
    """

    def __init__(self) -> None:
        self._data: dict[str, bytes] = {}
        self.get = self._data.get
        """Returns the bytes of an artifact; None if they are not here."""
        self.clear = self._data.clear

    def hold(self, staged: str, data: bytes) -> bool:
        """Hold the bytes of an artifact; return false if it is too large, or if they are many."""
        if len(data) > HELD_BYTES or len(self._data) >= HELD:
            return False
        self._data[staged] = data
        return True

    def forget(self, staged: str) -> None:
        """Forget an artifact that is published."""
        self._data.pop(staged, None)


class StagingArea:
    """The staging of one attempt, as one process reaches it.

    `opened` gives its open folder for a moment; it raises StoreError if the attempt is over. `held`
    has the small artifacts of a process that publishes them, or sends them to the one that does;
    None: each is written to a file at once.
    """

    def __init__(
        self,
        run_id: str,
        name: str,
        opened: Callable[[], AbstractContextManager[FolderHandle]],
        held: HeldArtifacts | None = None,
    ) -> None:
        self.run_id = run_id
        self.name = name
        self.opened = opened
        self.held = held

    def create(self, name: str) -> FileHandle:
        """Create a file, to be written and closed. Raises StoreError if the attempt is over."""
        try:
            with self.opened() as folder:
                return folder.open(name, "new")
        except FileNotFoundError:
            raise over(self.run_id) from None

    def read(self, name: str) -> FileHandle:
        """Open a file. Raises StoreError if the attempt is over."""
        try:
            with self.opened() as folder:
                return folder.open(name, "read")
        except FileNotFoundError:
            raise over(self.run_id) from None

    def rename(self, old: str, new: str) -> None:
        """Rename a file. Raises StoreError if the attempt is over."""
        try:
            with self.opened() as folder:
                folder.rename(old, new)
        except FileNotFoundError:
            raise over(self.run_id) from None

    def unlink(self, name: str) -> None:
        """Remove a file, if the attempt is not over: then it is removed already."""
        with suppress(StoreError), self.opened() as folder:
            folder.unlink(name)


class OwnStaging(StagingArea):
    """The staging of the holder of a run, from the creation to the end of its folder.

    `system` stays open until `end`.
    """

    def __init__(self, run_id: str, system: FolderHandle, attempt: int, token: str) -> None:
        super().__init__(run_id, f"{attempt}-{token}", self._opened)
        self.held: HeldArtifacts = HeldArtifacts()
        self._system = system
        self._mutex = threading.Lock()
        """Held while the folder is used, so that no thread uses a descriptor that was closed."""
        self._over = False
        # not synced: if a power loss takes the folder away, so much the better
        with _ensured(system, STAGED) as staged:
            self.folder = staged.make_folder(self.name, durable=False)

    @contextmanager
    def _opened(self) -> Iterator[FolderHandle]:
        with self._mutex:
            if self._over:
                raise over(self.run_id)
            yield self.folder

    def end(self) -> None:
        """Take the folder out of everyone's reach, and remove it with what is left in it."""
        with self._mutex:
            if self._over:
                return
            self._over = True
            self.folder.close()
        self._system.rename(STAGED, OVER)
        with self._system.folder(OVER) as ended, ended.folder(self.name) as inner:
            left = inner.names()
        _remove(self._system, OVER)
        if left:  # or a power loss could bring back half of a record when the run is over
            self._system.sync()

    def forget(self) -> None:
        """Close it in a forked child: the folder is the parent's."""
        self._over = True
        self.folder.close()


def _ensured(folder: FolderHandle, name: str) -> FolderHandle:
    try:
        return folder.folder(name)
    except FileNotFoundError:
        return folder.make_folder(name, durable=False)


def over(run_id: str) -> StoreError:
    """Return the error for a call that is too late."""
    return StoreError(f"run {run_id} is over: nothing more is written")


def new_token() -> str:
    """Return a token that no other attempt has."""
    return os.urandom(TOKEN_BYTES).hex()


def current(system: FolderHandle) -> str | None:
    """Return the name of the folder of the attempt that a run is in; None if it is in none."""
    try:
        with system.folder(STAGED) as staged:
            return max(staged.names(), default=None)
    except FileNotFoundError:
        return None


# what earlier attempts left


def remove_earlier(system: FolderHandle) -> None:
    """Remove all that earlier attempts staged; only the holder of the run may do that."""
    found = [name for name in (STAGED, OVER) if system.has(name)]
    for name in found:
        _remove(system, name)
    if found:
        system.sync()


def _remove(folder: FolderHandle, name: str) -> None:
    """Remove a folder, or whatever has taken its place; another process may be removing it too."""
    while folder.has(name):
        with suppress(FileNotFoundError):
            folder.remove(name)


def mark(runs: FolderHandle, run_id: str, token: str) -> str:
    """Note, beside the runs, that a run is held with this token; return the name of the mark."""
    name = f"{MARK}{token}-{run_id}"
    runs.open(name, "new").close()
    return name


def marks_of(system: FolderHandle, run_id: str) -> list[str]:
    """Return the names of the marks that killed holders of a run left, by what they had staged."""
    found: list[str] = []
    for place in (STAGED, OVER):
        with suppress(OSError, IntegrityError), system.folder(place, foreign=True) as staged:
            found += [f"{MARK}{name.rpartition('-')[2]}-{run_id}" for name in staged.names()]
    return found


def remove_other_marks(runs: FolderHandle, run_id: str, own: str) -> None:
    """Remove the marks of earlier holders of a run, when what they had staged is removed.

    Only for its holder: others leave the marks of a run that is held.
    """
    for name in runs.names():
        is_mark = name.startswith(MARK) and name != own
        if is_mark and name.removeprefix(MARK).partition("-")[2] == run_id:
            runs.unlink(name)


def sweep_marked(runs: FolderHandle, name: str) -> None:
    """Remove what the holder that left a mark had staged, unless the run is held now.

    Only for a process that knows that no run is being created. A failure leaves the mark.
    """
    token, _, run_id = name.removeprefix(MARK).partition("-")
    with suppress(OSError, IntegrityError):
        with suppress(FileNotFoundError), runs.folder(run_id or ".", foreign=True) as run:
            with run.folder(SYSTEM, foreign=True) as system:
                # named before the lock is tried: the names of a later holder are not among them
                doomed = [*_staged_with(system, token)]
                if lock.holder(system) is not None:
                    return
                for place, folder in doomed:
                    with suppress(FileNotFoundError), system.folder(place, foreign=True) as staged:
                        _remove(staged, folder)
                        staged.sync()
        runs.unlink(name)


def _staged_with(system: FolderHandle, token: str) -> Iterator[tuple[str, str]]:
    for place in (STAGED, OVER):
        with suppress(FileNotFoundError), system.folder(place, foreign=True) as staged:
            yield from ((place, name) for name in staged.names() if name.endswith(f"-{token}"))
