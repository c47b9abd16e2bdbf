"""Possession of a run: the files that a lease has open are still those under their names.

A lock and a descriptor outlive the name they were opened by. If the lock file is removed, a second
process can lock the run. If the journal is removed, truncated or moved, its holder writes into a
file that no reader finds. If a component closes descriptors that it does not own, the next file it
opens may get their numbers. So the holder checks before each commit, and stops writing if the run
is no longer its own.
"""

from __future__ import annotations

from waivern.errors import IntegrityError
from waivern.ids import SYSTEM
from waivern.store.backend import Backend, FileHandle, FolderHandle, OpenHandle
from waivern.store.port import HeldFile, identity

HINT = (
    "look for another process or a clean-up that touched the run folder; "
    "then `wct runs verify` it before you resume it"
)


class Possession:
    """The run folder, its records, its lock and its journal, as when the run was taken.

    So is the folder of all runs, `runs`, and the way of the backend to it.
    """

    def __init__(
        self,
        backend: Backend,
        runs: FolderHandle,
        run_id: str,
        run: FolderHandle,
        system: FolderHandle,
    ) -> None:
        self._backend = backend
        self._runs = runs
        self._opened: list[HeldFile] = []
        self.add(runs, run_id, run)
        self.add(run, SYSTEM, system)

    def add(self, folder: FolderHandle, name: str, handle: OpenHandle) -> None:
        """Record a file or folder that is open now under its name."""
        self._opened.append(HeldFile(folder, name, handle, identity(handle.stat())))

    def check(self, journal: FileHandle, size: int) -> None:
        """Raise IntegrityError unless all are in their places, and the journal has `size` bytes."""
        held = [
            each._replace(size=size) if each.handle is journal else each for each in self._opened
        ]
        self._backend.require(held, self._runs, lambda: self._check(held))

    def _check(self, held: list[HeldFile]) -> None:
        if (why := self._backend.displaced(self._runs)) is not None:
            raise _lost(why)
        for each in held:
            try:
                mine = each.handle.stat()
            except OSError:
                mine = None
            if mine is None or identity(mine) != each.identity:
                raise _lost(f"its open file {each.name} was closed by something in this process")
            try:
                there = each.folder.stat(each.name)
            except OSError as error:
                raise _lost(f"{each.name} is gone ({error.strerror})") from error
            if identity(there) != each.identity:
                raise _lost(f"another file has taken the place of {each.name}")
            if each.size not in (None, mine.st_size):
                raise _lost(
                    f"{each.name} has {mine.st_size} bytes, and {each.size} were written to it"
                )

    def close(self) -> None:
        """Close the folder of all runs."""
        self._runs.close()


def _lost(why: str) -> IntegrityError:
    return IntegrityError(f"the run was taken from its owner: {why}", hint=HINT)
