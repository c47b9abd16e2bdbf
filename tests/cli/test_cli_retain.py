"""`wct runs cancel`, `delete`, `prune`, `pin`, `unpin`: the end of a run's life."""

from __future__ import annotations

import errno
import getpass
import itertools
import json
import pwd
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest
from wct_process import Done, Meeting, Place, Wct

from waivern.store import disk

pytestmark = pytest.mark.sweep

GOOD = '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
BAD = GOOD + '  b: {source: {type: python, properties: {call: "steps.py:fail"}}}\n'


def folder(place: Place, run_id: str) -> Path:
    return place.path / ".waivern/runs" / run_id


def head(place: Place, run_id: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder(place, run_id) / "_system/run.json").read_text())
    return document


def events(place: Place, run_id: str) -> list[dict[str, Any]]:
    lines = (folder(place, run_id) / "_system/events.jsonl").read_text().splitlines()
    return [json.loads(line)["event"] for line in lines]


def begun(place: Place, run_id: str = "r", *more: str) -> tuple[Meeting, Popen[str]]:
    """Start a run whose component waits for the test."""
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", run_id, *more)
    meeting.wait()
    return meeting, process


def crashed(place: Place, run_id: str = "r") -> Meeting:
    meeting, process = begun(place, run_id)
    process.kill()
    place.ended(process)
    return meeting


def firsts(done: Done) -> list[str]:
    return [row[0] for row in done.rows]


def runs(wct: Wct) -> dict[str, str]:
    return {row["run_id"]: row["status"] for row in wct("runs", "--json").data("runs")}


# cancel


def test_a_live_run_is_cancelled(place: Place, wct: Wct) -> None:
    meeting, process = begun(place)
    asking = place.start("runs", "cancel", "r", "--by", "ann", "--note", "wrong database")
    assert "Cancelled: waiting" in _first_line_with(process, "Cancelled")
    meeting.let_go()
    asked = place.ended(asking)
    ran = place.ended(process)
    assert (asked.code, asked.out) == (0, "r\tcancelled\n"), asked.err
    assert ran.code == 1
    assert ran.out.startswith("CANCELLED")
    assert "--resume r --force" in ran.out
    told = head(place, "r")
    assert (told["status"], told["cancelled_by"]) == ("cancelled", "ann")
    assert told["completed_at"] is not None
    (journaled,) = (e for e in events(place, "r") if e["type"] == "run_cancelled")
    assert (journaled["by"], journaled["note"]) == ("ann", "wrong database")
    assert wct("runs", "verify", "r").code == 0
    # what was at work when the wish came was let finish; what follows from it was not begun
    assert (folder(place, "r") / "met.json").exists()
    assert not (folder(place, "r") / "last.json").exists()


def _first_line_with(process: Popen[str], word: str) -> str:
    assert process.stderr
    return next(line for line in process.stderr if word in line)


def test_a_cancelled_run_is_resumed_with_force_only(place: Place, wct: Wct) -> None:
    meeting = crashed(place)
    assert wct("runs", "cancel", "r").code == 0
    refused = wct("run", meeting.runbook, "--resume", "r")
    assert refused.code == 5
    assert "--force" in refused.err
    again = place.start("run", meeting.runbook, "--resume", "r", "--force")
    meeting.wait()
    meeting.let_go()
    assert place.ended(again).code == 0
    told = head(place, "r")
    assert (told["status"], told["cancelled_by"]) == ("completed", None)
    assert [e["forced"] for e in events(place, "r") if e["type"] == "attempt_started"] == [
        [],
        ["force"],
    ]


def test_a_crashed_run_is_closed_as_cancelled(place: Place, wct: Wct) -> None:
    crashed(place)
    assert runs(wct) == {"r": "interrupted"}
    done = wct("runs", "cancel", "r", "--json")
    assert (done.code, done.data("cancel")) == (0, {"run_id": "r", "status": "cancelled"})
    told = head(place, "r")
    assert (told["status"], told["cancelled_by"]) == ("cancelled", getpass.getuser())
    assert told["completed_at"] is not None
    assert wct("runs", "verify", "r").code == 0
    assert wct("runs", "cancel", "r").code == 5  # it has ended


