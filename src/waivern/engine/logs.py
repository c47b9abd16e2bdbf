"""The logs of one attempt: one for each artifact, and one for what no artifact can be named for.

Lines are written in groups, a tenth of a second after the first of them at the latest: to redact
and to append them one by one would cost a second for every 15,000. Each log keeps its beginning and
the end of what exceeds its limit.
"""

from __future__ import annotations

import codecs
import os
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from weakref import WeakSet

from waivern.errors import WaivernError
from waivern.plugins.capture import captured
from waivern.store.writers import LogSink

LINE_LIMIT = 2**16
"""Characters; a longer line is left out whole: in pieces, no secret in it could be redacted."""
LOG_LIMIT = 2**20
"""Characters of one log that are written as they come; after that, only the last lines are."""
LAST = 20
"""How many lines those are."""
GROUP = 2**16
"""Characters that wait to be written before the thread that prints more has to write them."""
TICK_S = 0.1
WARNINGS = 1000
"""How many different warnings of an artifact are known apart."""

OpenLog = Callable[[str | None], LogSink]
"""Opens the log of an artifact for appending; None is the run's own."""
Echo = Callable[[str | None, str], None]
"""Shows a line, and whose it is."""


class ArtifactLog:
    """One log: whole lines in, redacted and bounded text out. Thread-safe."""

    def __init__(self, name: str | None, logs: RunLogs) -> None:
        self.name = name
        self.sink: LogSink | None = None
        """Open from the first line on until `finish`."""
        self._logs = logs
        self._decoder: codecs.IncrementalDecoder | None = None
        """Made when it is needed, for most components print no bytes, or nothing at all."""
        self._warned: set[object] = set()
        self._logged = 0
        self._left_out = 0
        self.restart()

    def restart(self) -> None:
        """Forget what is not written yet: the process that this one was forked from writes it."""
        self._lock = threading.RLock()  # a finaliser may print while its thread is in here
        self._lines: list[tuple[str, bool]] = []
        self._waiting = 0
        self._rest: list[str] = []
        self._rest_length = 0
        self._last: deque[str] = deque(maxlen=LAST)

    def write(self, text: str, *, echo: bool = True) -> None:
        """Take text that was printed: any part of a line, or several."""
        with self._lock:
            *ends, rest = text.split("\n")
            for end in ends:
                self._take_rest(end)
                self._end_line(echo=echo)
            self._take_rest(rest)
            if self._logs.prompt:
                self._logs.unfinished("".join(self._rest))

    def write_bytes(self, data: bytes, *, echo: bool = True) -> None:
        """Take bytes that were printed, as UTF-8."""
        with self._lock:
            if self._decoder is None:
                self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
            self.write(self._decoder.decode(data), echo=echo)

    def line(self, text: str, *, echo: bool = False) -> None:
        """Take whole lines; with `echo`, they are also shown to the user who watches the run."""
        with self._lock:
            for line in text.split("\n"):
                if len(line) > LINE_LIMIT:
                    self._add(f"(a line of {len(line):,} characters is left out)", echo)
                else:
                    self._add(line, echo)

    def warning(self, key: object, text: str) -> None:
        """Take a warning, unless it was taken before."""
        with self._lock:
            if key not in self._warned and len(self._warned) < WARNINGS:
                self._warned.add(key)
                self.line(text, echo=True)

    def flush(self) -> None:
        """Write what was printed so far in a forked child, which may end without a word."""
        if self._logs.forked:
            self.finish()

    def finish(self) -> None:
        """Write all of it, with the end of what exceeded the limit."""
        with self._lock:
            if self._decoder is not None:  # it may hold the beginning of a character
                self._take_rest(self._decoder.decode(b"", final=True))
            if self._rest_length:
                self._end_line()
                self._logs.unfinished("")
            if self._left_out:
                if more := self._left_out - len(self._last):
                    self._lines.append((f"({more:,} lines are left out)", False))
                self._lines += [(line, False) for line in self._last]
                self._last.clear()
                self._left_out = 0
            if self._lines:
                self.write_out()
            sink, self.sink = self.sink, None
            if sink is not None:
                sink.close()

    def write_out(self) -> None:
        """Append the lines that wait."""
        with self._lock:
            lines, self._lines, self._waiting = self._lines, [], 0
            if lines:
                self._logs.append(self, lines)

    def _take_rest(self, text: str) -> None:
        self._rest_length += len(text)
        if text and self._rest_length <= LINE_LIMIT:
            self._rest.append(text)

    def _end_line(self, *, echo: bool = True) -> None:
        line, length = "".join(self._rest), self._rest_length
        self._rest, self._rest_length = [], 0
        if length > LINE_LIMIT:
            line = f"(a line of {length:,} characters is left out)"
        self._add(line.rstrip("\r"), echo)

    def _add(self, line: str, echo: bool) -> None:
        if self._logs.closed:
            return
        if self._logged >= LOG_LIMIT:
            self._last.append(line)
            self._left_out += 1
            return
        self._lines.append((line, echo))
        self._waiting += len(line) + 1
        self._logged += len(line) + 1
        if self._logged >= LOG_LIMIT:
            note = f"(this log has reached {LOG_LIMIT:,} characters: of what follows, only the end "
            self._lines.append((note + "is kept)", True))
        if self._waiting > GROUP or self._logs.forked or self._logs.prompt:
            self.write_out()
        elif len(self._lines) == 1:
            self._logs.wake(self)


