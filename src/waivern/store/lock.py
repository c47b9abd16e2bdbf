"""The lock of a run: a kernel lock on `_system/lock`, held for the life of the process.

The kernel frees it within milliseconds of any death, so nothing is ever unlocked by hand.
"""

from __future__ import annotations

import json
import os
import time
from weakref import WeakSet

from waivern.clock import rfc3339
from waivern.errors import RunLockedError, RunNotFoundError
from waivern.store.backend import FileHandle, FolderHandle
from waivern.store.layout import LOCK
from waivern.store.store_values import Owner

NAME = LOCK
PATIENCE_S = 0.25
"""The time for which a lock is tried: the probe of a reader holds it for microseconds."""


class HeldLock:
    """The lock file of one run, open; held from `take` to `release`."""

    __slots__ = ("__weakref__", "file")

    def __init__(self, file: FileHandle) -> None:
        self.file = file
        _held.add(self)

    def take(self) -> bool:
        """Try for PATIENCE_S to take the lock; return whether it was free."""
        deadline = time.monotonic() + PATIENCE_S
        while not self.file.lock(exclusive=True):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.005)
        return True

    def is_file_of(self, system: FolderHandle) -> bool:
        """Return whether the run that was locked is still the one in its place."""
        return system.same_file(NAME, self.file)

    def sign(self, owner: Owner) -> None:
        """Write the holder into the lock file, for others to read."""
        text = json.dumps({"host": owner.host, "pid": owner.pid, "since": owner.since})
        self.file.overwrite(text.encode() + b"\n")

    def release(self) -> None:
        """Release the lock; releasing twice is harmless."""
        self.file.close()


_held: WeakSet[HeldLock] = WeakSet()


def _after_fork() -> None:
    # The lock belongs to the open file that a forked child shares: only closing it there keeps
    # the child from holding the run after its parent's death (unlocking would free the parent's).
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_after_fork)


def this_process() -> Owner:
    """Return this process as an owner."""
    return Owner(os.uname().nodename, os.getpid(), rfc3339(time.time()))


def acquire(system: FolderHandle, run_id: str, owner: Owner) -> HeldLock:
    """Lock the run whose `_system` folder this is.

    Raises RunLockedError, naming the holder, or RunNotFoundError if it was removed meanwhile.
    """
    lock = HeldLock(system.open(NAME, "lock"))
    if not lock.take():
        lock.release()
        raise locked_error(run_id, _signed(system))
    if not lock.is_file_of(system):
        lock.release()
        raise RunNotFoundError(
            f"run {run_id} was removed while it was being locked",
            hint="`wct runs` lists the runs there are",
        )
    lock.sign(owner)
    return lock


def locked_error(run_id: str, owner: Owner) -> RunLockedError:
    """Return the error that names the holder of a run."""
    return RunLockedError(
        f"run {run_id} is running: process {owner.pid} on {owner.host}, since {owner.since}",
        hint="wait until it ends (`wct runs` shows when), or stop that process",
    )


def holder(system: FolderHandle) -> Owner | None:
    """Return the holder of the run's lock, without taking it; None if it is free."""
    try:
        return read_owner(system) if system.is_locked(NAME) else None
    except FileNotFoundError:
        return None


def _signed(system: FolderHandle) -> Owner:
    """Return the holder of the lock, waiting shortly for one that has not signed it yet."""
    deadline = time.monotonic() + PATIENCE_S
    while not _is_alive(owner := read_owner(system)) and time.monotonic() < deadline:
        time.sleep(0.005)
    return owner


def _is_alive(owner: Owner) -> bool:
    if owner.pid <= 0:
        return False
    if owner.host != os.uname().nodename:
        return True  # as far as can be known from here
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False  # what the file says is from before
    except PermissionError:
        pass
    return True


def read_owner(system: FolderHandle) -> Owner:
    """Return the owner that signed the lock file last."""
    try:
        document = json.loads(system.read(NAME, limit=4096))
        return Owner(str(document["host"]), int(document["pid"]), str(document["since"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return Owner("an unknown host", 0, "just now")  # caught between locking and signing