@pytest.mark.parametrize(("book", "status"), [(GOOD, "completed"), (BAD, "failed")])
def test_a_run_that_ended_is_not_cancelled(place: Place, wct: Wct, book: str, status: str) -> None:
    wct("run", place.runbook("book.yaml", book), "-q", "--run-id", "r")
    before = (folder(place, "r") / "_system/events.jsonl").read_bytes()
    done = wct("runs", "cancel", "r")
    assert done.code == 5
    assert f"is {status}; there is nothing to cancel" in done.err
    assert "= help: " in done.err
    assert (folder(place, "r") / "_system/events.jsonl").read_bytes() == before


def test_what_was_asked_of_a_dead_attempt_does_not_cancel_the_next(place: Place, wct: Wct) -> None:
    meeting = crashed(place)
    requests = folder(place, "r") / "_system/requests"
    requests.mkdir(mode=0o700)
    (requests / "cancel.json").write_text('{"at": "", "by": "a ghost", "note": null}\n')
    again = place.start("run", meeting.runbook, "--resume", "r")
    meeting.wait()
    meeting.let_go()
    assert place.ended(again).code == 0
    assert head(place, "r")["status"] == "completed"
    assert list(requests.iterdir()) == []


def test_a_run_that_dies_while_it_is_asked_is_closed(place: Place, wct: Wct) -> None:
    _, process = begun(place)
    asking = place.start("runs", "cancel", "r", "--by", "ann")
    _first_line_with(process, "Cancelled")
    process.kill()
    place.ended(process)
    assert place.ended(asking).out == "r\tcancelled\n"
    assert head(place, "r")["cancelled_by"] == "ann"
    assert runs(wct) == {"r": "cancelled"}


def test_asking_without_waiting(place: Place, wct: Wct) -> None:
    meeting, process = begun(place)
    for _ in range(2):  # twice is as good as once
        done = wct("runs", "cancel", "r", "--wait", "0")
        assert (done.code, done.out) == (0, "r\trunning\n")
        assert "next:  wct inspect r" in done.err
    _first_line_with(process, "Cancelled")
    meeting.let_go()
    assert place.ended(process).code == 1
    assert [e["type"] for e in events(place, "r")].count("run_cancelled") == 1


@pytest.mark.parametrize(
    "text", ["", "{", "[]}\n", '"}\n', "null", "[1]\n", "{}\n{}\n", "\0" * 9, '{"by": {}}\n']
)
def test_a_broken_request_does_not_disturb_the_run(place: Place, wct: Wct, text: str) -> None:
    meeting = crashed(place)
    again = place.start("run", meeting.runbook, "--resume", "r")
    meeting.wait()
    requests = folder(place, "r") / "_system/requests"
    requests.mkdir(mode=0o700)
    (requests / "cancel.json").write_text(text)
    (requests / "other.json").mkdir()
    wct("runs", "cancel", "r", "--wait", "0.3")  # the run looks every 0.2 s
    meeting.let_go()
    done = place.ended(again)
    assert done.code in (0, 1), done.err  # "by {}" is a wish all the same
    assert "internal error" not in done.err
    assert wct("runs", "verify", "r").code == 0


