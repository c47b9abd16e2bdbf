"""The live view of a run on a terminal: its lines, its sizes and its ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from live_terminal import LiveTerminal
from wct_process import Place


@pytest.fixture
def terminal(place: Place) -> Iterator[LiveTerminal]:
    made = LiveTerminal(place)
    yield made
    made.close()


def test_a_line_for_each_artifact_then_the_summary_alone(
    place: Place, terminal: LiveTerminal
) -> None:
    meeting = place.meeting()
    process = terminal.start("run", meeting.runbook)
    meeting.wait()
    terminal.until(lambda text: "1/3  1 running" in text)
    first, met, last, totals = terminal.lines[-terminal.screen.lines :][2:6]
    assert first.split()[:4] == ["✔", "first", "completed", "python"]
    assert met.split()[1:4] == ["met", "running", "python"]
    assert last.split() == ["·", "last", "not", "started", "python"]
    assert totals.split()[0] == "1/3"
    meeting.let_go()
    assert terminal.ended(process) == 0
    assert "not started" not in terminal.text
    assert terminal.lines[2].startswith("COMPLETED")
    assert not terminal.screen.cursor.hidden


def test_no_colour_no_utf_8_and_few_columns(place: Place) -> None:
    terminal = LiveTerminal(place, width=40, height=8)
    meeting = place.meeting()
    process = terminal.start(
        "run", meeting.runbook, NO_COLOR="1", LC_ALL="C", PYTHONCOERCECLOCALE="0", PYTHONUTF8="0"
    )
    meeting.wait()
    terminal.until(lambda text: "1/3  1 running" in text)
    assert [line[2] for line in terminal.lines if " first " in line] == ["+"]
    terminal.resize(24, 8)
    terminal.until(lambda text: "running" not in text.splitlines()[-2])  # it is painted anew
    meeting.let_go()
    assert terminal.ended(process) == 0
    assert bytes(terminal.seen).isascii()
    assert b"\x1b[3" not in terminal.seen
    assert b"\x1b[2m" not in terminal.seen
    terminal.close()


@pytest.mark.sweep
def test_a_dumb_terminal_gets_plain_lines(place: Place, terminal: LiveTerminal) -> None:
    book = place.runbook(
        "b.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}'
    )
    assert terminal.ended(terminal.start("run", book, TERM="dumb")) == 0
    assert b"\x1b" not in terminal.seen
    assert b"completed  a" in terminal.seen


def test_a_stopped_run_continues_below_what_the_shell_wrote(
    place: Place, terminal: LiveTerminal
) -> None:
    meeting = place.meeting()
    process = terminal.start("run", meeting.runbook)
    meeting.wait()
    terminal.until(lambda text: "1/3  1 running" in text)
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    terminal.read(0.2)
    terminal.write("[1]+  Stopped\n$ fg\n")
    os.kill(process.pid, signal.SIGCONT)
    terminal.until(lambda text: text.count("1/3  1 running") == 2)
    shell = terminal.lines.index("$ fg")
    assert "1/3  1 running" in terminal.lines[shell - 2]
    assert terminal.lines[shell + 1].split()[1:3] == ["first", "completed"]
    meeting.let_go()
    assert terminal.ended(process) == 0
    assert "[1]+  Stopped" in terminal.text


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGQUIT,
        pytest.param(signal.SIGTERM, marks=pytest.mark.sweep),
        pytest.param(signal.SIGKILL, marks=pytest.mark.sweep),
    ],
)
def test_the_terminal_is_as_before_after_a_signal(
    place: Place, terminal: LiveTerminal, number: signal.Signals
) -> None:
    meeting = place.meeting()
    process = terminal.start("run", meeting.runbook, "--grace", "0.1")
    meeting.wait()
    terminal.until(lambda text: "1/3  1 running" in text)
    process.send_signal(number)
    code = terminal.ended(process)
    assert code == (143 if number == signal.SIGTERM else -number)
    assert not terminal.screen.cursor.hidden
    assert terminal.screen.cursor.x == 0
    assert not terminal.lines[terminal.screen.cursor.y]
    assert b"\x1b[?" not in terminal.seen  # no mode was changed that would have to be restored
