"""Redirection of output that bypasses Python, so that stdout holds only the answer.

While user code may run, descriptors 1 and 2 lead to a pipe, and descriptor 0 to nothing. Output of
libraries in C and of child processes is passed on line by line. The command itself writes to copies
of the original descriptors.
"""

from __future__ import annotations

import faulthandler
import fcntl
import io
import os
import resource
import select
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from typing import TextIO
from weakref import WeakSet

from waivern.cli.ui.answer_stream import AnswerStream, reserve
from waivern.engine.logs import LINE_LIMIT
from waivern.files import high
from waivern.plugins import capture, child_processes

MOST_FILES = 65_536
"""The limit of open files to set, if possible. It is bounded because some programs close every
descriptor up to the limit, one by one."""
PIPE_BYTES = 1 << 20
"""The output that a library in C can write while it holds the interpreter's lock."""
DRAIN_S = 5.0

Say = Callable[[str], None]


def raise_file_limit() -> None:
    """Raise the soft limit of open files to the hard one, or to MOST_FILES."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class OutputRedirect:
    """Captures stdout and stderr while `taken` lasts, and passes their lines to `say`.

    Meanwhile the command writes its own messages to `err`.
    """

    def __init__(self, say: Say) -> None:
        self._lines = LineStream(say)
        self._own: list[int] = []
        self._pipe: _Pipe | None = None
        self.err: TextIO = sys.stderr
        if _streams_are_ours():
            raise_file_limit()
            self._own = [high(os.dup(fd)) for fd in (0, sys.stdout.fileno(), 2)]
            encoding = sys.stderr.encoding
            self.err = open(  # noqa: SIM115 - its descriptor is closed when the streams are back
                self._own[2], "w", encoding=encoding, errors="backslashreplace", closefd=False
            )
        _live.add(self)

    @property
    def own_stderr(self) -> int:
        """The descriptor for messages of this command."""
        return self._own[2] if self._own else 2

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Capture the streams; at the end, pass on all lines.

        From then on, sys.stdout is a copy of the original one, and descriptor 1 leads to stderr.
        """
        with ExitStack() as stack:
            if self._own:
                stack.enter_context(self._descriptors())
            else:
                stack.callback(self._lines.finish)
                stack.enter_context(redirect_stdout(self._lines))
                stack.enter_context(redirect_stderr(self._lines))
            yield

    def drain(self) -> None:
        """Pass on all output so far."""
        if self._pipe is not None:
            for stream in (sys.__stdout__, sys.__stderr__):
                if stream is not None:
                    with suppress(OSError, ValueError):
                        stream.flush()
            self._pipe.drain()

    def close(self) -> None:
        """Close the copies of the descriptors; `err` cannot be used any more."""
        with suppress(OSError):
            self.err.flush()
        self.release()

    def release(self) -> None:
        """Close the descriptors without a flush: a forked child must not repeat buffered text."""
        for fd in (*self._own, *(self._pipe.descriptors if self._pipe else ())):
            with suppress(OSError):
                os.close(fd)
        self._own, self._pipe = [], None

    @contextmanager
    def _descriptors(self) -> Iterator[None]:
        sys.stdout.flush()
        sys.stderr.flush()
        before = sys.stdin, sys.stdout, sys.stderr
        answer = sys.stdout if isinstance(sys.stdout, AnswerStream) else None
        self._pipe = pipe = _Pipe(self._lines)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.close(nowhere)
        child_processes.own_descendants()
        os.dup2(pipe.entry, 1)
        os.dup2(pipe.entry, 2)
        capture.own_stderr = self._own[2]
        crashes = faulthandler.is_enabled()
        faulthandler.enable(self._own[2])  # a crash in C reports its place
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", append=True)  # each artifact has its own log
                yield
        finally:
            sys.stdin, sys.stdout, sys.stderr = before
            answer = answer or reserve(self._own[1], sys.stdout.encoding, sys.stdout.errors)
            sys.stdout = answer
            # or the interpreter might wait for what user code left running
            child_processes.kill_all()
            self.drain()
            with suppress(OSError):  # messages cannot be written; the answer still can
                self.err.flush()
            faulthandler.enable(self._own[2]) if crashes else faulthandler.disable()
            capture.own_stderr = 2
            os.dup2(self._own[0], 0)
            for fd in (1, 2):
                os.dup2(self._own[2], fd)
            pipe.close()
            self._pipe = None