def test_nobody_of_that_name(place: Place, wct: Wct, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the user may have no name."""

    def unknown(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    crashed(place)
    assert wct("runs", "pin", "r").code == 0
    assert wct("runs", "cancel", "r").code == 0
    assert head(place, "r")["cancelled_by"].startswith("uid ")


# delete


def test_delete(place: Place, wct: Wct) -> None:
    book = place.runbook("book.yaml", GOOD)
    for run_id in ("one", "two", "three"):
        wct("run", book, "-q", "--run-id", run_id)
    done = wct("runs", "delete", "--yes", "one", "@last")
    assert (done.code, firsts(done)) == (0, ["removed one", "removed three"])
    assert runs(wct) == {"two": "completed"}
    assert [p.name for p in (place.path / ".waivern/runs").iterdir()] == ["two"]
    missing = wct("runs", "delete", "--yes", "two", "one")
    assert missing.code == 4
    assert runs(wct) == {"two": "completed"}  # all or none are understood
    done = wct("runs", "delete", "--yes", "two", "two", "--json")
    assert done.code == 0, done.out
    document = done.data("delete")
    assert (document["removed"], document["spared"], document["dry_run"]) == (["two"], {}, False)


def test_delete_needs_a_run(wct: Wct) -> None:
    assert wct("runs", "delete").code == 2


def test_a_running_run_stays(place: Place, wct: Wct) -> None:
    meeting, process = begun(place)
    for words in (
        ["delete", "--yes", "r"],
        ["delete", "--yes", "r", "--force"],
        ["prune", "--keep-last", "0", "--yes"],
    ):
        done = wct("runs", *words)
        assert done.code == (5 if words[0] == "delete" else 0)
        assert "it is running" in done.err
        assert runs(wct) == {"r": "running"}
    meeting.let_go()
    assert place.ended(process).code == 0


def test_a_pinned_run_stays_until_it_is_let_go(place: Place, wct: Wct) -> None:
    wct("run", place.runbook("book.yaml", GOOD), "-q", "--run-id", "r")
    assert wct("runs", "pin", "r", "--note", "for the auditor").out == "pinned r\n"
    pinned = json.loads((folder(place, "r") / "_system/pinned.json").read_text())
    assert (pinned["by"], pinned["note"]) == (getpass.getuser(), "for the auditor")
    assert wct("runs", "--json").data("runs")[0]["pinned"] is True
    assert wct("runs", "verify", "r").code == 0
    done = wct("runs", "delete", "--yes", "r")
    assert done.code == 5
    assert "it is pinned" in done.err
    assert "--force" in done.err
    done = wct("runs", "prune", "--keep-last", "0", "--yes")
    assert done.code == 0
    assert "retained r: it is pinned" in done.err
    assert wct("run", "book.yaml", "--resume", "r", "-q").code == 0  # a pin keeps nobody from it
    assert wct("runs", "unpin", "r").out == "unpinned r\n"
    assert wct("runs", "unpin", "r").code == 0
    assert wct("runs", "delete", "--yes", "r").code == 0
    for words in (["pin", "r"], ["unpin", "r"]):
        assert wct("runs", *words).code == 4


def test_force_takes_a_pinned_one(place: Place, wct: Wct) -> None:
    wct("run", place.runbook("book.yaml", GOOD), "-q", "--run-id", "r")
    wct("runs", "pin", "r")
    assert wct("runs", "delete", "--yes", "r", "--force").code == 0
    assert runs(wct) == {}


@pytest.fixture
def reused(place: Place, wct: Wct) -> None:
    """`c` reused from `b`, which reused from `a`."""
    wct("run", place.runbook("a.yaml", GOOD), "-q", "--run-id", "a")
    for name, source in (("b", "a"), ("c", "b")):
        book = place.runbook(
            f"{name}.yaml", f"  a: {{reuse: {{from_run: {source}, artifact: a}}}}\n"
        )
        assert wct("run", book, "-q", "--run-id", name).code == 0


def test_a_run_that_was_reused_stays_while_the_other_does(
    place: Place, wct: Wct, reused: None
) -> None:
    done = wct("runs", "delete", "--yes", "a")
    assert done.code == 5
    assert "run a stays: run b reused it" in done.err
    assert wct("runs", "delete", "--yes", "a", "b").code == 5
    assert runs(wct).keys() == {"a", "b", "c"}  # b stays because of c, and so a because of b
    assert wct("runs", "delete", "--yes", "c", "a").code == 5
    assert runs(wct).keys() == {"a", "b"}
    assert wct("runs", "delete", "--yes", "a", "b").code == 0
    assert runs(wct) == {}


def test_what_a_run_that_stays_reused_stays(place: Place, wct: Wct, reused: None) -> None:
    wct("runs", "pin", "c")
    done = wct("runs", "prune", "--keep-last", "0", "--yes", "--json")
    document = done.data("prune")
    assert (document["removed"], document["dry_run"]) == ([], False)
    assert document["spared"] == {
        "c": "it is pinned",
        "b": "run c reused it",
        "a": "run b reused it",
    }
    assert wct("runs", "delete", "--yes", "a", "--force").code == 0
    assert runs(wct).keys() == {"b", "c"}
    assert wct("runs", "verify", "b").code == 0  # its copy is its own
    assert wct("run", "b.yaml", "--resume", "b", "-q").code == 0


@pytest.mark.parametrize("broken", ["no records", "no journal", "nothing"])
def test_a_corrupt_run_can_be_deleted(place: Place, wct: Wct, broken: str) -> None:
    wct("run", place.runbook("book.yaml", GOOD), "-q", "--run-id", "r")
    match broken:
        case "no records":
            shutil.rmtree(folder(place, "r") / "_system")
        case "no journal":
            (folder(place, "r") / "_system/events.jsonl").unlink()
        case "nothing":
            shutil.rmtree(folder(place, "r"))
            folder(place, "r").mkdir()
    assert runs(wct) == {"r": "corrupt"}
    assert wct("runs", "prune", "--older-than", "0s").code == 0
    assert runs(wct) == {"r": "corrupt"}
    for options in ("--status corrupt", "--keep-last 0"):  # a policy removes nothing unreadable
        done = wct("runs", "prune", *options.split(), "--yes")
        assert (done.code, done.out) == (0, "")
        assert "retained r: it cannot be read" in done.err
    refused = wct("runs", "delete", "--yes", "r")
    assert refused.code == 5
    assert "it cannot be read" in refused.err
    assert firsts(wct("runs", "delete", "--yes", "r", "--force")) == ["removed r"]
    assert runs(wct) == {}


def test_what_a_killed_removal_left_is_swept(place: Place, wct: Wct) -> None:
    """Whatever it is: a file or a link of that name must not stop every run after it."""
    book = place.runbook("book.yaml", GOOD)
    wct("run", book, "-q", "--run-id", "r")
    store = place.path / ".waivern/runs"
    (store / "r").rename(store / ".trash-r")
    (store / ".trash-file").write_text("")
    (store / ".new-link").symlink_to(place.path)
    assert runs(wct) == {}
    done = wct("run", book, "-q", "--run-id", "s")
    assert done.code == 0, done.err
    assert [p.name for p in store.iterdir()] == ["s"]
    assert (place.path / book).exists()


# prune


@pytest.fixture
def five(place: Place, wct: Wct, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Five runs, r5 the newest; r2 and r4 failed; each an hour older than the next."""
    if "five" not in MADE:
        good, bad = place.runbook("good.yaml", GOOD), place.runbook("bad.yaml", BAD)
        for n in range(1, 6):
            wct("run", bad if n % 2 == 0 else good, "-q", "--run-id", f"r{n}")
            _back_date(folder(place, f"r{n}"), hours=5 - n)
        MADE["five"] = tmp_path_factory.mktemp("five") / "store"
        shutil.copytree(place.path / ".waivern", MADE["five"], symlinks=True)
    else:
        shutil.copytree(MADE["five"], place.path / ".waivern", symlinks=True)
    return place


MADE: dict[str, Path] = {}
"""Stores that several tests begin with a copy of."""


def _back_date(run: Path, hours: int) -> None:
    """Let a run look older in what lists are made of."""
    at = datetime.now(UTC) - timedelta(hours=hours, minutes=1)
    text = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    document = json.loads((run / "_system/run.json").read_text())
    document["started_at"] = document["updated_at"] = text
    lines = (run / "_system/events.jsonl").read_text().splitlines(keepends=True)
    last = json.loads(lines[-1])
    lines[-1] = lines[-1].replace(last["event"]["at"], text)
    (run / "_system/events.jsonl").write_text("".join(lines))
    (run / "_system/run.json").write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ("--keep-last 0", "12345"),
        ("--keep-last 1", "123"),
        ("--keep-last 2", "1"),
        ("--keep-last 5", ""),
        ("--keep-last 99", ""),
        ("--older-than 150m", "12"),
        ("--older-than 3h", "12"),
        ("--older-than 1d", ""),
        ("--older-than 0s", "12345"),
        ("--status failed", "24"),
        ("--status failed --status completed", "12345"),
        ("--status interrupted", ""),
        ("--keep-last 1 --status failed", "2"),
        ("--keep-last 2 --status failed", ""),
        ("--keep-last 1 --older-than 2h --keep-failed", "13"),
        ("--keep-last 0 --runbook bad", "24"),
        ("--keep-last 0 --runbook bad.yaml", "24"),
        ("--keep-last 1 --runbook good --runbook bad", "123"),
        ("--older-than 150m --runbook good", "1"),
        ("--keep-last 0 --runbook b", ""),
        ("--keep-last 0 --keep-failed", "135"),
        ("--status failed --keep-failed", ""),
        ("--keep-last 1 --older-than 210m", "1"),
    ],
)
def test_what_may_go(five: Place, wct: Wct, options: str, gone: str) -> None:
    everything = {f"r{n}" for n in range(1, 6)}
    doomed = {f"r{n}" for n in gone}
    listed = wct("runs", "prune", *options.split())
    assert listed.code == 0, listed.err
    assert set(firsts(listed)) == {f"would remove {run}" for run in doomed}
    assert f"{len(doomed)} of 5 runs would be removed" in listed.err
    assert runs(wct).keys() == everything  # nothing without --yes
    done = wct("runs", "prune", *options.split(), "--yes", "--json")
    assert set(done.data("prune")["removed"]) == doomed
    assert runs(wct).keys() == everything - doomed


