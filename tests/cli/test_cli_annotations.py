"""Names, tags, notes and pairs of runs, and the lists, statistics and exports over them."""

from __future__ import annotations

import csv
import io
import json
import signal
import time
from typing import Any

import pytest
from wct_process import Place, Wct

from waivern.cli.commands.wct_runs_export import as_csv
from waivern.cli.ui.user import user_name
from waivern.record.run_summary import RunSummary

PYTHON = "{type: python, properties: {call: "
GOOD = f"""
  a: {{source: {PYTHON}"steps.py:value", args: {{x: "${{TOKEN:-none}}"}}}}}}}}
"""
BAD = f"""
  b: {{source: {PYTHON}"steps.py:fail"}}}}, retry: {{max: 2, delay: 0.001}}}}
"""


def events(place: Place, run: str) -> list[dict[str, Any]]:
    file = place.path / f".waivern/runs/{run}/_system/events.jsonl"
    return [json.loads(line)["event"] for line in file.read_text().splitlines()]


def head(place: Place, run: str) -> dict[str, Any]:
    file = place.path / f".waivern/runs/{run}/_system/run.json"
    document: dict[str, Any] = json.loads(file.read_text())
    return document


def test_a_run_is_annotated_from_its_start(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", GOOD)
    done = place.quick(
        *("run", "x.yaml", "--run-id", "r", "--name", "Q4 audit", "--tag", "b", "--tag", "a"),
        *("--note", "token s3cr3t! was used", "--meta", "ticket=P-17", "--meta", "key=s3cr3t!"),
        TOKEN="s3cr3t!",
    )
    assert done.code == 0, done.err
    wanted = {
        "name": "Q4 audit",
        "tags": ["a", "b"],
        "note": "token ${TOKEN} was used",
        "meta": {"ticket": "P-17", "key": "${TOKEN}"},
    }
    assert head(place, "r")["metadata"] == wanted
    assert events(place, "r")[0]["metadata"] == wanted
    (line,) = (place.path / ".waivern/runs.jsonl").read_text().splitlines()
    assert json.loads(line)["metadata"] == wanted
    for file in (place.path / ".waivern").rglob("*"):
        if file.is_file() and file.name != "a.json":  # the artifact is what the component returned
            assert b"s3cr3t!" not in file.read_bytes(), file
    assert wct("inspect", "r", "--json").data("inspect")["metadata"] == wanted
    assert wct("runs", "verify", "r").code == 0
    seen = place.on_a_terminal("inspect", "r").out
    assert "Q4 audit" in seen
    assert "ticket=P-17" in seen


def test_annotations_are_changed_later_and_the_journal_says_by_whom(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", BAD)
    wct("run", "x.yaml", "--run-id", "r", "--tag", "a", "--note", "first")
    before = head(place, "r")["updated_at"]
    done = wct(
        "runs", "tag", "r", "c", "--remove", "a", "--note", "", "--meta", "k=v", "--by", "ann"
    )
    assert done.code == 0, done.err
    assert done.out.splitlines() == ["r", "  tags  c", "  meta  k=v"]
    last = events(place, "r")[-1]
    assert (last["type"], last["by"]) == ("run_annotated", "ann")
    assert head(place, "r")["metadata"] == {"tags": ["c"], "meta": {"k": "v"}}
    assert head(place, "r")["updated_at"] == before, "a tag is no sign of life"
    count = len(events(place, "r"))
    assert wct("runs", "tag", "r", "c").code == 0  # nothing changes: nothing is recorded
    assert wct("runs", "tag", "r").out.splitlines() == ["r", "  tags  c", "  meta  k=v"]
    assert wct("runs", "tag", "r", "--meta", "k=", "--json").data("tag")["metadata"] == {
        "tags": ["c"]
    }
    assert len(events(place, "r")) == count + 1
    assert wct("runs", "verify", "r").code == 0
    assert wct("run", "x.yaml", "--resume", "r").code == 1  # and it can be resumed
    assert head(place, "r")["metadata"] == {"tags": ["c"]}
    (row,) = map(json.loads, wct("runs", "export").out.splitlines())
    assert (row["attempt"], row["metadata"]) == (2, {"tags": ["c"]})


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("run", "x.yaml", "--tag", "a,b"), 2, "cannot be a tag"),
        (("run", "x.yaml", "--meta", "novalue"), 2, "is not KEY=VALUE"),
        (("run", "x.yaml", "--note", "x" * 3000), 2, "the limit is 2,000"),
        (("run", "x.yaml", "--name", "a\x1b[31m"), 2, "cannot be recorded"),
        (("run", "x.yaml", "--resume", "r", "--tag", "a"), 2, "wct runs tag"),
        (("runs", "tag", "absent", "a"), 4, "absent"),
        (("runs", "tag", "r", " "), 2, "cannot be a tag"),
        (("runs", "list", "--since", "yesterday"), 2, "an age such as 30d"),
        (("runs", "list", "--sort", "size"), 2, "'duration'"),
        (("runs", "stats", "--by", "year"), 2, "'week'"),
        (("runs", "export", "--format", "xml"), 2, "'csv'"),
    ],
)
def test_mistakes(place: Place, wct: Wct, options: tuple[str, ...], code: int, text: str) -> None:
    place.runbook("x.yaml", GOOD)
    wct("run", "x.yaml", "--run-id", "r")
    done = wct(*options)
    assert (done.code, done.out) == (code, "")
    assert text in done.err
    assert place.run_ids() == ["r"]


