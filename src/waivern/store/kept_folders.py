"""The folders of a store that stay open while a run is held, so that its artifacts share them."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from waivern.store.backend import Backend, FolderHandle
from waivern.store.cache_index import Shards

CHECKED_S = 0.05
"""How long a check holds: what is read meanwhile could as well have been read at its time."""
MOST = 16
"""Folders that stay open, those that have lost their place included."""


class KeptFolders:
    """Open folders by their paths below the root of a store. Thread-safe.

    A folder is handed out for as long as its path still leads to it. It is closed at the end, not
    when it has lost its place: another thread may be reading there.
    """

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._lock = threading.Lock()
        self._folders: dict[str, FolderHandle] = {}
        self._checked: dict[str, float] = {}
        """When a path was found to lead to its folder."""
        self._lost: list[FolderHandle] = []
        self.shards = Shards()
        """What was read in the folder of the cache."""

    def __reduce__(self) -> tuple[object, ...]:
        return KeptFolders, (self._backend,)  # a copy has opened nothing

    def get(self, path: str) -> FolderHandle | None:
        """Return the folder that is open and still at its place; None: it is to be opened."""
        folder = self._folders.get(path)
        if folder is None or time.monotonic() - self._checked.get(path, 0) < CHECKED_S:
            return folder
        return folder if self.in_place(path, folder) else None

    def in_place(self, path: str, folder: FolderHandle) -> bool:
        """Report whether a path still leads to an open folder."""
        now = time.monotonic()
        found = self._backend.leads_to(path, folder)
        self._checked[path] = now if found else 0
        return found

    def keep(self, path: str, folder: FolderHandle) -> bool:
        """Leave a folder open, and return true; false: its opener is to close it."""
        if not self._backend.lasting:
            return False
        with self._lock:
            if len(self._folders) + len(self._lost) >= MOST:
                return False
            if (before := self._folders.get(path)) is not None:
                if self.in_place(path, before):  # another thread was quicker
                    return False
                self._lost.append(before)
            self._folders[path], self._checked[path] = folder, time.monotonic()
            return True

    def close(self) -> None:
        """Close all folders. They may be opened and kept again."""
        with self._lock:
            folders = [*self._folders.values(), *self._lost]
            self._folders.clear()
            self._lost.clear()
            self.shards.clear()
        for folder in folders:
            with suppress(OSError):
                folder.close()