@pytest.mark.parametrize(
    "options",
    ["", "--yes", "--keep-failed --yes", "--runbook good --yes", "--keep-last 0 --force --yes"],
)
def test_prune_without_a_policy_is_refused(five: Place, wct: Wct, options: str) -> None:
    done = wct("runs", "prune", *options.split())
    assert done.code == 2
    assert "--keep-last" in done.err or "wct runs delete RUN --force" in done.err
    assert len(runs(wct)) == 5


@pytest.mark.parametrize(
    "age", ["", "3", "d", "-1d", "1.5h", "3 d", "9999999d", "1y", "٣d", "1d\n"]
)
def test_an_age_that_is_none(wct: Wct, age: str) -> None:
    done = wct("runs", "prune", "--older-than", age)
    assert done.code == 2
    assert "is not an age" in done.err


def test_the_oldest_age(five: Place, wct: Wct) -> None:
    assert wct("runs", "prune", "--older-than", "999999w").code == 0


def test_prune_in_an_empty_store(wct: Wct) -> None:
    done = wct("runs", "prune", "--keep-last", "0", "--yes")
    assert (done.code, done.out) == (0, "")


# what nobody should be able to break


@pytest.mark.parametrize("name", ["updated_at", "started_at", "status", "reuses", "attempts"])
def test_records_of_another_shape(five: Place, wct: Wct, name: str) -> None:
    path = folder(five, "r5") / "_system/run.json"
    whole = json.loads(path.read_text())
    values: tuple[object, ...] = (None, 5, [], {}, "", "soon", ["a", 5], "2026-01-01T00:00:00")
    for value in values:
        path.write_text(json.dumps(whole | {name: value}))
        for words in (
            ["runs"],
            ["inspect", "@last"],
            ["runs", "verify", "r5"],
            ["runs", "prune", "--older-than", "1h"],
            ["runs", "prune", "--keep-last", "1"],
        ):
            done = wct(*words)
            assert done.code in (0, 4, 5, 9), f"{words} {value!r}: {done.err}"
        assert "r5" in runs(wct)