def test_a_live_run_is_annotated(place: Place, wct: Wct) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r", "--tag", "first")
    meeting.wait()
    done = wct("runs", "tag", "r", "a", "--note", "seen", "--by", "ann")
    assert (done.code, done.out.splitlines()[1:]) == (0, ["  tags  a, first", "  note  seen"])
    assert wct("runs", "tag", "r", "--remove", "first").out.splitlines()[1] == "  tags  a"
    meeting.let_go()
    assert place.ended(process).code == 0
    annotated = [each for each in events(place, "r") if each["type"] == "run_annotated"]
    assert [each["by"] for each in annotated] == ["ann", user_name()]
    assert events(place, "r")[-1]["type"] == "attempt_ended"
    assert head(place, "r")["metadata"] == {"tags": ["a"], "note": "seen"}
    (row,) = map(json.loads, wct("runs", "export").out.splitlines())
    assert row["metadata"] == {"tags": ["a"], "note": "seen"}
    assert wct("runs", "verify", "r").code == 0


def test_a_request_that_a_killed_run_left_is_granted(place: Place, wct: Wct) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r")
    meeting.wait()
    process.send_signal(signal.SIGSTOP)  # it looks for no request any more
    tagging = place.start("runs", "tag", "r", "a")
    requests = place.path / ".waivern/runs/r/_system/requests"
    deadline = time.monotonic() + 20
    while not list(requests.glob("annotate-*.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    for each in (tagging, process):
        each.kill()
        each.communicate()
    assert wct("runs", "tag", "r", "b").out.splitlines()[1] == "  tags  a, b"
    assert list(requests.iterdir()) == []


def test_a_request_is_granted_by_a_resume(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", BAD)
    wct("run", "x.yaml", "--run-id", "r")
    requests = place.path / ".waivern/runs/r/_system/requests"
    requests.mkdir(mode=0o700, exist_ok=True)
    odd = [{"change": 1}, {"change": {"add": [1]}}, {"change": {"other": "x"}}, {"by": 1}]
    for number, change in enumerate([*odd, {"by": "ann", "change": {"add": ["late"]}}]):
        (requests / f"annotate-{number}.json").write_text(json.dumps(change))
    assert wct("run", "x.yaml", "--resume", "r").code == 1
    assert head(place, "r")["metadata"] == {"tags": ["late"]}
    assert list(requests.iterdir()) == []
    assert wct("runs", "verify", "r").code == 0


def test_lists_are_filtered_and_sorted(place: Place, wct: Wct) -> None:
    place.runbook("good.yaml", GOOD)
    place.runbook("bad.yaml", BAD)
    wct("run", "good.yaml", "--run-id", "g1", "--tag", "audit", "--name", "b")
    wct("run", "bad.yaml", "--run-id", "b1", "--tag", "audit", "--tag", "x", "--name", "a")
    wct("run", "good.yaml", "--run-id", "g2")

    def ids(*options: str) -> list[str]:
        return [row[0] for row in wct("runs", *options).rows]

    assert ids() == ["g2", "b1", "g1"]
    assert ids("--runbook", "good") == ids("--runbook", "./good.yaml") == ["g2", "g1"]
    assert ids("--runbook", str(place.path / "bad.yaml")) == ["b1"]
    assert ids("--tag", "audit") == ["b1", "g1"]
    assert ids("--tag", "audit", "--tag", "x", "--status", "failed") == ["b1"]
    assert ids("--sort", "runbook") == ["b1", "g2", "g1"]
    assert ids("--sort", "status") == ["g2", "g1", "b1"]
    assert ids("--sort", "name") == ["b1", "g1", "g2"]
    assert ids("--since", "1h", "--until", "2200-01-01") == ["g2", "b1", "g1"]
    started = head(place, "b1")["started_at"]
    assert ids("--since", started) == ["g2", "b1"]
    assert ids("--until", started) == ["g1"]
    today = started[:10]
    assert ids("--since", today, "--until", today) == ["g2", "b1", "g1"]
    assert ids("--limit", "1", "--sort", "runbook") == ["b1"]
    none = wct("runs", "--tag", "nope")
    assert (none.code, none.out) == (0, "")
    assert "no run matches; 3 runs exist" in none.err
    seen = place.on_a_terminal("runs").out
    assert "TAGS" in seen
    assert "audit, x" in seen


def test_statistics(place: Place, wct: Wct) -> None:
    place.runbook("good.yaml", GOOD.replace("}}\n", "}, cache: true}\n"))
    place.runbook("bad.yaml", BAD)
    for name in ("g1", "g2", "g3"):
        assert wct("run", "good.yaml", "--run-id", name).code == 0
    wct("run", "bad.yaml", "--run-id", "b1", "--tag", "x")
    found = wct("runs", "stats", "--json").data("stats")
    assert (found["runs"], found["journals"], found["by"]) == (4, 4, "day")
    good, bad = found["runbooks"]
    assert (good["runbook"], good["runs"], good["failure_rate"]) == ("good.yaml", 3, 0.0)
    assert (bad["runbook"], bad["failed"], bad["failure_rate"]) == ("bad.yaml", 1, 1.0)
    (slow,) = good["slowest"]
    assert slow["produced"] + slow["copied"] == 3
    assert good["copied"] == slow["copied"]
    assert [period["runs"] for period in good["periods"]] == [3]
    assert bad["slowest"] == [
        slow
        | {"artifact": "b", "produced": 0, "copied": 0, "failed": 1}
        | {"median_ms": None, "longest_ms": None, "saved_ms": 0}
    ]
    assert [row[:4] for row in wct("runs", "stats", "--tag", "x").rows] == [
        ["bad.yaml", "1", "0", "1"]
    ]
    # what is removed is counted still; its artifacts are gone
    assert wct("runs", "delete", "b1", "--yes").code == 0
    assert wct("runs", "stats", "--runbook", "bad", "--by", "month").rows[0][1] == "1"
    seen = place.on_a_terminal("runs", "stats", COLUMNS="60").out
    assert "PERIOD" in seen
    assert "ARTIFACT" in seen
    none = wct("runs", "stats", "--tag", "nope")
    assert (none.code, none.out) == (0, "")
    assert "no run that ended matches; the history has 4 runs" in none.err


def test_exports(place: Place, wct: Wct) -> None:
    place.runbook("good.yaml", GOOD)
    place.runbook("bad.yaml", BAD)
    wct("run", "good.yaml", "--run-id", "-g", "--tag", "=1+1")
    wct("run", "bad.yaml", "--run-id", "b")
    lines = [json.loads(line) for line in wct("runs", "export").out.splitlines()]
    assert [line["run_id"] for line in lines] == ["b", "-g"]
    assert lines[0]["retry_count"] == 2
    table = list(csv.reader(io.StringIO(wct("runs", "export", "--format", "csv").out)))
    assert table[0] == list(RunSummary._fields)
    assert [row[0] for row in table[1:]] == ["b", "'-g"]
    assert [row["run_id"] for row in map(json.loads, _lines(wct, "--result", "failed"))] == ["b"]
    assert len(_lines(wct, "--runbook", "good.yaml", "--since", "1d")) == 1
    file = place.path / ".waivern/runs.jsonl"
    file.write_text("{\n" + file.read_text())
    done = wct("runs", "export")
    assert (done.code, len(done.out.splitlines())) == (0, 2)
    assert "warning: 1 line is no summary" in done.err


def _lines(wct: Wct, *options: str) -> list[str]:
    return wct("runs", "export", *options).out.splitlines()


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff20"])
def test_no_cell_is_a_formula(first: str) -> None:
    evil = f'{first}HYPERLINK("http://x","y")\r\n=1'
    row = RunSummary("r", "t", "t", "failed", evil, [f"{first}a"], [evil], 1, {first: evil}, evil)
    text = as_csv([row])
    _, cells = csv.reader(io.StringIO(text))
    assert not any(cell.startswith(tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")) for cell in cells)
    assert len(text.splitlines()) == 2, "a cell has one line"
    assert cells[4].startswith("'")


@pytest.mark.parametrize(
    "odd",
    [
        {"tags": 5, "meta": [], "name": {}, "note": 1},
        {"tags": [1, None, "\x1b[2J"], "meta": {"k": 5, "\x1b[2J": "\x1b[2J"}, "more": []},
    ],
)
def test_a_foreign_run_json_breaks_nothing(place: Place, wct: Wct, odd: dict[str, Any]) -> None:
    """Received from somebody else, it may say anything; what is no annotation is not shown."""
    place.runbook("x.yaml", GOOD)
    wct("run", "x.yaml", "--run-id", "r")
    file = place.path / ".waivern/runs/r/_system/run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"metadata": odd}))
    for command in (
        ("runs",),
        ("runs", "--tag", "x"),
        ("runs", "--sort", "name"),
        ("runs", "stats"),
    ):
        assert wct(*command).code == 0
        seen = place.on_a_terminal(*command)
        assert seen.code == 0, seen.out
        assert "\x1b[2J" not in seen.out
    for form in ("csv", "jsonl"):
        done = wct("runs", "export", "--format", form)
        assert (done.code, "\x1b" in done.out) == (0, False)


def test_a_change_that_was_cut_off_before_run_json_counts(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", GOOD)
    wct("run", "x.yaml", "--run-id", "r")
    file = place.path / ".waivern/runs/r/_system/run.json"
    before = file.read_bytes()
    assert wct("runs", "tag", "r", "a").code == 0
    file.write_bytes(before)
    assert [row[-1] for row in wct("runs").rows] == ["a"]
    assert wct("runs", "verify", "r").code == 0
    assert wct("runs", "tag", "r", "b").out.splitlines()[1] == "  tags  a, b"
    assert json.loads(file.read_text())["metadata"] == {"tags": ["a", "b"]}


def test_the_progress_names_the_try(place: Place, wct: Wct) -> None:
    place.runbook("bad.yaml", BAD)
    done = wct("run", "bad.yaml", "--run-id", "r")
    assert "try 1 of 3" in done.err
    retried = [event for event in events(place, "r") if event["type"] == "artifact_retried"]
    assert [(each["attempt"], each["max_attempts"]) for each in retried] == [(1, 3), (2, 3)]


GATED = f"""
  a: {{source: {PYTHON}"steps.py:value", args: {{x: "${{TOKEN:-none}}"}}}}}}}}
  ask: {{gate: {{question: "Fine?", show: [a]}}}}
  b: {{inputs: a, after: [ask], process: {PYTHON}"steps.py:value"}}}}}}
"""


def test_no_note_repeats_the_value_of_a_variable(place: Place) -> None:
    """Notes of every command that records one; the artifact itself holds what it was given."""
    place.runbook("g.yaml", GATED)
    note, value = ("--note", "see s3cr3t!"), {"TOKEN": "s3cr3t!"}
    for run in ("r", "s"):
        assert place.quick("run", "g.yaml", "--run-id", run, **value).code == 7
    done = place.quick("runs", "approve", "r", "--reject", "--by", "ann", *note, **value)
    assert done.code in (0, 1), done.err
    assert place.quick("runs", "cancel", "s", *note, **value).code == 0
    assert place.quick("runs", "redact", "s", "--reason", note[1], "--yes", **value).code == 0
    assert place.quick("runs", "pin", "r", *note, **value).code == 0
    journals = [events(place, run) for run in ("r", "s")]
    noted = [line["note"] for lines in journals for line in lines if "note" in line]
    assert noted == ["see ${TOKEN}", "see ${TOKEN}"]
    assert "see ${TOKEN}" in [line.get("reason") for line in journals[1]]
    pin = json.loads((place.path / ".waivern/runs/r/_system/pinned.json").read_text())
    assert pin["note"] == "see ${TOKEN}"


def test_the_history_has_the_duration_of_the_run(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", GOOD)
    wct("run", "x.yaml", "--run-id", "r")
    (line,) = (place.path / ".waivern/runs.jsonl").read_text().splitlines()
    assert json.loads(line)["duration_ms"] == head(place, "r")["duration_ms"] > 0
