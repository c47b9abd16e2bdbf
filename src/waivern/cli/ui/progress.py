"""The progress of a run on stderr: a line for each event, JSON, or a live view on a terminal.

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
from typing import TYPE_CHECKING, Protocol, TextIO

from waivern.cli.ui.event_lines import LogFormat, event_line, plain_text
from waivern.cli.ui.output_redirect import OutputRedirect
from waivern.cli.ui.progress_state import ProgressLine, ProgressState
from waivern.cli.ui.screen import Screen, screen
from waivern.clock import Clock
from waivern.ids import ArtifactId
from waivern.language.secrets import Secrets
from waivern.message import Json
from waivern.planning.plan import Plan
from waivern.plugins import child_processes
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    Event,
)
from waivern.record.text_forms import clean, counted

if TYPE_CHECKING:
    from waivern.cli.ui.exporting import PreparedExports
    from waivern.cli.ui.live import Frame
    from waivern.cli.ui.live_frame import FrameLine, Terminal
    from waivern.runs.duration_history import DurationHistory

TICK_S = 0.2
UNLOGGED = 1000
"""Lines that are buffered until the run has a log."""
IN_VIEW = frozenset({"started", "completed", "reused", "cached", "skipped", "suspended", "ended"})
"""The events that a live view shows; the others are also lines above it."""
_IN_VIEW = (ArtifactStartedRecord, ArtifactCompletedRecord, ArtifactSkippedRecord)


class Painter(Protocol):
    """Writes new lines once, and shows the current state."""

    def paint(self, lines: list[ProgressLine], frame: Frame) -> bool: ...
    def close(self, lines: list[ProgressLine], frame: Frame) -> None: ...


class ProgressDisplay:
    """The display of one run. Any thread may call `observers` and `progress`."""

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        log_format: LogFormat = "text",
        answer_on_terminal: bool = True,
    ) -> None:
        self.restored: frozenset[str] = frozenset()
        """The artifacts that were completed before the attempt began."""
        self._redirect = OutputRedirect(self._outside)
        self._painter: Painter | None = None
        self._hidden: frozenset[str] = frozenset()
        """The events that no line is written for."""
        if not quiet:
            err = screen(self._redirect.err)
            self._painter = _painter(err, log_format, transient=answer_on_terminal)
            if not isinstance(self._painter, PlainPainter):
                self._hidden = IN_VIEW
            elif log_format == "text":
                self._hidden = frozenset({"ended"} if verbose else {"ended", "started"})
        self.again: Callable[[str], str] | None = None
        self.exports: PreparedExports | None = None
        """The exports that are written when the run has ended."""
        """Returns the command that continues a run; None if the run is not stored."""
        self.interrupted = "interrupted"
        """The last words of a command that is interrupted at once."""
        self.history: Callable[[RunRecord], DurationHistory] | None = None
        """Returns the durations of earlier runs, for estimates."""
        self._run: str | None = None
        self._log: Callable[[str], None] | None = None
        self._unlogged: deque[str] = deque(maxlen=UNLOGGED)
        self._lock = threading.Lock()
        self._lines: list[ProgressLine] = []
        self._redact: Callable[[str], str] = str
        self._state = ProgressState()
        self._state.for_programs = log_format == "json"
        self._estimate: _Estimate | None = None
        self._clock = Clock()
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
                with suppress(OSError):
                    self._painter.close(self._news(), self._frame)
            self._redirect.close()

    @property
    def err(self) -> TextIO:
        """The stream for messages while the run is shown."""
        return self._redirect.err

    def _last_words(self) -> None:
        """Write the state of the run, perhaps in a signal handler: without a lock or a wait."""
        text = "interrupted before anything was started"
        if self._run is not None:
            text = self.interrupted
            text += f"; to continue:  {self.again(self._run)}" if self.again else ""
        words = f"{clean(text)}\n"
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
        """Show a line that a component has printed or logged."""
        shown = clean(f"{artifact}: {text}" if artifact else text)
        self.say(ProgressLine("output", shown, self._document("log", artifact=artifact, text=text)))

    def redact(self, secrets: Secrets) -> None:
        """Redact these secrets in all output."""
        self._redact = secrets.hide

    def start(self, plan: Plan, record: RunRecord, where: str) -> None:
        """Show the run and the number of its artifacts."""

        def planned(name: str) -> str:
            return plan.nodes[ArtifactId(name)].work.label

        def needs() -> dict[str, list[str]]:
            return {str(name): [*node.inputs, *node.after] for name, node in plan.nodes.items()}

        self.follow(record, where, planned, needs)

    def follow(
        self,
        record: RunRecord,
        where: str,
        planned: Callable[[str], str],
        needs: Callable[[], dict[str, list[str]]],
        elapsed_s: float = 0.0,
    ) -> None:
        """Show a recorded run, whose events and progress follow.

        `planned` returns the component of an artifact, `needs` what each artifact needs.
        """
        run = record.metadata
        self._run = run.run_id
        restored = frozenset(name for name, step in record.steps.items() if step.completed)
        with self._lock:
            self.restored = restored
            self._state.begin(record, planned, time.monotonic(), elapsed_s)
            if self.history is not None:
                self._estimate = _Estimate(record, self.history, needs)
        what = [f"run {run.run_id}", clean(run.runbook_path or run.runbook_name)]
        what.append(counted(len(record.steps), "artifact"))
        if len(run.attempts) > 1:
            what += [f"attempt {len(run.attempts)}", f"{len(restored):,} restored"]
        document = self._document(
            "run_started",
            runbook=run.runbook_path or run.runbook_name,
            artifacts=len(record.steps),
            restored=len(restored),
            attempt=len(run.attempts),
            store=where,
        )
        self.say(ProgressLine("run", "  ".join([*what, f"store {clean(where)}"]), document))
        for name, reason in record.invalidated.items():
            self.notice(f"rebuild {name}: {reason}")

    def stopping(self, why: str) -> None:
        """Report that no more artifacts are started, and how to stop at once."""
        known = {"cancel": "Cancelled", "SIGINT": "Interrupted"}
        again = {"cancel": "", "SIGINT": " Press Ctrl-C again to stop now."}.get(
            why, " A second signal stops now."
        )
        what = known.get(why, f"{why} received")
        text = f"{what}: waiting for running artifacts.{again}"
        self.say(ProgressLine("interrupted", text, self._document("notice", text=text)))

    def notice(self, text: str) -> None:
        """Show a sentence about the run, such as why artifacts wait."""
        self.say(ProgressLine("run", clean(text), self._document("notice", text=text)))

    def _document(self, kind: str, **fields: Json) -> dict[str, Json]:
        """Return a line for programs that is no event of the journal."""
        if not self._state.for_programs:
            return {}
        return {"at": self._clock.now(), "type": kind, "run_id": self._run, **fields}

    def say(self, line: ProgressLine) -> None:
        """Show a line."""
        if self._painter is not None:
            with self._lock:
                self._lines.append(line)

    def progress(self, artifact: str, progress: Progress) -> None:
        """Record the progress of a component."""
        with self._lock:
            self._state.progress(artifact, progress)

    @property
    def observers(self) -> tuple[Callable[[int, Event], None], ...]:
        """The functions that receive the events of the run."""
        return (self.observe,) if self._painter else ()

    def observe(self, seq: int, event: Event) -> None:
        """Show an event of the run."""
        with self._lock:
            self._state.apply(event, time.monotonic())
            if self._hidden is IN_VIEW and isinstance(event, _IN_VIEW):
                return  # thousands of lines would be made for nothing
            if (line := event_line(seq, event, self._state)) and line.status not in self._hidden:
                self._lines.append(line)

    def _tick(self) -> None:
        assert self._painter is not None
        while not self._over.wait(TICK_S):
            lines = self._news()
            with suppress(OSError):  # a terminal that is gone must not stop the run
                if not self._painter.paint(lines, self._frame):
                    with self._lock:
                        self._lines[:0] = lines

    def _news(self) -> list[ProgressLine]:
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def _frame(self, at: Terminal, turn: int) -> list[FrameLine]:
        from waivern.cli.ui.live_frame import frame

        with self._lock:
            state, now = self._state, time.monotonic()
            if not state.total:
                return []
            estimate = self._estimate
            left = estimate.left_s(state, now) if estimate else None
            return frame(state, now, turn, at, estimate.usual if estimate else _unknown, left)


def _unknown(_artifact: str) -> None:
    """Return None: no earlier run is known."""


class _Estimate:
    """The remaining time of a run, from the durations of earlier ones.

    They are read when a run has taken a while: most are over by then.
    """

    def __init__(
        self,
        record: RunRecord,
        history: Callable[[RunRecord], DurationHistory],
        needs: Callable[[], dict[str, list[str]]],
    ) -> None:
        self._record = record
        self._find = history
        self._needs = needs
        self._history: DurationHistory | None = None
        self._ordered: dict[str, list[str]] = {}
        self._usual: dict[str, int | None] = {}
        self._most = 1
        self._at = 0.0
        self._left: float | None = None

    def usual(self, artifact: str) -> int | None:
        """Return the usual duration of an artifact in milliseconds; None if unknown."""
        if self._history is None:
            return None
        if artifact not in self._usual:
            self._usual[artifact] = self._history.took_ms(artifact)
        return self._usual[artifact]

    def left_s(self, state: ProgressState, now: float) -> float | None:
        """Return the remaining seconds, estimated once a second; None if unknown."""
        from waivern.cli.ui.live_frame import ESTIMATE_S, remaining_s

        self._most = max(self._most, len(state.active))
        if now - state.began < ESTIMATE_S:
            return None
        if self._history is None:
            from waivern.planning.graph import topological

            self._history = self._find(self._record)
            needs = self._needs()
            self._ordered = {name: needs[name] for name in topological(needs)}
        if now - self._at >= 1:
            self._at = now
            self._left = remaining_s(state, now, self._ordered, self.usual, self._most)
        return self._left


class PlainPainter:
    """Writes a line for each event, many lines in one write."""

    def __init__(self, err: Screen, text: Callable[[ProgressLine], str]) -> None:
        self._err = err
        self._text = text

    def paint(self, lines: list[ProgressLine], frame: Frame) -> bool:  # noqa: ARG002 - nothing is live here
        """Write the lines."""
        if lines:
            self._err.stream.write("".join(f"{self._text(line)}\n" for line in lines))
            self._err.stream.flush()
        return True

    def close(self, lines: list[ProgressLine], frame: Frame) -> None:
        """Write the last lines."""
        self.paint(lines, frame)


def _painter(err: Screen, log_format: LogFormat, *, transient: bool) -> Painter:
    """Return the painter for stderr: live on a terminal, else plain."""
    if log_format == "json":
        from waivern.cli.ui.event_lines import json_text

        return PlainPainter(err, json_text)
    if err.tty and err.live:
        from waivern.cli.ui.live import LivePainter

        return LivePainter(err, transient=transient)
    return PlainPainter(err, plain_text)