def test_the_help_of_a_refused_removal_works(place: Place, wct: Wct) -> None:
    meeting, process = begun(place)
    for force in ([], ["--force"]):
        done = wct("runs", "delete", "--yes", "r", *force)
        assert done.code == 5
        assert "`wct runs cancel RUN` ends" in done.err
        assert "--force" not in done.err
    meeting.let_go()
    assert place.ended(process).code == 0
    wct("runs", "pin", "r")
    assert "`wct runs delete r --force` removes" in wct("runs", "delete", "--yes", "r").err


def test_a_pin_is_shown_with_its_note(place: Place, wct: Wct) -> None:
    assert wct("run", place.runbook("one.yaml", GOOD), "-q", "--run-id", "r").code == 0
    assert "pinned" not in wct("inspect", "r", "--full").out
    wct("runs", "pin", "r", "--note", "for the audit")
    (line,) = [x for x in wct("inspect", "r", "--full").out.splitlines() if "  pinned" in x]
    assert line.endswith(": for the audit")
    assert wct("runs", "unpin", "r").out == "unpinned r\n"
    assert wct("runs", "unpin", "r").out == "r was not pinned\n"


def test_a_run_that_will_not_end_in_time_is_no_success(place: Place, wct: Wct) -> None:
    meeting, process = begun(place)
    done = wct("runs", "cancel", "r", "--wait", "0.1")
    assert (done.code, done.out) == (8, "r\trunning\n")
    assert "still running" in done.err
    assert wct("runs", "cancel", "r", "--wait", "0.1", "--json").code == 8
    meeting.let_go()
    assert place.ended(process).code == 1


