"""The tables of a store in a database, and the operations of a database that they need.

`files` has a row for each file and folder, `chunks` the bytes of the files. A number of a file is
never given twice. `step` precedes every statement, as "look" those that only read: the failure
tests replace it to fail or to stop the Nth one.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from waivern.errors import IntegrityError

if TYPE_CHECKING:
    from typing import Any

    Rows: TypeAlias = "list[tuple[Any, ...]]"

VERSION = 1
"""The version of the tables; a database of a later one is refused."""
ROOT = 1
"""The number of the store's own folder."""
PATIENCE_S = 30.0
"""The time for which a database that is locked or away is tried."""


def step(_operation: str, _name: str) -> None:
    """Precede every statement: nothing in the product, a fault in the failure tests."""


class DatabaseLock(ABC):
    """A lock that is held, until it is released or the process dies."""

    __slots__ = ()

    @abstractmethod
    def is_held(self) -> bool:
        """Return whether it still is: a database may release it when a connection breaks."""

    @abstractmethod
    def release(self) -> None:
        """Release it; releasing twice is harmless."""


class _Unlocked(DatabaseLock):
    """The lock of a reader that found nothing to lock."""

    __slots__ = ()

    def is_held(self) -> bool:
        return True

    def release(self) -> None:
        return


FREE = _Unlocked()


class Transaction(ABC):
    """A transaction of one thread: all of it becomes visible at once."""

    def __init__(self, *, durable: bool) -> None:
        self.durable = durable
        """Whether all of it is durable when it is committed; from then on, whether it is."""
        self.synced = durable
        """Whether all of it has to be durable when `Database.transaction` returns.

        A database that can decide that at the end sets `durable` then.
        """
        self._checked: set[tuple[int, int]] = set()
        self._held: set[int] = set()

    @abstractmethod
    def rows(self, statement: str, *values: object) -> Rows:
        """Execute a statement, whose placeholders are '?', and return its rows."""

    def hold(self, number: int) -> bool:
        """Let no other transaction rename into this folder; return whether it exists."""
        if number not in self._held and self._hold(number):
            self._held.add(number)
        return number in self._held

    @abstractmethod
    def _hold(self, number: int) -> bool:
        """Lock the row of a folder until the end, where several transactions write at a time."""

    @abstractmethod
    def fence_of(self, number: int) -> int | None:
        """Return the fence of a locked file, which stays so until the end; None: it was removed."""

    def check(self, fence: tuple[int, int] | None) -> None:
        """Raise IntegrityError if another process has taken the lock that guards a write.

        A fence is the number of the locked file and the count of its holders so far.
        """
        if fence is None or fence in self._checked:
            return
        if self.fence_of(fence[0]) != fence[1]:
            raise IntegrityError(
                "the run was taken from its owner: another process holds its lock",
                hint="wait until that process ends; then `wct runs verify` shows its result",
            )
        self._checked.add(fence)


class Database(ABC):
    """A database that has the tables of a store. Any thread may use it."""

    device: int
    """The `st_dev` of its files."""
    owner: int
    """The account that owns it."""

    def __init__(self) -> None:
        self._thread = threading.local()

    @property
    def current(self) -> Transaction | None:
        """The transaction that this thread is in."""
        return getattr(self._thread, "transaction", None)

    @abstractmethod
    def rows(self, statement: str, *values: object) -> Rows:
        """Execute a statement that only reads, within the transaction of this thread if any."""

    @abstractmethod
    def begin(self, *, durable: bool) -> Transaction:
        """Begin the transaction of this thread."""

    @abstractmethod
    def commit(self, transaction: Transaction) -> None:
        """Commit the transaction of this thread."""

    @abstractmethod
    def roll_back(self, transaction: Transaction) -> None:
        """Undo the transaction of this thread, after an error."""

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[Transaction]:
        """Let statements be one transaction; within another one of this thread, a part of it."""
        if (current := self.current) is not None:
            current.synced |= durable
            yield current
            return
        begun = self._thread.transaction = self.begin(durable=durable)
        try:
            yield begun
        except BaseException:
            begun.durable = False
            self._thread.transaction = None
            self.roll_back(begun)
            raise
        self._thread.transaction = None
        try:
            self.commit(begun)
            if begun.synced and not begun.durable:
                self._sync()
                begun.durable = True
        except BaseException:
            begun.durable = False
            raise

    def sync(self) -> None:
        """Make all that was committed durable; within a transaction, that as well at its end."""
        if (current := self.current) is not None:
            current.synced = True
        else:
            self._sync()

    @abstractmethod
    def _sync(self) -> None:
        """Make all that was committed durable."""

    @abstractmethod
    def lock(self, number: int, *, exclusive: bool, wait: bool, probe: bool) -> DatabaseLock | None:
        """Lock a file or folder; return None if it is not free.

        With `probe`, the caller only wants to know: it changes nothing.
        """
