"""The watch for requests to a run, which other processes can only leave as files."""

from __future__ import annotations

import threading

from waivern.engine.inbox import Inbox
from waivern.engine.run_controls import RunControls


class RequestWatch:
    """A thread that looks for requests from time to time, and puts them into the loop's inbox."""

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
            for request in self._controls.requested():
                self._inbox.put(request)
            self._over.wait(self._controls.watch_s)