# what is destroyed is shown first


GATE = f"{GOOD}  ok: {{gate: {{question: 'Is it well?', show: [a]}}}}\n"
AFTER = (
    GATE + '  z: {inputs: [a, ok], process: {type: python, properties: {call: "steps.py:total"}}}\n'
)


def store(place: Place) -> set[str]:
    runs = (place.path / ".waivern/runs").iterdir()
    return {path.name for path in runs if path.name[0] != "."}  # the marks of killed holders


def test_delete_shows_and_needs_yes(place: Place, wct: Wct) -> None:
    wct("run", place.runbook("book.yaml", GOOD), "-q", "--run-id", "abcdef")
    done = wct("runs", "delete", "abcdef")
    assert done.code == 5
    ((run, book, status, age, size),) = done.rows
    assert (run, book, status) == ("would remove abcdef", "book.yaml", "completed")
    assert age.endswith("s")
    assert size.endswith(("B", "KiB"))
    assert "--yes" in done.err
    told = wct("runs", "delete", "abcdef", "--json").data("delete")
    assert told["dry_run"] is True
    (row,) = told["runs"]
    assert (row["run_id"], row["runbook"], row["status"]) == ("abcdef", "book.yaml", "completed")
    assert row["age"] >= 0
    assert row["size"] > 500
    assert row["protection"] is None
    assert store(place) == {"abcdef"}
    done = wct("runs", "delete", "abcdef", "--yes")
    assert (done.code, done.rows[0][:3]) == (0, ["removed abcdef", "book.yaml", "completed"])
    assert store(place) == set()


