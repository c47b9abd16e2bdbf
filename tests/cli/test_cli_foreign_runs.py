"""Runs that came from another store: reading is free, their code is named and confirmed first."""

from __future__ import annotations

import json
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from wct_process import Done, Place

import waivern

pytestmark = pytest.mark.sweep

BOOK = """
artifacts:
  first: {source: {type: command, properties: {argv: [echo, "1"]}}}
  ok: {gate: {question: Well?, show: [first]}}
  evil:
    after: [ok]
    source: {type: command, properties: {argv: [sh, -c, "touch taken; : '\\x1b[2J'; echo 2"]}}
"""


def received(tmp_path: Path, book: str = BOOK, *more: str) -> Place:
    """Return a project that somebody's run `r`, which waits at its gate, was copied into."""
    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    theirs.mkdir()
    (theirs / "q.yaml").write_text(book)
    done = Place(theirs).wct("run", "q.yaml", "-q", "--run-id", "r", *more)
    assert done.code in (0, 7), done.err
    (ours / ".waivern/runs").mkdir(parents=True)
    shutil.copytree(theirs / ".waivern/runs/r", ours / ".waivern/runs/r")
    shutil.rmtree(theirs)
    return Place(ours)


CALLS: dict[str, list[str]] = {
    "approve": ["runs", "approve", "r", "--by", "ann"],
    "resume": ["runs", "resume", "r", "--data", "approved=true"],
    "replay": ["runs", "replay", "r"],
}


@pytest.mark.parametrize("verb", CALLS)
def test_the_code_of_a_foreign_run_is_named_and_not_run(tmp_path: Path, verb: str) -> None:
    ours = received(tmp_path)
    journal = ours.run_folder() / "_system/events.jsonl"
    before = journal.read_bytes()
    done = ours.wct(*CALLS[verb], "-q")
    assert done.code == 5
    assert "run r was begun in another store" in done.err
    assert f"it would do this in {ours.path}:" in done.err
    assert 'evil  command  {"argv": ["sh", "-c", "touch taken; : \'\\u001b[2J' in done.err
    assert "\x1b" not in done.err
    assert "--trust-run" in done.err
    assert journal.read_bytes() == before
    assert not (ours.path / "taken").exists()


@pytest.mark.parametrize("verb", CALLS)
def test_what_is_trusted_is_named_and_run_here(tmp_path: Path, verb: str) -> None:
    ours = received(tmp_path)
    done = ours.wct(*CALLS[verb], "-q", "--trust-run")
    assert done.code == (7 if verb == "replay" else 0), done.err
    assert 'evil  command  {"argv": ["sh", "-c"' in done.err
    assert (ours.path / "taken").exists() == (verb != "replay")
    if verb != "replay":  # by now it is a run of this store
        assert ours.wct("runs", "resume", "r").code == 0


def test_reading_is_free(tmp_path: Path) -> None:
    ours = received(tmp_path)
    for words in (
        ["runs"],
        ["inspect", "r", "--full"],
        ["runs", "verify", "r"],
        ["runs", "approve", "r", "--by", "ann", "--no-resume"],
        ["runs", "pin", "r"],
    ):
        done = ours.wct(*words)
        assert done.code == 0, (words, done.err)
        assert "\x1b" not in done.out + done.err
    (ours.path / "use.yaml").write_text(
        "artifacts:\n  copy: {reuse: {from_run: r, artifact: first}}\n"
    )
    assert ours.wct("run", "use.yaml", "-q").code == 0
    assert not (ours.path / "taken").exists()


def test_a_run_that_records_no_store_is_foreign(tmp_path: Path) -> None:
    """An earlier version may have begun it, or somebody may have taken the line away."""
    from waivern.record.journal_events import AttemptStartedRecord, from_record, to_record
    from waivern.store.journal import JournalChain

    ours = received(tmp_path)
    system = ours.run_folder() / "_system"
    chain, lines = JournalChain(), []
    for text in (system / "events.jsonl").read_text().splitlines():
        event = from_record(json.loads(text)["event"])
        if isinstance(event, AttemptStartedRecord):
            event = event._replace(base="", place="", store="")
        lines.append(to_record(event))
    (system / "events.jsonl").write_bytes(chain.extend(lines))
    run = json.loads((system / "run.json").read_text())
    run["journal"] = {"count": chain.count, "head": chain.head}
    (system / "run.json").write_text(json.dumps(run))
    (ours.path / "q.yaml").write_text(BOOK + "# another\n")
    done = ours.wct(*CALLS["approve"], "-q", "--base", ".")
    assert done.code == 5
    assert "run r does not record its store" in done.err
    assert "touch taken" in done.err
    assert not (ours.path / "taken").exists()


def test_the_same_runbook_in_ones_own_project_needs_no_word(tmp_path: Path) -> None:
    ours = received(tmp_path)
    (ours.path / "q.yaml").write_text(BOOK)
    done = ours.wct(*CALLS["approve"], "-q")
    assert done.code == 0, done.err
    assert (ours.path / "taken").exists()


