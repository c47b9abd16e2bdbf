"""Possession of a run: the files that a lease has open are still those under their names.

A lock and a descriptor outlive the name they were opened by. Whoever removes the lock file lets a
second process in; whoever removes, truncates or moves the journal leaves its holder writing into a
file that no reader finds; a component that closes descriptors may have its own file opened under
their numbers. So the holder of a run looks before each commit, and writes no more if it lost it.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from waivern.errors import IntegrityError
from waivern.ids import SYSTEM
from waivern.store.disk import DiskFolder

HINT = (
    "look for another process or a clean-up that touched the run folder; "
    "then `wct runs verify` it before you resume it"
)


class _Opened(NamedTuple):
    """An open descriptor, the folder and the name it was opened by, and which file it is."""

    folder: DiskFolder
    name: str
    fd: int
    file: tuple[int, int]


class Possession:
    """The run folder, its records, its lock and its journal, as when the run was taken.

    So is `path`, which leads to the folder of all runs.
    """

    def __init__(
        self, path: str, runs: DiskFolder, run_id: str, run: DiskFolder, system: DiskFolder
    ) -> None:
        self._path = path
        self._runs = runs
        self._place = _file(os.fstat(runs.descriptor))
        self._opened: list[_Opened] = []
        self.add(runs, run_id, run.descriptor)
        self.add(run, SYSTEM, system.descriptor)

    def add(self, folder: DiskFolder, name: str, fd: int) -> None:
        """Take note of a file that is open now under its name."""
        self._opened.append(_Opened(folder, name, fd, _file(os.fstat(fd))))

    def check(self, journal: int, size: int) -> None:
        """Raise IntegrityError unless all are in their places, and the journal has `size` bytes."""
        for each in self._opened:
            try:
                mine = os.fstat(each.fd)
            except OSError:
                mine = None
            if mine is None or _file(mine) != each.file:
                raise _lost(f"its open file {each.name} was closed by something in this process")
            try:
                there = os.stat(each.name, dir_fd=each.folder.descriptor, follow_symlinks=False)
            except OSError as error:
                raise _lost(f"{each.name} is gone ({error.strerror})") from error
            if _file(there) != each.file:
                raise _lost(f"another file has taken the place of {each.name}")
            if each.fd == journal and mine.st_size != size:
                raise _lost(f"{each.name} has {mine.st_size} bytes, and {size} were written to it")
        self._check_path()

    def _check_path(self) -> None:
        try:
            there = os.stat(self._path)
        except PermissionError:  # of a folder above: whoever may look finds the store
            return
        except OSError as error:
            raise _lost(f"{self._path} is gone ({error.strerror})") from error
        if _file(there) != self._place:
            raise _lost(f"another folder has taken the place of {self._path}")

    def close(self) -> None:
        """Let the folder of all runs go."""
        self._runs.close()


def _file(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _lost(why: str) -> IntegrityError:
    return IntegrityError(f"the run was taken from its owner: {why}", hint=HINT)
