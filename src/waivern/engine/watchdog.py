"""The last resort of the time limit: ends the process when the interpreter itself is held up.

A component that blocks in C without releasing the interpreter's lock stops every thread, the
loop's too. The kernel's timer needs no thread: where the loop could not keep the limit, it ends
the process a little later, and the run is one that was interrupted.
"""

from __future__ import annotations

import faulthandler
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from waivern.plugins import capture

LATE_S = 2.0
"""How long the interpreter may be held up after the limit, or at the end of the run."""


@contextmanager
def watched(limit_s: float | None) -> Iterator[Callable[[], None]]:
    """See that the process does not outlive a limit by much; only in the main thread.

    It is ended by SIGALRM (exit code 142), after the stack of every thread was printed. If
    the process uses the alarm for something else, the limit is not watched.

    The caller calls what is yielded when the run ends within its limit: the end may take as long as
    the disk does, and the process is ended only if no thread gets a turn.
    """
    taken = signal.getitimer(signal.ITIMER_REAL) != (0.0, 0.0)
    if limit_s is None or taken or signal.getsignal(signal.SIGALRM) is not signal.SIG_DFL:
        yield lambda: None
        return
    over = threading.Event()
    pulse = threading.Thread(target=_beat, args=(over,), name="waivern-pulse", daemon=True)
    _set(limit_s + LATE_S)
    try:
        yield pulse.start
    finally:
        over.set()
        if pulse.ident is not None:
            pulse.join()
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()


def _beat(over: threading.Event) -> None:
    while not over.is_set():
        _set(LATE_S)
        over.wait(LATE_S / 4)


def _set(seconds: float) -> None:
    """Have the kernel end the process in so many seconds, unless this is called again."""
    early = LATE_S / 4
    faulthandler.dump_traceback_later(seconds - early, exit=False, file=capture.own_stderr)
    signal.setitimer(signal.ITIMER_REAL, seconds)
