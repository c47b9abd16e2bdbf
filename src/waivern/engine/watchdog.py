"""The last resort of the time limit: ends the process when the interpreter itself is held up.

A component that blocks in C without letting go of the interpreter's lock stops every thread, the
loop's too. The kernel's timer needs no thread: where the loop could not keep the limit, it ends
the process a little later, and the run is one that was interrupted.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

LATE_S = 2.0
"""How long after its limit a run is given to end by itself."""


@contextmanager
def watched(limit_s: float | None) -> Iterator[None]:
    """See that the process does not outlive a limit by much; only in the main thread.

    It is ended by SIGALRM (exit code 142), after the stack of every thread was printed. A limit
    that somebody else's alarm stands in the way of is not watched.
    """
    taken = signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0)
    if limit_s is None or taken or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        yield
        return
    stderr = sys.__stderr__
    if stderr is not None:
        faulthandler.dump_traceback_later(limit_s + LATE_S * 0.75, exit=False, file=stderr)
    signal.setitimer(signal.ITIMER_REAL, limit_s + LATE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