class _NoLog(LogSink):
    """A log that keeps nothing."""

    def write(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass


def no_log(_artifact: str | None) -> LogSink:
    """Open a log that keeps nothing."""
    return _NoLog()


class RunLogs:
    """All logs of an attempt; `open_log` and `redact` may be called from any thread."""

    def __init__(
        self,
        open_log: OpenLog,
        redact: Callable[[str], str] = str,
        echo: Echo = lambda _name, _line: None,
        *,
        echo_all: bool = False,
    ) -> None:
        self.closed = False
        self.prompt = False
        """Whether each line is written at once: a process that may crash would lose what waits."""
        self.forked = False
        """Whether this is a child that a component has forked: it has no thread that writes."""
        self.trouble: str | None = None
        """The first reason why something could not be written."""
        self._open = open_log
        self._redact = redact
        self._echo = echo
        self._echo_all = echo_all
        """Whether lines that a component logs are shown like those that it prints."""
        self._logs: dict[str | None, ArtifactLog] = {}
        self.restart()
        _all.add(self)

    def restart(self) -> None:
        self._lock = threading.Lock()
        self._dirty: set[ArtifactLog] = set()
        self._work = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        for log in self._logs.values():
            log.restart()

    def of(self, artifact: str | None) -> ArtifactLog:
        """Return the log of an artifact; None: of the run."""
        if (known := self._logs.get(artifact)) is not None:
            return known
        with self._lock:
            if artifact not in self._logs:
                self._logs[artifact] = ArtifactLog(artifact, self)
            return self._logs[artifact]

    @contextmanager
    def capturing(self) -> Iterator[None]:
        """Capture what components print, log and warn; at the end all of it is written."""
        with captured():
            try:
                yield
            finally:
                self.close()

    def close(self) -> None:
        """Write everything that was printed; later output, of abandoned work, is dropped."""
        with self._lock:  # no other thread is started from here on
            self._over.set()
        self._work.set()
        if self._thread is not None:
            self._thread.join()
        for log in list(self._logs.values()):
            log.finish()
        self.closed = True

    def append(self, log: ArtifactLog, lines: list[tuple[str, bool]]) -> None:
        """Redact lines and append them to a log. Its lock is held, so that they stay in order."""
        text = self._redact("\n".join(line for line, _ in lines) + "\n")
        try:
            if log.sink is None:
                log.sink = self._open(log.name)
            log.sink.write(text)
        except (WaivernError, OSError) as error:
            self.trouble = self.trouble or str(error)
        for line, echo in lines:
            if (echo or self._echo_all) and not self.forked:
                self._echo(log.name, self._redact(line))

    def unfinished(self, text: str) -> None:
        """Receive the line that is being printed, where each line is written at once."""

    def wake(self, log: ArtifactLog) -> None:
        """Have a log written soon."""
        with self._lock:
            self._dirty.add(log)
            if self._thread is None and not self._over.is_set():
                name = "waivern-logs"
                self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
                self._thread.start()
        self._work.set()

    def _serve(self) -> None:
        while not self._over.is_set():
            self._work.wait()
            self._over.wait(TICK_S)
            self._work.clear()
            with self._lock:
                dirty, self._dirty = self._dirty, set()
            for log in dirty:
                log.write_out()


_all: WeakSet[RunLogs] = WeakSet()


def _after_fork() -> None:
    # the parent writes what waits; its threads, and so the holder of a lock, are not here
    for logs in list(_all):
        logs.forked = True
        logs.restart()


os.register_at_fork(after_in_child=_after_fork)
