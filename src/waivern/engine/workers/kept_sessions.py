"""The calls that have ended, but for the threads and processes that they have left in a worker."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from waivern.engine.workers.call_session import CallSession

MOST_WITH_THREADS = 32
"""Workers that are kept because a component has left threads at work in them."""


class KeptSessions:
    """The sessions whose workers are kept for as long as may be. Thread-safe.

    Threads that are no daemons keep a worker until they have ended, daemons and child processes for
    as long as no more than `most` workers have such. Of too many, the oldest are ended.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._sessions: list[CallSession] = []
        self._lock = threading.Lock()

    def at_work(self) -> list[CallSession]:
        """Return the sessions, each with the threads that are at work now."""
        with self._lock:
            for session in self._sessions:
                session.linger()
            return list(self._sessions)

    def add(self, session: CallSession) -> list[tuple[str, str]]:
        """Keep one more; return the artifacts whose threads were ended for it, and the reason."""
        with self._lock:
            self._sessions.append(session)
            for each in self._sessions:
                each.linger()
            without = [each for each in self._sessions if not each.threads][: -self._most]
            threaded = [each for each in self._sessions if each.threads][:-MOST_WITH_THREADS]
            for each in (*without, *threaded):
                self._sessions.remove(each)
                each.end()
        reason = f"its threads are ended: {MOST_WITH_THREADS} workers after it have some, too"
        return [(each.artifact, reason) for each in threaded]
