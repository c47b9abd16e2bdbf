"""What a run shows on stderr while it works: plain lines, or a few live ones on a terminal.

Events and progress come from threads of the run's. They only change the board; a thread of its own
paints it a few times a second, so that ten thousand artifacts cost little and nobody waits.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TextIO

from waivern.cli.ui.output_redirect import OutputRedirect
from waivern.cli.ui.progress_state import ProgressLine, ProgressState, RunningArtifact
from waivern.cli.ui.screen import Screen, screen
from waivern.cli.ui.text import clean, counted, duration, taken
from waivern.language.secrets import Secrets
from waivern.planning.plan import Plan
from waivern.plugins import child_processes
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactRetriedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    ArtifactSuspendedRecord,
    Event,
)

TICK_S = 0.1
SHOW_CURSOR = "\x1b[?25h\n"
"""What undoes the hiding of the cursor, on a line below all that is shown."""
UNLOGGED = 1000
"""Lines from before the run has a log that are kept for it."""


class Painter(Protocol):
    """Shows lines once, and the board as it is."""

    def paint(self, lines: list[ProgressLine], board: ProgressState) -> None: ...
    def close(self) -> None: ...


class ProgressDisplay:
    """Follows one run. `observers` and `progress` are for its Options; any thread may call them."""

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self.restored: frozenset[str] = frozenset()
        """The artifacts that were there before the attempt began."""
        self._aside = OutputRedirect(self._outside)
        self._painter = None if quiet else _painter(screen(self._aside.err))
        self._started_lines = verbose and isinstance(self._painter, PlainPainter)
        self._live = self._painter is not None and not isinstance(self._painter, PlainPainter)
        self.again: Callable[[str], str] | None = None
        """Returns the command that continues a run; None if it cannot be continued."""
        self._run: str | None = None
        self._log: Callable[[str], None] | None = None
        self._unlogged: deque[str] = deque(maxlen=UNLOGGED)
        self._lock = threading.Lock()
        self._lines: list[ProgressLine] = []
        self._hide: Callable[[str], str] = str
        self._board = ProgressState()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="wct-progress", daemon=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Show the run while it lasts; what user code prints goes to stderr, never to stdout."""
        if self._painter:
            self._thread.start()
        child_processes.last_words[:] = [self._last_words]
        try:
            with self._aside.taken():
                yield
        finally:
            while self._unlogged:
                self.output(None, self._hide(self._unlogged.popleft()))
            self._over.set()
            if self._painter:
                self._thread.join()
                self._paint()
                self._painter.close()
            self._aside.close()

    @property
    def err(self) -> TextIO:
        """The stream of messages while the run is shown."""
        return self._aside.err

    def _last_words(self) -> None:
        """Say, perhaps in a signal handler, how things stand: no lock, nothing that could wait."""
        text = "interrupted before anything was started"
        if self._run is not None:
            text = "interrupted"
            text += f"; to continue:  {self.again(self._run)}" if self.again else ""
        words = f"{SHOW_CURSOR if self._live else ''}{clean(text)}\n"
        os.write(self._aside.own_stderr, words.encode(errors="backslashreplace"))

    def log_to(self, write: Callable[[str], None] | None) -> None:
        """Have what is printed past Python land in the run's log; None: all of it is due now."""
        if write is None:
            self._aside.drain()
        self._log = write
        while write and self._unlogged:
            write(self._unlogged.popleft())

    def _outside(self, text: str) -> None:
        (self._log or self._unlogged.append)(text)

    def output(self, artifact: str | None, text: str) -> None:
        """Show a line that a component has printed."""
        self.say(ProgressLine("output", clean(f"{artifact}: {text}" if artifact else text)))

    def hide(self, secrets: Secrets) -> None:
        """Take note of what must not be shown."""
        self._hide = secrets.hide

    def start(self, plan: Plan, record: RunRecord, where: str) -> None:
        """Take note of what the attempt has before it."""
        run = record.metadata
        self._run = run.run_id
        restored = frozenset(name for name, step in record.steps.items() if step.completed)
        with self._lock:
            self.restored = restored
            self._board.total, self._board.finished = len(plan.nodes), len(restored)
        what = [f"run {run.run_id}", clean(run.runbook_path or run.runbook_name)]
        what.append(counted(len(plan.nodes), "artifact"))
        if len(run.attempts) > 1:
            what += [f"attempt {len(run.attempts)}", f"{len(restored):,} kept"]
        self.say(ProgressLine("run", "  ".join([*what, f"store {clean(where)}"])))
        for name, reason in record.invalidated.items():
            self.say(ProgressLine("run", f"again {name}: {clean(reason)}"))

    def stopping(self, why: str) -> None:
        """Report that no more artifacts are started, and how to stop at once."""
        known = {"cancel": "Cancelled", "SIGINT": "Interrupted"}
        again = {"cancel": "", "SIGINT": " Press Ctrl-C again to stop now."}.get(
            why, " A second signal stops now."
        )
        what = known.get(why, f"{why} received")
        self.say(ProgressLine("interrupted", f"{what}: waiting for running artifacts.{again}"))

    def waiting(self, why: str) -> None:
        """Show what artifacts wait for."""
        self.say(ProgressLine("run", clean(why)))

    def say(self, line: ProgressLine) -> None:
        """Show a line."""
        if self._painter is not None:
            with self._lock:
                self._lines.append(line)

    def progress(self, artifact: str, n: int, total: int | None) -> None:
        """Take in how far a component is."""
        with self._lock:
            if work := self._board.running.get(artifact):
                work.n, work.total = n, total

    @property
    def observers(self) -> tuple[Callable[[int, Event], None], ...]:
        """What is to be told of the events of the run."""
        return (self._observe,) if self._painter else ()

    def _observe(self, _seq: int, event: Event) -> None:
        with self._lock:
            board = self._board
            match event:
                case ArtifactStartedRecord():
                    board.running[event.artifact] = RunningArtifact(time.monotonic())
                case ArtifactRetriedRecord() | ArtifactSuspendedRecord():
                    board.running.pop(event.artifact, None)
                case ArtifactCompletedRecord() | ArtifactFailedRecord() | ArtifactSkippedRecord():
                    board.running.pop(event.artifact, None)
                    board.finished += 1
                    board.failed += isinstance(event, ArtifactFailedRecord)
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
            board = self._board
            now = ProgressState(board.total, board.finished, board.failed, dict(board.running))
        with suppress(OSError):  # nobody reads on: that is no reason to stop a run
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
            after = f"again in {duration(event.delay_ms)}"
            text = f"{event.artifact}  {after}  {error.get('kind')}: {error.get('message')}"
            return ProgressLine("retried", clean(text))
        case ArtifactSkippedRecord():
            return ProgressLine("skipped", f"{event.artifact}  {clean(event.reason)}")
        case ArtifactSuspendedRecord():
            what = "asks" if event.gate else "waits"
            return ProgressLine("suspended", f"{event.artifact}  {what}: {clean(event.reason)}")
        case _:
            return None


class PlainPainter:
    """A line for each thing that happened, many in one write."""

    def __init__(self, err: Screen) -> None:
        self._err = err

    def paint(self, lines: list[ProgressLine], board: ProgressState) -> None:  # noqa: ARG002 - nothing is live here
        if lines:
            self._err.stream.write("".join(f"{_worded(line)}\n" for line in lines))
            self._err.stream.flush()

    def close(self) -> None:
        """Nothing is held."""


def _worded(line: ProgressLine) -> str:
    return line.text if line.status in ("run", "output") else f"{line.status:9}  {line.text}"


def _painter(err: Screen) -> Painter:
    """Return the painter that suits stderr."""
    if err.tty and err.live:
        from waivern.cli.ui.live import LivePainter

        return LivePainter(err.stream)
    return PlainPainter(err)
