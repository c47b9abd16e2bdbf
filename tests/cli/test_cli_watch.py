"""`wct runs watch` and `wct runs logs`: a run of another process, live and ended."""

from __future__ import annotations

import json
import signal
import threading
import time

import pytest
from live_terminal import LiveTerminal
from wct_process import Place, Wct

TALK = """
def talk(secret=None):
    print("a word \\x1b[2Jaside")

def count(inputs):
    return len(inputs)

def broken():
    print("before it broke")
    raise ValueError("no route")
"""


@pytest.fixture
def ended(place: Place, wct: Wct) -> Place:
    (place.path / "talk.py").write_text(TALK)
    (place.path / "child.yaml").write_text(
        "inputs: {m: {input_schema: json, sensitive: true}}\n"
        "outputs: {x: {artifact: x}}\n"
        "artifacts: {x: {inputs: m, process: {type: python, properties: {call: 'talk.py:count'}}}}"
    )
    call = "{source: {type: python, properties: {call: 'talk.py:%s'}}%s}"
    book = place.runbook(
        "b.yaml",
        f"  talk: {call % ('talk', '')}\n"
        f"  broken: {call % ('broken', ', optional: true')}\n"
        f"  private: {call % ('talk', '')}\n"
        "  child: {inputs: private, child_runbook: {path: child.yaml, output: x, "
        "input_mapping: {m: private}}}\n",
    )
    wct("run", book)
    return place


def test_a_live_run_is_followed_to_its_end(place: Place, wct: Wct) -> None:
    terminal = LiveTerminal(place)
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "-q")
    meeting.wait()
    deadline = time.monotonic() + 30
    while not (running := wct("runs", "--json").data("runs")[0]["running"]):
        assert time.monotonic() < deadline  # it begins a moment before that is durable
    [at_work] = running
    assert at_work["artifact"] == "met"
    assert at_work["milliseconds"] >= 0
    watching = terminal.start("runs", "watch", "@last")
    terminal.until(lambda text: "1/3  1 running" in text)
    meeting.let_go()
    assert terminal.ended(watching) == 0
    assert place.ended(process).code == 0
    terminal.until(lambda text: "3:  3 completed" in text)
    assert "running" not in terminal.text
    terminal.close()


@pytest.mark.sweep
def test_a_run_that_dies_ends_the_watch_with_130(place: Place, wct: Wct) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "-q")
    meeting.wait()
    stop = threading.Timer(1.0, process.send_signal, [signal.SIGKILL])
    stop.start()
    done = wct("runs", "watch", "@last", "--log-format", "json")
    place.ended(process)
    assert done.code == 130
    assert done.out.startswith("INTERRUPTED")
    assert '"type": "run_started"' in done.err


@pytest.mark.parametrize(("call", "code"), [("value", 0), ("fail", 1)], ids=["completed", "failed"])
def test_of_an_ended_run_it_is_the_summary_and_the_code(
    place: Place, wct: Wct, call: str, code: int
) -> None:
    book = place.runbook(
        "b.yaml", f'  a: {{source: {{type: python, properties: {{call: "steps.py:{call}"}}}}}}'
    )
    ran = wct("run", book, "-q")
    done = wct("runs", "watch", "@last")
    assert done.code == ran.code == code
    assert done.out.splitlines()[:6] == ran.out.splitlines()[:6]
    assert wct("runs", "watch", "@last", "--json").data("run")["exit_code"] == code


def test_logs_of_a_run_by_artifact(ended: Place, wct: Wct) -> None:
    done = wct("runs", "logs", "@last")
    assert ["talk", "a word \\u001b[2Jaside"] in done.rows
    assert ["broken", "before it broke"] in done.rows
    assert "private" not in done.out
    assert "sensitive, left out: private" in done.err
    assert wct("runs", "logs", "@last", "--failed").rows[0] == ["broken", "before it broke"]
    assert wct("runs", "logs", "@last/talk").out == "a word \\u001b[2Jaside\n"
    logs = wct("runs", "logs", "@last", "--json", "--reveal").data("logs")["logs"]
    assert {each["artifact"] for each in logs} == {"talk", "broken", "private"}


def test_logs_refuses_and_explains(ended: Place, wct: Wct) -> None:
    assert wct("runs", "logs", "@last/private").code == 5
    assert wct("runs", "logs", "@last/private", "--reveal").code == 0
    assert wct("runs", "logs", "@last/none").code == 4
    assert wct("runs", "logs", "@last", "-f", "--json").code == 2
    assert wct("runs", "logs", "@last", "-f").code == 0


@pytest.mark.sweep
def test_logs_follow_a_live_run(place: Place) -> None:
    meeting = place.meeting()
    (place.path / "talk.py").write_text(TALK)
    with (place.path / meeting.runbook).open("a") as book:
        call = "{inputs: met, process: {type: python, properties: {call: 'talk.py:say'}}}"
        book.write(f"  late: {call}\n")
    with (place.path / "talk.py").open("a") as code:
        code.write("\ndef say(inputs):\n    print('late word')\n    return 1\n")
    process = place.start("run", meeting.runbook, "-q")
    meeting.wait()
    follower = place.start("runs", "logs", "@last", "-f")
    meeting.let_go()
    done = place.ended(follower)
    assert place.ended(process).code == 0
    assert done.code == 0
    assert done.rows == [["late", "late word"]]


def test_progress_as_json_has_events_logs_and_their_times(place: Place, wct: Wct) -> None:
    (place.path / "talk.py").write_text(TALK)
    call = "{source: {type: python, properties: {call: 'talk.py:%s'}}}"
    book = place.runbook("b.yaml", f"  talk: {call % 'talk'}\n  broken: {call % 'broken'}\n")
    done = wct("run", book, "--log-format", "json")
    assert done.code == 1
    lines = [json.loads(line) for line in done.err.splitlines()]
    by_type = {line["type"]: line for line in lines}
    assert all(line["at"].endswith("Z") for line in lines)
    assert {line["run_id"] for line in lines[1:]} == {place.run_ids()[0]}
    assert by_type["run_started"]["artifacts"] == 2
    assert by_type["artifact_started"]["component"] == "connector:python"
    assert by_type["artifact_completed"]["how"] == "produced"
    assert by_type["artifact_failed"]["error"]["message"] == "no route"
    assert by_type["attempt_ended"]["status"] == "failed"
    assert ("talk", "a word \x1b[2Jaside") in {
        (line["artifact"], line["text"]) for line in lines if line["type"] == "log"
    }
    assert "\x1b" not in done.err