@pytest.mark.parametrize("answer", ["y", "n", "", "\x04"])
def test_a_person_at_a_terminal_is_asked(place: Place, wct: Wct, answer: str) -> None:
    wct("run", place.runbook("book.yaml", GOOD), "-q", "--run-id", "abcdef")
    for words in (["delete", "abcdef"], ["prune", "--keep-last", "0"]):
        done = place.on_a_terminal("runs", *words, answer=f"{answer}\n")
        if "RUNBOOK" in done.out:
            assert "book.yaml" in done.out
            assert "Remove 1 run, " in done.out
        assert store(place) == (set() if answer == "y" else {"abcdef"})
    wct("run", "book.yaml", "-q", "--run-id", "abcdef", "--no-cache")
    wct("runs", "pin", "abcdef")
    done = place.on_a_terminal("runs", "prune", "--keep-last", "0", answer="y\n")
    assert "retained abcdef: it is pinned" in done.out
    assert store(place) == {"abcdef"}


@pytest.mark.parametrize("text", ["a", "ab", "abc", "A-B-C"])
def test_a_short_prefix_removes_nothing(place: Place, wct: Wct, text: str) -> None:
    wct("run", place.runbook("book.yaml", GOOD), "-q", "--run-id", "abcdef")
    done = wct("runs", "delete", text, "--yes", "--force")
    assert done.code == 5
    assert "abcdef" in done.err
    assert store(place) == {"abcdef"}
    assert wct("inspect", text).code == 0
    wct("run", "book.yaml", "-q", "--run-id", "abcdeg")
    assert wct("runs", "delete", "abcde", "--yes").code == 4  # it fits two
    assert firsts(wct("runs", "delete", "abcdef", "--yes")) == ["removed abcdef"]


@pytest.mark.parametrize("decided", [False, True])
def test_a_run_that_waits_for_a_decision_stays(place: Place, wct: Wct, decided: bool) -> None:
    assert wct("run", place.runbook("g.yaml", AFTER), "-q", "--run-id", "gate").code == 7
    if decided:
        assert wct("runs", "approve", "gate", "--by", "ann", "--no-resume").code == 0
    for words in ("--keep-last 0", "--older-than 0s", "--status suspended"):
        done = wct("runs", "prune", *words.split(), "--yes")
        assert (done.code, done.out) == (0, "")
        assert "retained gate: it waits for a decision (g.yaml, suspended, " in done.err
    refused = wct("runs", "delete", "gate", "--yes")
    assert refused.code == 5
    assert "waits for a decision" in refused.err
    assert store(place) == {"gate"}
    assert wct("runs", "delete", "gate", "--yes", "--force").code == 0


def test_a_failed_run_with_a_gate_that_waits_stays(place: Place, wct: Wct) -> None:
    book = GATE + '  b: {source: {type: python, properties: {call: "steps.py:fail"}}}\n'
    wct("run", place.runbook("g.yaml", book), "-q", "--run-id", "gate")
    assert head(place, "gate")["status"] == "failed"
    done = wct("runs", "prune", "--status", "failed", "--yes")
    assert "retained gate: it waits for a decision" in done.err
    assert store(place) == {"gate"}


def test_a_decision_that_a_killed_attempt_did_not_use_stays(place: Place, wct: Wct) -> None:
    meeting = place.meeting()
    artifacts = (place.path / meeting.runbook).read_text().partition("artifacts:\n")[2]
    ask = "  ok: {gate: {question: 'Is it well?', show: [first]}}\n"
    book = place.runbook("g.yaml", artifacts.replace("  last:", f"{ask}  last:"))
    ran = place.start("run", book, "--run-id", "gate")
    meeting.wait()
    meeting.let_go()
    assert place.ended(ran).code == 7
    path = folder(place, "gate") / "_system/events.jsonl"
    assert wct("runs", "approve", "gate", "--by", "ann", "--no-resume").code == 0
    (folder(place, "gate") / "met.json").unlink()  # so that the next attempt waits in it
    again = place.start("run", book, "--resume", "gate", "--max-concurrency", "1")
    meeting.wait()
    again.kill()
    place.ended(again)
    assert runs(wct) == {"gate": "interrupted"}
    assert path.read_text().count("gate_decided") == 1
    done = wct("runs", "prune", "--keep-last", "0", "--yes")
    assert store(place) == {"gate"}, done
    assert "retained gate: it holds a decision" in done.err