@contextmanager
def stdout_is_stderr() -> Iterator[None]:
    """Redirect stdout to stderr while user code is imported or inspected but not run."""
    if not _streams_are_ours():
        with redirect_stdout(sys.stderr):
            yield
        return
    sys.stdout.flush()
    answer = high(os.dup(1))
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os.dup2(answer, 1)
        os.close(answer)


def _streams_are_ours() -> bool:
    """Report whether the standard streams are those of the process, not a caller's own."""
    try:
        numbers = sys.stdout.fileno(), sys.stderr.fileno()
    except (OSError, ValueError, AttributeError):
        return False
    ours = numbers == (1, 2) or isinstance(sys.stdout, AnswerStream)
    return ours and threading.current_thread() is threading.main_thread()


class _Pipe:
    """A pipe and the thread that reads it."""

    def __init__(self, lines: LineStream) -> None:
        self._lines = lines
        exit_, entry = os.pipe()
        wake, waker = os.pipe()
        self._exit, self.entry = high(exit_), high(entry)
        self._wake, self._waker = high(wake), high(waker)
        os.set_blocking(self._exit, False)
        if hasattr(fcntl, "F_SETPIPE_SZ"):
            with suppress(OSError):
                fcntl.fcntl(self.entry, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._drained = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._serve, name="wct-output", daemon=True)
        self._thread.start()

    @property
    def descriptors(self) -> tuple[int, ...]:
        return self._exit, self.entry, self._wake, self._waker

    def drain(self) -> None:
        """Wait until everything in the pipe has been passed on."""
        self._drained.clear()
        with suppress(OSError):
            os.write(self._waker, b"x")
        self._drained.wait(DRAIN_S)

    def close(self) -> None:
        """Close the pipe; output of processes that still have it open is lost."""
        self._over = True
        self.drain()
        self._thread.join(DRAIN_S)
        for fd in self.descriptors:
            with suppress(OSError):
                os.close(fd)

    def _serve(self) -> None:
        with suppress(OSError, ValueError):  # a component has closed our descriptor
            poll = select.poll()
            poll.register(self._exit, select.POLLIN)
            poll.register(self._wake, select.POLLIN)
            while not self._over:
                ready = {fd for fd, _ in poll.poll()}
                self._read_all()
                if self._wake in ready:
                    os.read(self._wake, 64)
                    self._read_all()
                    self._lines.finish()
                    self._drained.set()
        self._drained.set()

    def _read_all(self) -> None:
        with suppress(BlockingIOError):
            while piece := os.read(self._exit, 1 << 16):
                self._lines.write_bytes(piece)


class LineStream(io.TextIOBase):
    """A thread-safe text stream that passes every line to `say`.

    A line that is too long is left out, not split: a secret could be split too, and then it would
    not be redacted.
    """

    def __init__(self, say: Say) -> None:
        super().__init__()
        self._say = say
        self._lock = threading.Lock()
        self._rest = bytearray()
        self._lost = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.write_bytes(text.encode(errors="backslashreplace"))
        return len(text)

    def write_bytes(self, data: bytes) -> None:
        """Write bytes of UTF-8."""
        with self._lock:
            *ends, rest = data.split(b"\n")
            lines = [self._ended(end) for end in ends]
            self._take(rest)
        for line in lines:
            self._say(line)

    def flush(self) -> None:
        """Do nothing: a line is passed on when it is whole, the last one by `finish`."""

    def finish(self) -> None:
        """Pass on the rest, which has no line break at its end."""
        with self._lock:
            rest = self._ended(b"")
        if rest:
            self._say(rest)

    def _take(self, data: bytes) -> None:
        self._rest += data
        if self._lost or len(self._rest) > LINE_LIMIT:
            self._lost += len(self._rest)
            self._rest.clear()

    def _ended(self, data: bytes) -> str:
        """Return the line that ends with `data`."""
        self._take(data)
        rest, lost = bytes(self._rest), self._lost
        self._rest.clear()
        self._lost = 0
        if lost:
            return f"(a line of {lost:,} bytes is left out)"
        return rest.decode(errors="backslashreplace").rstrip("\r")


_live: WeakSet[OutputRedirect] = WeakSet()


def _after_fork() -> None:
    # the reader of our stdout waits until every process has closed it
    for redirect in list(_live):
        capture.own_stderr = 2
        redirect.release()


os.register_at_fork(after_in_child=_after_fork)
