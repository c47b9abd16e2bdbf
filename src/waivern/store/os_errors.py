"""Errors of the operating system, turned into errors of the store with hints."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from waivern.errors import OPEN_FILES_HINT, StoreError

T = TypeVar("T")


@contextmanager
def explained(action: str) -> Iterator[None]:
    """Turn an operating system error into a StoreError that says which action failed.

    A FileNotFoundError passes: whether absence is an error is the caller's decision.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise failure(action, error) from error


def until_undisturbed(action: Callable[[], T]) -> T:
    """Call `action` again while another process has changed what it had locked.

    A lock of a store in a bucket keeps no other process out: its holder gets EAGAIN instead, and
    then nothing of what it wrote is there.
    """
    while True:
        try:
            return action()
        except BlockingIOError:
            continue


def failure(action: str, error: OSError) -> StoreError:
    """Return the error to raise for an action that failed."""
    message = f"cannot {action}: {error.strerror or error}"
    return StoreError(message, hint=_HINTS.get(error.errno or 0))


_HINTS = {
    28: "free some space, then resume the run",
    122: "the disk quota is used up: free some space, then resume the run",
    30: "the file system is read-only: choose another store with --store",
    24: OPEN_FILES_HINT,
    13: "the store's folders must belong to you: see `ls -ld`, or choose another with --store",
    errno.EBUSY: "another process uses the database for long: wait until it ends, then try again",
    errno.EHOSTUNREACH: "check that the server runs and can be reached; then resume the run",
    errno.ESTALE: "resume the run: it is as the journal says, and no longer held",
}
