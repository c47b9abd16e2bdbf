"""The staging of an attempt as a process sees it that does not hold the run, but works for it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from waivern.store.backend import FolderHandle
from waivern.store.publishing import HELD_BYTES
from waivern.store.staging import StagingArea


class JoinedStaging(StagingArea):
    """The staging of another process's attempt, and the small artifacts that travel to and fro.

    A small artifact is sent to the holder, which writes many of them in one group: a file of its
    own would cost a sync.
    """

    def __init__(
        self, run_id: str, name: str, opened: Callable[[], AbstractContextManager[FolderHandle]]
    ) -> None:
        super().__init__(run_id, name, opened)
        self._held: dict[str, bytes] = {}

    def hold(self, staged: str, data: bytes) -> bool:
        """Hold the bytes of a small artifact; return false if it is too large for that."""
        if len(data) > HELD_BYTES:
            return False
        self._held[staged] = data
        return True

    def held(self, staged: str) -> bytes | None:
        """Return the bytes of an artifact that is held here."""
        return self._held.get(staged)
