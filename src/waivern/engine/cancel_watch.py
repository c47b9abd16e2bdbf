"""The watch for a request to cancel a run, which another process can only leave as a file."""

from __future__ import annotations

import threading

from waivern.engine.inbox import CancelRequested, Inbox
from waivern.engine.run_controls import RunControls


class CancelWatch:
    """A thread that looks for the request from time to time, and puts it into the loop's inbox."""

    def __init__(self, controls: RunControls, inbox: Inbox) -> None:
        self._controls = controls
        self._inbox = inbox
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="waivern-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, patience_s: float) -> None:
        """End the thread, so that no thread of an ended run is left in a program."""
        self._over.set()
        self._thread.join(patience_s)

    def _watch(self) -> None:
        while not self._over.is_set():
            if (request := self._controls.cancelled()) is not None:
                note = request.get("note")
                by = str(request.get("by"))
                self._inbox.put(CancelRequested(by, None if note is None else str(note)))
                return
            self._over.wait(self._controls.watch_s)
