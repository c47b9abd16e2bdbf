"""The store in memory: for tests, and for runs that leave nothing behind."""

from __future__ import annotations

from waivern.store.backend_store import BackendStore
from waivern.store.memory_backend import MemoryBackend


class AsyncInMemoryStore(BackendStore):
    """A store that lives as long as the object. Thread-safe; other processes do not see it."""

    def __init__(self) -> None:
        super().__init__(MemoryBackend())
