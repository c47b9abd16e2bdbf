"""What `wct` does when it is killed, stopped, doubled, edited and damaged."""

from __future__ import annotations

import json
import signal
import time

from wct_process import Place


def status(place: Place) -> str:
    ((_, found, *_),) = place.quick("runs").rows
    return found


def test_kill_9_then_interrupted_then_resume(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook)
    meeting.wait()
    assert status(place) == "running"
    live = place.quick("inspect", "@last", "--json")
    assert live.code == 0
    assert live.data("inspect")["status"] == "running"
    process.send_signal(signal.SIGKILL)
    place.ended(process)
    assert status(place) == "interrupted"
    assert (
        "0ms" not in place.quick("runs").out + place.quick("inspect", "@last").out
    )  # nobody measured

    again = place.start("run", meeting.runbook, "--resume", "@last", "--json")
    meeting.wait()
    meeting.let_go()
    done = place.ended(again)
    assert done.code == 0, done.err
    assert len(done.data("run")["attempts"]) == 2
    assert status(place) == "completed"


def test_what_is_done_is_seen_while_the_run_waits_for_something_else(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook)
    meeting.wait()
    state = place.run_folder() / "_system/state.json"
    deadline = time.monotonic() + 20
    while json.loads(state.read_text())["completed"] != ["first"]:
        assert time.monotonic() < deadline
        assert status(place) == "running"  # which takes its time
    meeting.let_go()
    assert place.ended(process).code == 0


def test_two_resumes_at_once_one_names_the_other(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook)
    meeting.wait()
    process.kill()
    place.ended(process)
    winner = place.start("run", meeting.runbook, "--resume", "@last")
    meeting.wait()
    loser = place.quick("run", meeting.runbook, "--resume", "@last")
    assert loser.code == 5
    assert loser.out == ""
    assert f"process {winner.pid} " in loser.err
    assert "= help: " in loser.err
    meeting.let_go()
    assert place.ended(winner).code == 0


def test_sigterm_saves_and_resumes(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--grace", "0.1")
    meeting.wait()
    process.send_signal(signal.SIGTERM)
    done = place.ended(process)
    assert done.code == 143
    assert done.out.startswith("INTERRUPTED")
    assert "SIGTERM" in done.out
    assert f"next:  wct run {meeting.runbook} --resume" in done.out
    again = place.start("run", meeting.runbook, "--resume", "@last")
    meeting.wait()
    meeting.let_go()
    assert place.ended(again).code == 0


def test_ctrl_c_lets_running_work_finish(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--grace", "30")
    meeting.wait()
    process.send_signal(signal.SIGINT)
    meeting.let_go()
    done = place.ended(process)
    assert done.code == 130
    assert "2 completed" in done.out
    again = place.quick("run", meeting.runbook, "--resume", "@last")
    assert again.code == 0
    assert "3 completed (2 restored)" in again.out


def test_timeout_is_kept_to_although_a_thread_is_stuck(place: Place) -> None:
    meeting = place.meeting(head="config: {timeout: 1}")
    process = place.start("run", meeting.runbook)
    meeting.wait()
    began = time.monotonic()
    done = place.ended(process)
    assert done.code == 8
    assert time.monotonic() - began < 10
    assert done.out.startswith("TIMED OUT")
    assert "the limit of 1 s was reached" in done.out
    assert "did not stop" in done.out
    assert status(place) == "failed"


def test_changed_runbook_is_refused_then_allowed(place: Place) -> None:
    def book(x: int) -> str:
        return f"""
  a: {{source: {{type: python, properties: {{call: "steps.py:value", args: {{x: {x}}}}}}}}}
  sum: {{inputs: a, process: {{type: python, properties: {{call: "steps.py:total"}}}}}}
"""

    name = place.runbook("book.yaml", book(1))
    place.quick("run", name, "-q")
    place.runbook("book.yaml", book(7))
    refused = place.quick("run", name, "--resume", "@last")
    assert refused.code == 5
    assert "touches completed: a" in refused.err
    assert "--allow-changed" in refused.err
    allowed = place.quick("run", name, "--resume", "@last", "--allow-changed")
    assert allowed.code == 0, allowed.err
    made = json.loads((place.run_folder() / "sum.json").read_text())
    assert made["content"] == {"total": 7}


def test_edited_artifact_is_told_and_made_again(place: Place) -> None:
    book = place.runbook(
        "book.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
    )
    place.quick("run", book, "-q")
    file = place.run_folder() / "a.json"
    whole = json.loads(file.read_text())
    file.write_text(file.read_text().replace('"value": 1', '"value": 2'))
    looked = place.quick("inspect", "@last/a")
    assert looked.code == 9
    assert "= help: " in looked.err
    assert place.quick("inspect", "@last", "--full").code == 9
    again = place.quick("run", book, "--resume", "@last")
    assert again.code == 0
    assert json.loads(file.read_text())["content"] == whole["content"]


def test_torn_journal_is_interrupted_damaged_one_is_refused(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook)
    meeting.wait()
    process.kill()
    place.ended(process)
    journal = place.run_folder() / "_system" / "events.jsonl"
    with journal.open("ab") as out:
        out.write(b'{"seq": 99, "half a li')
    assert status(place) == "interrupted"
    again = place.start("run", meeting.runbook, "--resume", "@last")
    meeting.wait()
    meeting.let_go()
    assert place.ended(again).code == 0

    lines = journal.read_bytes().split(b"\n")
    lines[1] = lines[1].replace(b"attempt_started", b"attempt_sterted")
    journal.write_bytes(b"\n".join(lines))
    run_id = place.run_folder().name
    for command in (["inspect", run_id], ["run", meeting.runbook, "--resume", run_id]):
        done = place.quick(*command)
        assert done.code == 9
        assert "journal line 2 is damaged" in done.err
        assert "= help: " in done.err
