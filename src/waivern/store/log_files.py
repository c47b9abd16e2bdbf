"""The logs of a run: text of components, appended as it comes and read from its end."""

from __future__ import annotations

import os
from contextlib import suppress

from waivern.ids import SYSTEM
from waivern.store.backend import FileHandle
from waivern.store.layout import RUNS, Layout, log_parts
from waivern.store.os_errors import explained
from waivern.store.writers import LogSink

LOG_BYTES = 16 << 20
"""The size of the end of a log that is read; components write less."""


class LogFile(LogSink):
    """A log that is opened when it is first written to: most artifacts write nothing."""

    def __init__(self, at: Layout, run_id: str, key: str | None) -> None:
        self._at = at
        self._run_id = run_id
        self._key = key
        self._file: FileHandle | None = None

    def write(self, text: str) -> None:
        with explained(f"write the log of {self._key or self._run_id!r}"):
            if self._file is None:
                with self._at.log(self._run_id, self._key, make=True) as (folder, name):
                    self._file = folder.open(name, "append")
            self._file.write(text.encode(errors="backslashreplace"))

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # a component may have closed it already
                file.close()


def read(at: Layout, run_id: str, key: str | None) -> str:
    """Return the end of a log; empty if there is none."""
    with explained(f"read the log of {key or run_id!r}"):
        try:
            with at.log(run_id, key) as (folder, name):
                return folder.read_tail(name, LOG_BYTES).decode(errors="replace")
        except FileNotFoundError:
            return ""


def path(store: str, run_id: str, key: str | None) -> str | None:
    """Return the path of a log of a store on a disk; None if there is none."""
    found = os.path.join(store, RUNS, run_id, SYSTEM, *log_parts(key))
    return found if os.path.isfile(found) else None
