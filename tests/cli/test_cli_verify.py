"""`wct runs verify`: what was altered is named exactly, and nothing else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from wct_process import Done, Place, Wct

BOOK = """
  one: {source: {type: python, properties: {call: "steps.py:value"}}}
  bad: {source: {type: python, properties: {call: "steps.py:fail"}}}
  sum: {inputs: one, process: {type: python, properties: {call: "steps.py:total"}}}
"""


@pytest.fixture
def run(place: Place, wct: Wct) -> Path:
    """A run that ended, with a failure in it; its id is `r`."""
    assert wct("run", place.runbook("book.yaml", BOOK), "-q", "--run-id", "r").code == 1
    return place.path / ".waivern/runs/r"


def heads(run: Path) -> list[str]:
    lines = (run / "_system/events.jsonl").read_text().splitlines()
    return [json.loads(line)["hash"] for line in lines]


def faults(done: Done) -> dict[str, str]:
    (found,) = done.data("verify")
    assert found["ok"] == (not found["faults"])
    return {fault["path"]: fault["what"] for fault in found["faults"]}


def test_an_intact_run(run: Path, wct: Wct) -> None:
    done = wct("runs", "verify", "r")
    assert done.code == 0, done.err
    assert "r  intact  9 journal lines, 2 artifacts" in done.out
    assert f"head  {heads(run)[-1]}" in done.out
    (found,) = wct("runs", "verify", "r", "--json").data("verify")
    assert found["ok"] is True
    assert (found["lines"], found["artifacts"], found["head"]) == (9, 2, heads(run)[-1])
    assert (found["faults"], found["notes"]) == ([], [])
    assert "_system/lock" in found["not_covered"]


def test_the_head_is_what_the_run_printed(place: Place, wct: Wct) -> None:
    ran = wct("run", place.runbook("book.yaml", BOOK), "-q", "--run-id", "r")
    printed = ran.out.split("head ")[1].split()[0]
    assert wct("runs", "verify", "r", "--expect", printed).code == 0
    assert printed == heads(place.path / ".waivern/runs/r")[-1]


# what was altered


def _edit(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    def alter(run: Path) -> None:
        data = (run / name).read_bytes()
        assert old in data
        (run / name).write_bytes(data.replace(old, new, 1))

    return alter


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[Path], None]:
    def alter(run: Path) -> None:
        path = run / "_system/events.jsonl"
        path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))

    return alter


def _swap(run: Path) -> None:
    (run / "one.json").rename(run / "x")
    (run / "sum.json").rename(run / "one.json")
    (run / "x").rename(run / "sum.json")


def _link(name: str) -> Callable[[Path], None]:
    def alter(run: Path) -> None:
        moved = (run / name).rename(run.parent.parent / "moved")
        (run / name).symlink_to(moved)

    return alter


def _write(name: str, text: str = "{}") -> Callable[[Path], None]:
    def alter(run: Path) -> None:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(text)

    return alter


def _remove(name: str) -> Callable[[Path], None]:
    return lambda run: (run / name).unlink()


LOST = "has lost the bytes of its runbook"
STRANGE = "is not known to the journal"
EVENTS = "_system/events.jsonl"
ALTERED: dict[str, tuple[Callable[[Path], None], dict[str, str]]] = {
    "a value": (_edit("one.json", b'"value": 1', b'"value": 2'), {"one.json": "altered"}),
    "a longer file": (_edit("one.json", b"\n}\n", b"\n}\n\n"), {"one.json": "altered"}),
    "an artifact removed": (_remove("sum.json"), {"sum.json": "missing"}),
    "an artifact emptied": (_write("sum.json", ""), {"sum.json": "altered"}),
    "two swapped": (_swap, {"one.json": "altered", "sum.json": "altered"}),
    "a link": (_link("one.json"), {"one.json": "is not a regular file"}),
    "the runbook": (_edit("_system/runbook.yaml", b"one", b"two"), {"_system/runbook.yaml": LOST}),
    "the runbook removed": (_remove("_system/runbook.yaml"), {"_system/runbook.yaml": LOST}),
    "run.json": (
        _edit("_system/run.json", b'"failed"', b'"completed"'),
        {"_system/run.json": "is not what the journal says"},
    ),
    "run.json removed": (_remove("_system/run.json"), {"_system/run.json": "has no run.json"}),
    "state.json": (
        _edit("_system/state.json", b'"bad"', b'"bed"'),
        {"_system/state.json": "is not what the journal says"},
    ),
    "state.json removed": (_remove("_system/state.json"), {"_system/state.json": "has no state"}),
    "a line": (_lines(lambda all_: [*all_[:3], b"x" + all_[3], *all_[4:]]), {EVENTS: "line 4 is"}),
    "a line left out": (_lines(lambda all_: [*all_[:3], *all_[4:]]), {EVENTS: "line 4 is damaged"}),
    "the last line": (_lines(lambda all_: all_[:-1]), {EVENTS: "line 9 is damaged: it is missing"}),
    "lines swapped": (
        _lines(lambda all_: [*all_[:3], all_[4], all_[3], *all_[5:]]),
        {EVENTS: "line 4 is damaged: it says it is line 5"},
    ),
    "no journal": (_remove(EVENTS), {EVENTS: "has no journal"}),
    "a file added": (_write("more.json"), {"more.json": STRANGE}),
    "a failed artifact": (_write("bad.json"), {"bad.json": STRANGE}),
    "a file in a new folder": (_write("new/more.txt"), {"new/more.txt": STRANGE}),
    "a hidden file": (_write(".more"), {".more": STRANGE}),
    "a hidden folder": (_write(".more/x"), {".more/": STRANGE}),
    "a record added": (_write("_system/more.json"), {"_system/more.json": STRANGE}),
    "a child added": (_write("_system/children/x.yaml"), {"_system/children/x.yaml": STRANGE}),
    "a lock's neighbour": (_write("_system/lock.more"), {"_system/lock.more": STRANGE}),
    "another runbook": (
        _write("_system/runbook.0123456789abcdef.yaml"),
        {"_system/runbook.0123456789abcdef.yaml": STRANGE},
    ),
}


@pytest.mark.parametrize(("alter", "found"), ALTERED.values(), ids=ALTERED)
def test_what_was_altered_is_named(
    run: Path, wct: Wct, alter: Callable[[Path], None], found: dict[str, str]
) -> None:
    alter(run)
    told = wct("runs", "verify", "r")
    assert told.code == 9
    assert "r  ALTERED" in told.out
    done = wct("runs", "verify", "r", "--json")
    assert done.code == 9
    told_faults = faults(done)
    assert told_faults.keys() == found.keys()
    for path, what in found.items():
        assert what in told_faults[path]
        assert f"  {path}: {told_faults[path]}" in told.out


def test_a_hidden_leftover_is_a_note(run: Path, wct: Wct) -> None:
    """A thread that was left behind may stage its result when the run has ended."""
    (run / ".tmp-0123").write_text("{}")
    done = wct("runs", "verify", "r")
    assert done.code == 0
    assert "note: .tmp-0123 is a leftover" in done.out


def test_records_are_verified_with_their_artifact(place: Place, wct: Wct) -> None:
    (place.path / "more.py").write_text(
        "def rows():\n    for n in range(3000):\n        yield {'n': n}\n"
    )
    book = '  rows: {source: {type: python, properties: {call: "more.py:rows"}}}'
    assert wct("run", place.runbook("book.yaml", book), "-q", "--run-id", "r").code == 0
    assert wct("runs", "verify", "r").code == 0
    records = place.path / ".waivern/runs/r/rows.jsonl"
    whole = records.read_bytes()
    records.write_bytes(whole.replace(b"2999", b"2998"))
    assert faults(wct("runs", "verify", "r", "--json")) == {"rows.json": "its records are altered"}
    records.unlink()
    assert faults(wct("runs", "verify", "r", "--json")) == {"rows.json": "its records are missing"}
    assert wct("run", "book.yaml", "--resume", "r", "-q").code == 0
    assert records.read_bytes() == whole
    assert wct("runs", "verify", "r").code == 0


@pytest.mark.parametrize("path", ["one.jsonl", "_system/items/one.jsonl"])
def test_records_that_no_artifact_describes(run: Path, wct: Wct, path: str) -> None:
    (run / path).parent.mkdir(exist_ok=True)
    (run / path).write_text('{"n":1}\n')
    found = faults(wct("runs", "verify", "r", "--json"))
    assert found == {path: "is not known to its artifact"}


def test_the_runbook_after_a_change_and_back(place: Place, run: Path, wct: Wct) -> None:
    """Its bytes are then also kept beside it: both places are looked at."""
    first = (place.path / "book.yaml").read_text()
    (place.path / "book.yaml").write_text(first + "# changed\n")
    assert wct("run", "book.yaml", "--resume", "r", "--allow-changed", "-q").code == 1
    (place.path / "book.yaml").write_text(first)
    assert wct("run", "book.yaml", "--resume", "r", "--allow-changed", "-q").code == 1
    assert len(list((run / "_system").glob("runbook.*.yaml"))) == 2
    assert wct("runs", "verify", "r").code == 0
    (run / "_system/runbook.yaml").unlink()
    assert faults(wct("runs", "verify", "r", "--json")).keys() == {"_system/runbook.yaml"}


def test_a_run_is_read_under_its_own_id_only(run: Path, wct: Wct) -> None:
    """Or a resume of the copy would write into the folder of the other."""
    shutil.copytree(run, run.with_name("copy"))
    before = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    done = wct("runs", "verify", "copy", "--json")
    assert faults(done) == {"_system/events.jsonl": "the journal of run copy is that of run 'r'"}
    for words in (["run", "book.yaml", "--resume", "copy"], ["runs", "cancel", "copy"]):
        assert wct(*words).code == 9
    assert wct("inspect", "copy").code == 9
    assert {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


# --expect


def test_an_expected_head(run: Path, wct: Wct) -> None:
    current, earlier = heads(run)[-1], heads(run)[3]
    for expected in (current, f"sha256:{current}", current.upper(), current[:16], earlier):
        assert wct("runs", "verify", "r", "--expect", expected).code == 0, expected
    wrong = f"{int(current, 16) ^ 1:064x}"
    for expected in (wrong, wrong[-16:], current[1:]):
        done = wct("runs", "verify", "r", "--expect", expected, "--json")
        assert done.code == 9, expected
        assert "no line has the expected hash" in faults(done)["_system/events.jsonl"]


@pytest.mark.parametrize("text", ["", "abc", "f" * 15, "f" * 65, "f" * 63 + "g", "sha256:"])
def test_what_cannot_be_a_head_is_no_tampering(run: Path, wct: Wct, text: str) -> None:
    done = wct("runs", "verify", "r", "--expect", text)
    assert (done.code, done.out) == (2, "")
    assert "is not the head of a journal" in done.err
    assert "16 or more" in done.err


def test_expect_goes_with_one_run(run: Path, wct: Wct) -> None:
    head = heads(run)[-1]
    for args in (["r", "r"], ["--all"], []):
        done = wct("runs", "verify", *args, "--expect", head)
        assert done.code == 2, args
        assert "= help: " in done.err
    assert wct("runs", "verify", "r", "--all").code == 2


def test_a_journal_written_anew_is_only_known_by_its_head(run: Path, wct: Wct) -> None:
    """Whoever can write to the folder can rewrite all of it, but not what was kept elsewhere."""
    kept = heads(run)[-1]
    assert wct("run", "book.yaml", "-q", "--run-id", "r", "--store", "other").code == 1
    shutil.rmtree(run)
    (run.parents[2] / "other/runs/r").rename(run)
    assert wct("runs", "verify", "r", "--expect", kept).code == 9
    assert wct("runs", "verify", "r", "--expect", heads(run)[-1]).code == 0


# several runs


def test_all_runs(run: Path, place: Place, wct: Wct) -> None:
    assert wct("run", "book.yaml", "-q", "--run-id", "s").code == 1
    assert wct("runs", "verify", "--all").out.count("intact") == 2
    assert wct("runs", "verify", "r", "s").out.count("intact") == 2
    (run / "one.json").write_text("{}")
    done = wct("runs", "verify", "--all")
    assert done.code == 9
    assert "r  ALTERED" in done.out
    assert "s  intact" in done.out


def test_no_runs_at_all(place: Place, wct: Wct) -> None:
    """A timer that calls it in the wrong folder must not look as if all was well."""
    done = wct("runs", "verify", "--all")
    assert (done.code, done.out) == (4, "")
    assert f"there are no runs in {place.path / '.waivern'}" in done.err
    assert wct("runs", "verify", "--all", "--json").data("error")["exit_code"] == 4
    assert wct("runs", "verify", "r").code == 4


def test_the_help_fits_what_was_altered(run: Path, wct: Wct) -> None:
    (run / "sum.json").unlink()
    assert "`wct runs resume RUN` rebuilds" in wct("runs", "verify", "r").err
    (run / "_system/runbook.yaml").unlink()
    told = wct("runs", "verify", "r").err
    assert "resuming" not in told
    assert "from a backup" in told


def _no_records(run: Path) -> None:
    shutil.rmtree(run / "_system")


def _file(run: Path) -> None:
    shutil.rmtree(run)
    run.write_text("")


def _lock_folder(run: Path) -> None:
    (run / "_system/lock").unlink()
    (run / "_system/lock").mkdir()


@pytest.mark.parametrize("break_", [_no_records, _file, _lock_folder])
def test_a_run_that_cannot_be_read_keeps_no_other_from_being_verified(
    run: Path, wct: Wct, break_: Callable[[Path], None]
) -> None:
    assert wct("run", "book.yaml", "-q", "--run-id", "s").code == 1
    break_(run)
    done = wct("runs", "verify", "--all", "--json")
    assert done.code == 9
    assert {one["run_id"]: one["ok"] for one in done.data("verify")} == {"r": False, "s": True}
    assert wct("runs", "verify", "r").code == 9


# runs that have not ended


def test_a_running_run_is_refused_and_passed_over(place: Place, wct: Wct) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r")
    meeting.wait()
    done = wct("runs", "verify", "r")
    assert done.code == 5
    assert f"process {process.pid} " in done.err
    every = wct("runs", "verify", "--all", "--json")
    assert (every.code, every.data("verify")) == (0, [])
    assert "skipped: run r is running" in every.err
    meeting.let_go()
    assert place.ended(process).code == 0
    assert wct("runs", "verify", "r").code == 0


def test_a_crashed_run_is_intact_with_a_note(place: Place, wct: Wct) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r")
    meeting.wait()
    process.kill()
    place.ended(process)
    with (place.path / ".waivern/runs/r/_system/events.jsonl").open("ab") as journal:
        journal.write(b'{"seq":9,"syn')
    done = wct("runs", "verify", "r", "--json")
    assert done.code == 0, done.out
    (found,) = done.data("verify")
    assert found["ok"] is True
    assert any("the last attempt did not end" in note for note in found["notes"])
    assert any("followed by something that is no line" in note for note in found["notes"])
    again = place.start("run", meeting.runbook, "--resume", "r")
    meeting.wait()
    meeting.let_go()
    assert place.ended(again).code == 0
    (found,) = wct("runs", "verify", "r", "--json").data("verify")
    assert (found["ok"], found["notes"]) == (True, [])
