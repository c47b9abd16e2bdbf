"""The entry point of `wct`, which answers `--version` before anything else is imported."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal itself costs more than `--version`
import atexit
import gc
import os
import sys
from types import FrameType

UNHURRIED_S = 5.0
"""The seconds that the handlers of components may take at the end of the process."""
HURRIED_S = 0.5
"""The same after a time limit or a signal."""


def script() -> None:
    """Carry out the command line and end the process.

    The handler that is registered first is called last, after those of components. It skips the
    teardown of the interpreter, which would take a sixth of a short run.
    """
    _exit_on_interrupt()
    code = 70

    def leave() -> None:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    atexit.register(leave)
    # Imports and plans create many lasting objects and little garbage: a search for cycles at every
    # 700 objects would take a twentieth of a run.
    gc.set_threshold(100_000, 20, 20)
    code = main()
    _end_answer()
    _limit_exit(code)
    sys.exit(code)


def _end_answer() -> None:
    """Redirect output of user code at the end of the process to stderr."""
    if "threading" in sys.modules:
        from waivern.cli.ui.answer_stream import end

        end()


def _limit_exit(code: int) -> None:
    """Limit the time that the interpreter waits for threads, child processes and `atexit`."""
    if "threading" not in sys.modules:
        return  # nothing was started
    import threading
    import time

    seconds = HURRIED_S if code in (8, 129, 130, 143) else UNHURRIED_S

    def leave(*_signal_and_frame: object) -> None:
        os.write(2, b"wct: exited without waiting for the exit handlers of components\n")
        if (started := sys.modules.get("waivern.plugins.child_processes")) is not None:
            started.kill_all()
        os._exit(code)

    def leave_in_time() -> None:
        time.sleep(seconds)
        leave()

    for number in (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP):
        if _signal.getsignal(number) is not _signal.SIG_IGN:
            _signal.signal(number, leave)  # the answer is complete
    threading.Thread(target=leave_in_time, name="wct-leave", daemon=True).start()


def _exit_on_interrupt() -> None:
    """Exit at SIGINT: an exception would interrupt imports and cleanup at any point.

    Nothing is lost, as in any other crash. A running run has a handler of its own.
    """
    process = os.getpid()

    def interrupt(number: int, frame: FrameType | None) -> None:
        if os.getpid() != process:  # a child that user code has forked
            _signal.default_int_handler(number, frame)
        started = sys.modules.get("waivern.plugins.child_processes")
        if getattr(started, "last_words", None):
            started.leave(number)  # type: ignore[union-attr]
        os.write(2, b"interrupted before anything was started\n")
        os._exit(128 + number)

    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, interrupt)


def _open_standard_streams() -> None:
    """Open closed standard streams on /dev/null, or a file of a run would get their number."""
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
    _open_standard_streams()
    args = sys.argv[1:]
    if args == ["--version"]:
        from waivern import __version__

        sys.stdout.write(f"wct {__version__}\n")
        return 0
    from waivern.cli.wct import wct

    if "_WCT_COMPLETE" in os.environ:  # a shell asks for words
        from waivern.cli.ui.completion import answer

        return answer(wct)
    from waivern.cli.ui.guard import guarded

    return guarded(wct, "wct", args)  # has flushed what was written
