"""The progress of a run on stderr: plain lines, or a few live lines on a terminal.

Events and progress arrive on threads of the run. They only change the state; another thread paints
it a few times a second, so that ten thousand artifacts cost little and the run never waits for a
slow terminal.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TextIO, assert_never

from waivern.cli.ui.output_redirect import OutputRedirect
from waivern.cli.ui.progress_state import ProgressLine, ProgressState, RunningArtifact
from waivern.cli.ui.screen import Screen, screen
from waivern.language.secrets import Secrets
from waivern.planning.plan import Plan
from waivern.plugins import child_processes
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactRedactedRecord,
    ArtifactRetriedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
    AttemptEndedRecord,
    AttemptStartedRecord,
    Event,
    GateDecidedRecord,
    RunAnnotatedRecord,
    RunCancelledRecord,
    RunStartedRecord,
)
from waivern.record.text_forms import clean, counted, duration, taken

TICK_S = 0.1
SHOW_CURSOR = "\x1b[?25h\n"
"""The control sequence that shows the cursor again, and the end of the line."""
UNLOGGED = 1000
"""Lines that are buffered until the run has a log."""


class Painter(Protocol):
    """Writes new lines once, and shows the current state."""

    def paint(self, lines: list[ProgressLine], state: ProgressState) -> None: ...
    def close(self) -> None: ...


class ProgressDisplay:
    """The display of one run. Any thread may call `observers` and `progress`."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.restored: frozenset[str] = frozenset()
        """The artifacts that were completed before the attempt began."""
        self._redirect = OutputRedirect(self._outside)
        self._painter = None if quiet else _painter(screen(self._redirect.err))
        self._started_lines = verbose and isinstance(self._painter, PlainPainter)
        self._live = self._painter is not None and not isinstance(self._painter, PlainPainter)
        self.again: Callable[[str], str] | None = None
        """Returns the command that continues a run; None if the run is not stored."""
        self._run: str | None = None
        self._log: Callable[[str], None] | None = None
        self._unlogged: deque[str] = deque(maxlen=UNLOGGED)
        self._lock = threading.Lock()
        self._lines: list[ProgressLine] = []
        self._redact: Callable[[str], str] = str
        self._state = ProgressState()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="wct-progress", daemon=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the run while it lasts. Output of user code goes to stderr, never to stdout."""
        if self._painter:
            self._thread.start()
        child_processes.last_words[:] = [self._last_words]
        try:
            with self._redirect.taken():
                yield
        finally:
            while self._unlogged:
                self.output(None, self._redact(self._unlogged.popleft()))
            self._over.set()
            if self._painter:
                self._thread.join()
                self._paint()
                self._painter.close()
            self._redirect.close()

    @property
    def err(self) -> TextIO:
        """The stream for messages while the run is shown."""
        return self._redirect.err

    def _last_words(self) -> None:
        """Write the state of the run, perhaps in a signal handler: without a lock or a wait."""
        text = "interrupted before anything was started"
        if self._run is not None:
            text = "interrupted"
            text += f"; to continue:  {self.again(self._run)}" if self.again else ""
        words = f"{SHOW_CURSOR if self._live else ''}{clean(text)}\n"
        os.write(self._redirect.own_stderr, words.encode(errors="backslashreplace"))

    def log_to(self, write: Callable[[str], None] | None) -> None:
        """Write output that bypasses Python to the log of the run; None: flush it now."""
        if write is None:
            self._redirect.drain()
        self._log = write
        while write and self._unlogged:
            write(self._unlogged.popleft())

    def _outside(self, text: str) -> None:
        (self._log or self._unlogged.append)(text)

    def output(self, artifact: str | None, text: str) -> None:
        """Show a line that a component has printed."""
        self.say(ProgressLine("output", clean(f"{artifact}: {text}" if artifact else text)))

    def redact(self, secrets: Secrets) -> None:
        """Redact these secrets in all output."""
        self._redact = secrets.hide

    def start(self, plan: Plan, record: RunRecord, where: str) -> None:
        """Show the run and the number of its artifacts."""
        run = record.metadata
        self._run = run.run_id
        restored = frozenset(name for name, step in record.steps.items() if step.completed)
        with self._lock:
            self.restored = restored
            self._state.total, self._state.finished = len(plan.nodes), len(restored)
        what = [f"run {run.run_id}", clean(run.runbook_path or run.runbook_name)]
        what.append(counted(len(plan.nodes), "artifact"))
        if len(run.attempts) > 1:
            what += [f"attempt {len(run.attempts)}", f"{len(restored):,} restored"]
        self.say(ProgressLine("run", "  ".join([*what, f"store {clean(where)}"])))
        for name, reason in record.invalidated.items():
            self.say(ProgressLine("run", f"rebuild {name}: {clean(reason)}"))

    def stopping(self, why: str) -> None:
        """Report that no more artifacts are started, and how to stop at once."""
        known = {"cancel": "Cancelled", "SIGINT": "Interrupted"}
        again = {"cancel": "", "SIGINT": " Press Ctrl-C again to stop now."}.get(
            why, " A second signal stops now."
        )
        what = known.get(why, f"{why} received")
        self.say(ProgressLine("interrupted", f"{what}: waiting for running artifacts.{again}"))

    def waiting(self, why: str) -> None:
        """Show the reason why artifacts wait."""
        self.say(ProgressLine("run", clean(why)))

    def say(self, line: ProgressLine) -> None:
        """Show a line."""
        if self._painter is not None:
            with self._lock:
                self._lines.append(line)

    def progress(self, artifact: str, progress: Progress) -> None:
        """Record the progress of a component."""
        with self._lock:
            if work := self._state.running.get(artifact):
                work.progress = progress

    @property
    def observers(self) -> tuple[Callable[[int, Event], None], ...]:
        """The functions that receive the events of the run."""
        return (self._observe,) if self._painter else ()

    def _observe(self, _seq: int, event: Event) -> None:
        with self._lock:
            state = self._state
            match event:
                case ArtifactStartedRecord():
                    state.running[event.artifact] = RunningArtifact(time.monotonic())
                case ArtifactRetriedRecord() | ArtifactSuspendedRecord():
                    state.running.pop(event.artifact, None)
                case ArtifactCompletedRecord() | ArtifactFailedRecord() | ArtifactSkippedRecord():
                    state.running.pop(event.artifact, None)
                    state.finished += 1
                    state.failed += isinstance(event, ArtifactFailedRecord)
            line = _line(event)
            if line and (self._started_lines or line.status != "started"):
                self._lines.append(line)

    def _tick(self) -> None:
        while not self._over.wait(TICK_S):
            self._paint()

    def _paint(self) -> None:
        assert self._painter is not None
        with self._lock:
            lines, self._lines = self._lines, []
            state = self._state
            now = ProgressState(state.total, state.finished, state.failed, state.running)
        with suppress(OSError):  # a terminal that is gone must not stop the run
            self._painter.paint(lines, now)


def _line(event: Event) -> ProgressLine | None:
    match event:
        case ArtifactStartedRecord():
            return ProgressLine("started", f"{event.artifact}  {event.component.partition(':')[2]}")
        case ArtifactCompletedRecord():
            status = "completed" if event.how == "produced" else event.how
            beside = taken(event) or duration(event.duration_ms)
            return ProgressLine(status, f"{event.artifact}  {beside}")
        case ArtifactFailedRecord():
            error = event.error
            text = f"{event.artifact}  {error.get('kind')}: {error.get('message')}"
            return ProgressLine("failed", clean(text))
        case ArtifactRetriedRecord():
            error = event.error
            after = f"try {event.attempt} of {event.max_attempts}, next in "
            after += duration(event.delay_ms)
            text = f"{event.artifact}  {after}  {error.get('kind')}: {error.get('message')}"
            return ProgressLine("retried", clean(text))
        case ArtifactSkippedRecord():
            return ProgressLine("skipped", f"{event.artifact}  {clean(event.reason)}")
        case ArtifactSuspendedRecord():
            what = "asks" if event.gate else "waits"
            return ProgressLine("suspended", f"{event.artifact}  {what}: {clean(event.reason)}")
        case (
            RunStartedRecord()
            | AttemptStartedRecord()
            | GateDecidedRecord()
            | ArtifactRedactedRecord()
            | RunCancelledRecord()
            | RunAnnotatedRecord()
            | AttemptEndedRecord()
        ):
            return None
        case _:
            assert_never(event)


class PlainPainter:
    """Writes a line for each event, many lines in one write."""

    def __init__(self, err: Screen) -> None:
        self._err = err

    def paint(self, lines: list[ProgressLine], state: ProgressState) -> None:  # noqa: ARG002 - nothing is live here
        if lines:
            self._err.stream.write("".join(f"{_plain(line)}\n" for line in lines))
            self._err.stream.flush()

    def close(self) -> None:
        """Do nothing: every line has been written."""


def _plain(line: ProgressLine) -> str:
    return line.text if line.status in ("run", "output") else f"{line.status:9}  {line.text}"


def _painter(err: Screen) -> Painter:
    """Return the painter for stderr: live on a terminal, else plain."""
    if err.tty and err.live:
        from waivern.cli.ui.live import LivePainter

        return LivePainter(err.stream)
    return PlainPainter(err)
