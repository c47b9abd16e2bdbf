"""The progress of a live run for other processes: a projection, removed when the attempt ends.

Progress is no event: nothing depends on it, and the last report is the only one of interest. So it
is not journaled, and written on a thread of its own, at most four times a second.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from waivern.clock import Clock
from waivern.errors import WaivernError
from waivern.message import Json
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.status import ArtifactStatus
from waivern.store.writers import Lease

EVERY_S = 0.25
ARTIFACTS = 100
"""The most artifacts that are named: those that reported last."""
_AT_WORK = (ArtifactStatus.NOT_STARTED, ArtifactStatus.RUNNING)


class ProgressFile:
    """The last progress of each artifact at work. A short run writes nothing."""

    def __init__(
        self,
        lease: Lease,
        record: RunRecord,
        clock: Clock,
        further: Callable[[str, Progress], None],
    ) -> None:
        self._lease = lease
        self._record = record
        self._clock = clock
        self._further = further
        self._last: dict[str, Progress] = {}
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def report(self, artifact: str, progress: Progress) -> None:
        """Record the progress of an artifact, and pass it on; on any thread, without waiting."""
        with self._lock:
            self._last.pop(artifact, None)
            self._last[artifact] = progress
            if self._thread is None and not self._over.is_set():
                self._thread = threading.Thread(
                    target=self._serve, name="waivern-progress", daemon=True
                )
                self._thread.start()
        self._news.set()
        self._further(artifact, progress)

    def close(self) -> None:
        """Remove the file; the lease is still held."""
        self._over.set()
        self._news.set()
        with self._lock:
            thread = self._thread
        if thread is not None:
            thread.join()

    def _serve(self) -> None:
        written = False
        with suppress(WaivernError):  # the run itself reports what is wrong with its store
            while not self._over.wait(EVERY_S):
                self._news.wait()
                self._news.clear()
                if not self._over.is_set():
                    self._lease.project_progress(self._document())
                    written = True
        if written:
            with suppress(WaivernError):
                self._lease.project_progress(None)

    def _document(self) -> dict[str, Json]:
        steps = self._record.steps
        with self._lock:
            self._last = {
                name: progress
                for name, progress in self._last.items()
                if name in steps and steps[name].status in _AT_WORK
            }
            last = list(self._last.items())[-ARTIFACTS:]
        return {"at": self._clock.now(), "artifacts": {name: each._asdict() for name, each in last}}
