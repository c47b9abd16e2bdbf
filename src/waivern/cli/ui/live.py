"""Progress on a terminal: what is over scrolls by above, what is at work stays below."""

from __future__ import annotations

import time
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from waivern.cli.ui.progress_state import TALKATIVE, ProgressLine, ProgressState, RunningArtifact
from waivern.cli.ui.screen import look_of
from waivern.cli.ui.text import duration

AT_WORK = 8
"""How many artifacts at work are shown; more are counted."""
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"


class LivePainter:
    """Paints with rich; nothing that it is given is read as markup."""

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

    def paint(self, lines: list[ProgressLine], board: ProgressState) -> None:
        self._turn += 1
        shown = [line for line in lines if _worth_a_line(line, board)]
        if shown:
            self._console.print(Text("\n").join(map(_told, shown)), soft_wrap=True)
        self._live.update(self._below(board), refresh=True)

    def close(self) -> None:
        self._live.update(Text(), refresh=True)
        self._live.stop()

    def _below(self, board: ProgressState) -> Text:
        if not board.total:
            return Text()
        now, frame = time.monotonic(), _SPINNER[self._turn % len(_SPINNER)]
        first = sorted(board.running.items(), key=lambda item: item[1].began)[:AT_WORK]
        lines = [_at_work(name, work, now, frame) for name, work in first]
        if (more := len(board.running) - len(first)) > 0:
            lines.append(Text(f"  … and {more:,} more at work", style="dim"))
        failed = f", {board.failed:,} failed" if board.failed else ""
        lines.append(Text(f"  {board.finished:,}/{board.total:,}{failed}", style="dim"))
        return Text("\n", no_wrap=True, overflow="ellipsis").join(lines)


def _worth_a_line(line: ProgressLine, board: ProgressState) -> bool:
    return board.total <= TALKATIVE or line.status not in ("completed", "reused", "skipped")


def _told(line: ProgressLine) -> Text:
    if line.status in ("run", "output"):
        return Text(line.text)
    look = look_of(line.status)
    return Text.assemble("  ", (look.symbol, look.colour), f" {line.text}")


def _at_work(name: str, work: RunningArtifact, now: float, frame: str) -> Text:
    text = f"{name}  {duration(round((now - work.began) * 10) * 100)}"
    if work.total:
        text += f"  {work.n:,}/{work.total:,}  {work.n * 100 // work.total}%"
    elif work.n:
        text += f"  {work.n:,}"
    return Text.assemble("  ", (frame, "cyan"), f" {text}")
