"""The entry of `wct`. Answers `--version` before anything else is imported."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself costs more than `--version`
import atexit
import gc
import os
import sys
from types import FrameType

UNHURRIED_S = 5.0
"""Seconds that what components registered for the end of the process may take."""
HURRIED_S = 0.5
"""The same after a time limit or a signal."""


def script() -> None:
    """Be the process `wct`: carry out its command line and leave.

    What was registered first is called last at the end: all that components have left to do is
    done by then, and to take the interpreter apart would cost a sixth of a short run.
    """
    _leave_on_interrupt()
    code = 70

    def leave() -> None:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    atexit.register(leave)
    # Imports and plans make much that stays and little garbage: to look for circles among it at
    # every 700 objects would cost a twentieth of a run.
    gc.set_threshold(100_000, 20, 20)
    code = main()
    _end_answer()
    _leave_soon(code)
    sys.exit(code)


def _end_answer() -> None:
    """Have what user code prints at the end of the process go to stderr."""
    if "threading" in sys.modules:
        from waivern.cli.ui.answer_stream import end

        end()


def _leave_soon(code: int) -> None:
    """Bound what the interpreter waits for at its end: threads, child processes, `atexit`."""
    if "threading" not in sys.modules:
        return  # nothing was started
    import threading
    import time

    seconds = HURRIED_S if code in (8, 129, 130, 143) else UNHURRIED_S

    def leave(*_signal_and_frame: object) -> None:
        os.write(2, b"wct: left without waiting for what components registered for the end\n")
        if (started := sys.modules.get("waivern.plugins.child_processes")) is not None:
            started.kill_all()
        os._exit(code)

    def leave_in_time() -> None:
        time.sleep(seconds)
        leave()

    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, leave)  # the answer, with its exit code, has been given
    threading.Thread(target=leave_in_time, name="wct-leave", daemon=True).start()


def _leave_on_interrupt() -> None:
    """Leave at SIGINT, wherever it comes: an exception would break off imports and cleanup.

    Nothing is lost that way, as nothing is by any other death. While a run is at work, its own
    handler takes the place of this one.
    """
    process = os.getpid()

    def hear(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a child that user code has forked
            _signal.default_int_handler(number, frame)
        started = sys.modules.get("waivern.plugins.child_processes")
        if getattr(started, "last_words", None):
            started.leave(number)  # type: ignore[union-attr]
        os.write(2, b"interrupted before anything was started\n")
        os._exit(128 + number)

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, hear)


def _occupy() -> None:
    """Let standard streams that are closed lead nowhere: a run's file would take their number."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # takes the lowest number
    sys.stdin = sys.stdin or open(0, closefd=False)  # noqa: SIM115
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115


def main() -> int:
    """Carry out the command line and return the exit code."""
    _occupy()
    args = sys.argv[1:]
    if args == ["--version"]:
        from waivern import __version__

        sys.stdout.write(f"wct {__version__}\n")
        return 0
    from waivern.cli.ui.guard import guarded
    from waivern.cli.wct import wct

    return guarded(wct, "wct", args)  # has flushed what was written
