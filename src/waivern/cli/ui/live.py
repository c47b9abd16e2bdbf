"""Progress on a terminal: finished artifacts scroll by above, running ones stay below."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from waivern.cli.ui.progress_state import TALKATIVE, ProgressLine, ProgressState, RunningArtifact
from waivern.cli.ui.screen import look_of
from waivern.record.text_forms import duration, size

MOST_RUNNING = 8
"""The number of running artifacts that are shown; more are counted."""
ESTIMATE_S = 2.0
"""The time after which an estimate of the rest means something."""
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LivePainter:
    """Paints with rich. No text is interpreted as markup."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._turn = 0
        self._live.start()

    def paint(self, lines: list[ProgressLine], state: ProgressState) -> None:
        self._turn += 1
        shown = [line for line in lines if _worth_a_line(line, state)]
        if shown:
            self._console.print(Text("\n").join(map(_styled, shown)), soft_wrap=True)
        self._live.update(self._below(state), refresh=True)

    def close(self) -> None:
        self._live.update(Text(), refresh=True)
        self._live.stop()

    def _below(self, state: ProgressState) -> Text:
        if not state.total:
            return Text()
        now, frame = time.monotonic(), _SPINNER[self._turn % len(_SPINNER)]
        first = sorted(state.running.items(), key=lambda item: item[1].began)[:MOST_RUNNING]
        lines = [_running(name, work, now, frame) for name, work in first]
        if (more := len(state.running) - len(first)) > 0:
            lines.append(Text(f"  … and {more:,} more running", style="dim"))
        failed = f", {state.failed:,} failed" if state.failed else ""
        lines.append(Text(f"  {state.finished:,}/{state.total:,}{failed}", style="dim"))
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


def _worth_a_line(line: ProgressLine, state: ProgressState) -> bool:
    return state.total <= TALKATIVE or line.status not in ("completed", "reused", "skipped")


def _styled(line: ProgressLine) -> Text:
    if line.status in ("run", "output"):
        return Text(line.text)
    look = look_of(line.status)
    return Text.assemble("  ", (look.symbol, look.colour), f" {line.text}")


def _done(work: RunningArtifact) -> Iterator[str]:
    """Yield the items and bytes that are done, and the percentage."""
    progress = work.progress
    if progress is None or not (progress.n or progress.size):
        return
    yield f"{progress.n:,}/{progress.total:,}" if progress.total else f"{progress.n:,}"
    if progress.total_size:
        yield f"{size(progress.size or 0)} of {size(progress.total_size)}"
    elif progress.size:
        yield size(progress.size)
    if (share := progress.share) is not None:
        yield f"{int(share * 100)}%"


def _running(name: str, work: RunningArtifact, now: float, frame: str) -> Text:
    parts = [name, duration(round((now - work.began) * 10) * 100), *_done(work)]
    left = work.left_s(now) if now - work.began > ESTIMATE_S else None
    if left is not None:
        parts.append(f"about {duration(round(left) * 1000)} left")
    text = "  ".join(parts)
    return Text.assemble("  ", (frame, "cyan"), f" {text}")