def test_other_children_or_parameters_are_named_all_the_same(tmp_path: Path) -> None:
    book = """
params: {word: {type: string, default: "echo 1"}}
artifacts:
  first: {source: {type: command, properties: {argv: [sh, -c, "${params.word}"]}}}
  ok: {gate: {question: Well?, show: [first]}}
  after: {after: [ok], source: {type: command, properties: {argv: [sh, -c, "${params.word}"]}}}
"""
    ours = received(tmp_path, book, "-p", "word=touch taken; echo 2")
    (ours.path / "q.yaml").write_text(book)
    for words in (CALLS["approve"], ["run", "q.yaml", "--resume", "r"]):
        done = ours.wct(*words, "-q")
        assert done.code == 5, words
        assert "touch taken" in done.err
    assert not (ours.path / "taken").exists()


def test_the_folder_of_its_outputs_is_named(tmp_path: Path) -> None:
    """Also where the runbook is one's own: what lies in that folder would be replaced."""
    target = tmp_path / "target"
    ours = received(tmp_path, BOOK, "-o", str(target))
    (ours.path / "q.yaml").write_text(BOOK)
    for words in (CALLS["approve"], ["run", "q.yaml", "--resume", "r"]):
        done = ours.wct(*words, "-q")
        assert done.code == 5, words
        assert f"deliver its outputs to {target}" in done.err
    assert ours.wct(*CALLS["approve"], "-q", "-o", "out").code == 0


def test_on_a_terminal_a_yes_is_asked_for(tmp_path: Path) -> None:
    ours = received(tmp_path)
    assert _answered(ours, "n").code == 5
    assert not (ours.path / "taken").exists()
    done = _answered(ours, "y")
    assert done.code == 0, done.out
    assert "touch taken" in done.out
    assert (ours.path / "taken").exists()


def _answered(place: Place, answer: str) -> Done:
    return place.on_a_terminal(*CALLS["approve"], answer=f"{answer}\n")


def test_a_store_that_is_moved_is_still_its_own(place: Place) -> None:
    (place.path / "q.yaml").write_text(BOOK)
    assert place.quick("run", "q.yaml", "-q", "--run-id", "r").code == 7
    identity = place.path / ".waivern/id"
    assert stat.S_IMODE(identity.stat().st_mode) == 0o600
    there = place.path / "there"
    there.mkdir()
    for name in (".waivern", "q.yaml"):
        (place.path / name).rename(there / name)
    done = Place(there).wct(*CALLS["approve"], "-q")
    assert done.code == 0, done.err
    assert "another store" not in done.err


def _no_id(store: Path) -> None:
    (store / "id").unlink()


def _another_id(store: Path) -> None:
    (store / "id").write_text("00000000-0000-4000-8000-000000000000\n")


@pytest.mark.parametrize("change", [_no_id, _another_id])
def test_without_its_id_a_store_has_no_runs_of_its_own(
    place: Place, change: Callable[[Path], None]
) -> None:
    (place.path / "q.yaml").write_text(BOOK)
    assert place.quick("run", "q.yaml", "-q", "--run-id", "r").code == 7
    change(place.path / ".waivern")
    (place.path / "q.yaml").write_text(BOOK + "# edited\n")
    assert place.quick(*CALLS["approve"], "-q").code == 5


def test_a_foreign_run_in_its_own_folder_has_not_moved(place: Place) -> None:
    (place.path / "q.yaml").write_text(BOOK)
    assert place.quick("run", "q.yaml", "-q", "--run-id", "r").code == 7
    _no_id(place.path / ".waivern")
    done = place.quick("runs", "resume", "r", "-q")
    assert done.code == 7
    assert "relative paths start from" not in done.err


def test_a_damaged_id_is_an_integrity_error(place: Place) -> None:
    (place.path / "q.yaml").write_text(BOOK)
    assert place.quick("run", "q.yaml", "-q", "--run-id", "r").code == 7
    (place.path / ".waivern/id").write_text("no id\n")
    done = place.quick(*CALLS["approve"], "-q")
    assert done.code == 9
    assert "does not hold the id of a store" in done.err


def test_an_id_that_was_cut_off_vouches_for_nothing(place: Place) -> None:
    """A crash may leave a part: a run that recorded the whole is then one of another store."""
    (place.path / "q.yaml").write_text(BOOK)
    assert place.quick("run", "q.yaml", "-q", "--run-id", "r").code == 7
    (place.path / ".waivern/id").write_text("3f2504e0-4f")
    (place.path / "q.yaml").unlink()
    done = place.quick(*CALLS["approve"], "-q")
    assert done.code == 5, done.err
    assert "--trust-run" in done.err


def test_in_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = received(tmp_path)
    monkeypatch.chdir(ours.path)
    with pytest.raises(waivern.RefusedError, match="touch taken"):
        waivern.approve("r", by="ann")
    assert waivern.forecast(resume="r")  # which runs nothing
    assert not (ours.path / "taken").exists()
    decided = waivern.approve("r", by="ann", trust_run=True)
    assert decided.result is not None
    assert decided.result.status == "completed"
    assert (ours.path / "taken").exists()
