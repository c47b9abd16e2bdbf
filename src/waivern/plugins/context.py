"""The only hand a component is given: a sink for progress, log lines and coverage."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from waivern.errors import ComponentError
from waivern.message import Json
from waivern.plugins.imports import Imports

if TYPE_CHECKING:
    import logging


class Coverage:
    """What was looked at and what was not, in counts and by name.

    `seen` is always `read + skipped`; both count items, also where one name stands for many.
    Not thread-safe: one component call, one coverage.
    """

    def __init__(self) -> None:
        self.read = 0
        self.skipped: list[tuple[str, str, int]] = []
        self.left_out: Counter[str] = Counter()
        """How much of what was skipped nobody asked for, by reason."""
        self.sampled: list[tuple[str, int, int | None]] = []

    def document(self) -> dict[str, Json] | None:
        """Return the record for the artifact's file; None if nothing was counted."""
        if not (self.read or self.skipped or self.sampled):
            return None
        reasons: Counter[str] = Counter()
        for _, reason, count in self.skipped:
            reasons[reason] += count
        return {
            "seen": self.read + reasons.total(),
            "read": self.read,
            "skipped": reasons.total(),
            "left_out": self.left_out.total(),
            "reasons": dict(sorted(reasons.items())),
            "items": [
                {"item": item, "reason": reason} | ({} if count == 1 else {"count": count})
                for item, reason, count in self.skipped
            ],
            "sampled": [
                {"item": item, "read": read, "total": total} for item, read, total in self.sampled
            ],
        }


T = TypeVar("T")
_NOTHING = object()


class Memo:
    """What several calls make once and share. Thread-safe; who hangs, holds up its own key only."""

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}
        self._making: dict[Hashable, threading.RLock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returned under this key; an error is raised, and not kept."""
        made = self._made.get(key, _NOTHING)
        if made is _NOTHING:
            with self._lock:
                making = self._making.setdefault(key, threading.RLock())
            with making:
                if key not in self._made:
                    self._made[key] = make()
                made = self._made[key]
        return cast(T, made)


class Context:
    """Handed to every component call.

    `base` is the folder that relative paths of the runbook start from; `emit_log` and
    `emit_progress` are where log lines and progress go, from any thread; `resume_data` is what a
    component that raised Suspend was waiting for, empty on a first call; `memo` is shared by the
    calls of an attempt. `kept_in` is the folder in which runs are kept, if there is one: what lies
    there is no source, and changes while it is read. `imports` has the modules of the user's
    folders.
    """

    def __init__(
        self,
        artifact: str,
        base: Path,
        emit_log: Callable[[str], None] = lambda _line: None,
        emit_progress: Callable[[int, int | None], None] = lambda _n, _total: None,
        resume_data: Mapping[str, Json] = MappingProxyType({}),
        memo: Memo | None = None,
        kept_in: Path | None = None,
        imports: Imports | None = None,
    ) -> None:
        self.artifact = artifact
        self.kept_in = kept_in
        self.base = base
        self.resume_data = dict(resume_data)
        self.coverage = Coverage()
        self._emit_log = emit_log
        self._emit_progress = emit_progress
        self._memo = memo or Memo()
        self.imports = imports or self._memo.get("imports", Imports)

    @cached_property
    def log(self) -> logging.Logger:
        """A logger of this artifact alone; its lines land in the artifact's log."""
        from waivern.plugins.log import forwarding  # most components say nothing

        return forwarding(self.artifact, self._emit_log)

    def path(self, text: str) -> Path:
        """Return a path of the runbook: absolute as it is, otherwise from the runbook's folder.

        Raises ComponentError for text that no file system could take as a path.
        """
        if "\0" in text:
            raise ComponentError(f"not a path: {text!r}", hint="a path cannot hold a NUL")
        try:
            return self.base / Path(text).expanduser()
        except RuntimeError as error:  # '~name' of nobody
            raise ComponentError(f"not a path: {text!r}: {error}") from error

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returns, called once an attempt for all artifacts that give this key.

        For what is dear to make and the same for many: a file of code, a connection. Others wait
        while it is made. Begin the key with the component's name.
        """
        return self._memo.get(key, make)

    def progress(self, n: int, total: int | None = None) -> None:
        """Say that `n` of `total` items are done (None: nobody knows how many there are)."""
        self._emit_progress(n, total)

    def read(self, count: int = 1) -> None:
        """Count items that were looked at. Raises ComponentError for what is no count."""
        self.coverage.read += _count(count)

    def skipped(self, item: str, reason: str, count: int = 1) -> None:
        """Record an item that was not looked at, and why ('binary', 'too large', 'denied').

        `count` is more than 1 where one name stands for many items: a folder for its files. Raises
        ComponentError for what is no count.
        """
        self.coverage.skipped.append((item, reason, _count(count)))

    def left_out(self, item: str, reason: str, count: int = 1) -> None:
        """Record an item that was not looked at because nobody asked for it ('excluded').

        It is skipped like any other, but does not count against how much of a source was read.
        """
        self.skipped(item, reason, count)
        self.coverage.left_out[reason] += count

    def sampled(self, item: str, read: int, total: int | None) -> None:
        """Record an item of which only the first `read` of `total` parts were looked at.

        None: nobody knows how many there are. Raises ComponentError for what is no count.
        """
        total = None if total is None else _count(total)
        self.coverage.sampled.append((item, _count(read), total))


def _count(count: object) -> int:
    """Return a count that JSON can say exactly, wherever it is read."""
    if type(count) is not int or not 0 <= count < 1 << 53:
        raise ComponentError(f"not a count: {count!r:.100}", hint="count in whole numbers from 0")
    return count