# a run that cannot be read


def _one_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def _newer(path: Path) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema_version": 2}))


def _both(system: Path) -> None:
    _one_byte(system / "run.json")
    _one_byte(system / "state.json")


DAMAGE: dict[str, Callable[[Path], None]] = {
    "a byte of state.json": lambda system: _one_byte(system / "state.json"),
    "a byte of run.json": lambda system: _one_byte(system / "run.json"),
    "a newer run.json": lambda system: _newer(system / "run.json"),
    "no state.json": lambda system: (system / "state.json").unlink(),
    "a folder for state.json": lambda system: _folder_for(system / "state.json"),
    "run.json and state.json": _both,
}


def _folder_for(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_takes_no_protection_away(place: Place, wct: Wct, reused: None, damage: str) -> None:
    """`a` and `b` were reused by `c`, whose records are damaged; so are those of a pinned run."""
    wct("run", "a.yaml", "-q", "--run-id", "pinned")
    wct("runs", "pin", "pinned")
    for run_id in ("c", "pinned"):
        DAMAGE[damage](folder(place, run_id) / "_system")
    for words in ("--keep-last 0", "--older-than 0s", "--status completed", "--status corrupt"):
        done = wct("runs", "prune", *words.split(), "--yes")
        assert (done.code, done.out) == (0, ""), words
        assert store(place) == {"a", "b", "c", "pinned"}
    for run_id in ("a", "b", "c", "pinned"):
        assert wct("runs", "delete", run_id, "--yes").code == 5
    told = wct("runs", "delete", "pinned", "c", "--yes", "--json")
    assert told.code == 5
    spared = told.data("delete")["spared"]
    assert spared["pinned"] == "it is pinned"
    assert spared["c"].startswith("it cannot be read")
    assert wct("runs", "delete", "pinned", "c", "--yes", "--force").code == 0
    assert wct("runs", "prune", "--keep-last", "0", "--yes").code == 0
    assert store(place) == set()


@pytest.mark.parametrize("error", [errno.EMFILE, errno.EIO, errno.EACCES])
@pytest.mark.parametrize("name", ["run.json", "state.json", "events.jsonl"])
def test_a_record_that_cannot_be_read_now(
    place: Place,
    wct: Wct,
    reused: None,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    error: int,
) -> None:
    """Whichever look at a record of the reuser fails, once: nothing that it reused goes."""
    for number in itertools.count(1):
        seen = itertools.count(1)

        def look(_operation: str, what: str, number: int = number, seen: Any = seen) -> None:
            if what == name and next(seen) == number:
                raise OSError(error, "at a bad moment")

        with monkeypatch.context() as patch:
            patch.setattr(disk, "step", look)
            wct("runs", "prune", "--older-than", "99w", "--status", "completed", "--yes")
            wct("runs", "delete", "a", "--yes")
        assert {"a", "b", "c"} <= store(place)
        if next(seen) <= number:
            break


def test_an_unreadable_run_is_deleted_by_name_and_by_force_only(place: Place, wct: Wct) -> None:
    wct("run", place.runbook("book.yaml", GOOD), "-q", "--run-id", "r")
    _one_byte(folder(place, "r") / "_system/state.json")
    done = wct("runs", "prune", "--keep-last", "0", "--yes")
    assert "retained r: it cannot be read" in done.err
    assert "book.yaml" in done.err
    assert wct("runs", "delete", "r", "--yes", "--force").code == 0
    assert store(place) == set()
