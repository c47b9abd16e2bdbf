"""Hints for what was typed: the word that was meant, and none that misleads."""

from __future__ import annotations

import pytest
from wct_process import Place, Wct

import waivern

BOOK = """
  a: {source: {type: command, properties: {argv: [echo, "1"]}}}
  b: {source: {type: command, properties: {argv: [sh, -c, "exit 1"]}}, optional: true}
"""


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["consult"], "available: init, run, plan, runs"),
        (["rnu"], "did you mean 'run'?"),
        (["validat"], "did you mean 'validate'?"),
        (["resume"], "did you mean `wct runs resume`?"),
        (["approve", "x"], "did you mean `wct runs approve`?"),
        (["audit.yaml"], "did you mean `wct run audit.yaml`?"),
        (["runs", "lst"], "did you mean 'list'?"),
    ],
)
def test_commands(wct: Wct, words: list[str], hint: str) -> None:
    done = wct(*words)
    assert done.code == 2
    assert hint in done.err
    if words == ["consult"]:
        assert "did you mean" not in done.err


def test_runbooks(place: Place, wct: Wct) -> None:
    place.runbook("audit.yaml", BOOK)
    (place.path / "books").mkdir()
    place.runbook("books/deep.yaml", BOOK)
    for typed, meant in (
        ("audit", "audit.yaml"),
        ("audit.yml", "audit.yaml"),
        ("adit.yaml", "audit.yaml"),
        ("books/deep", "books/deep.yaml"),
        ("books", "books/deep.yaml"),
    ):
        for verb in ("run", "plan", "validate"):
            done = wct(verb, typed)
            assert done.code in (3, 4), (verb, typed)
            assert f"did you mean '{meant}'?" in done.err, (verb, typed, done.err)
    done = wct("run", "quite-another.yaml")
    assert "did you mean" not in done.err
    assert "taken from the current folder" in done.err


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a,z", "no artifact of the runbook matches 'z'"),
        ("results:failed", "as in result:failed@last"),
    ],
)
def test_select(place: Place, wct: Wct, expression: str, said: str) -> None:
    done = wct("run", place.runbook("q.yaml", BOOK), "--select", expression)
    assert done.code == 4
    assert said in done.err


def test_what_failed_in_the_last_run(place: Place, wct: Wct) -> None:
    book, other = place.runbook("q.yaml", BOOK), place.runbook("other.yaml", BOOK + "# other\n")
    done = wct("run", book, "--select", "result:failed")
    assert done.code == 5
    assert "result:failed@last" in done.err
    assert wct("run", book, "-q", "--run-id", "first").code == 0
    assert wct("run", other, "-q", "--select", "a").code == 0  # newer, and of another runbook
    for reference in ("last", "@last", "q@last", "first", "last~0"):
        again = wct("run", book, "--select", f"result:failed@{reference}", "--json")
        assert again.code == 0, (reference, again.err)
        steps = again.data("run")
        assert "b" in str(steps)
        assert wct("runs", "delete", steps["run_id"], "--yes", "--force").code == 0
    done = wct("run", book, "--select", "result:suspended@last")
    assert done.code == 2
    assert "`wct inspect RUN` shows how they ended" in done.err


OFF = "persistence:\n  enabled: false\n"


@pytest.mark.parametrize(
    "words",
    [
        ["run", "q.yaml", "--resume", "@last"],
        ["runs", "resume", "@last"],
        ["runs", "replay", "@last"],
        ["runs", "approve", "@last"],
    ],
)
def test_persistence_is_off(place: Place, wct: Wct, words: list[str]) -> None:
    place.runbook("q.yaml", BOOK)
    (place.path / "waivern.yaml").write_text(OFF)
    done = wct(*words)
    assert done.code == 5
    assert "persistence is off (persistence.enabled in waivern.yaml:2:3)" in done.err
    assert "--store" in done.err
    assert wct("run", "q.yaml", "-q", "--store", "s", "--run-id", "r").code == 0
    assert wct("runs", "resume", "r", "--store", "s").code == 0


def test_persistence_is_off_in_python(place: Place) -> None:
    (place.path / "waivern.yaml").write_text(OFF)
    for verb in (waivern.resume, waivern.replay):
        with pytest.raises(waivern.RefusedError, match="persistence is off"):
            verb("@last", project_root=place.path)
    with pytest.raises(waivern.RefusedError, match="persistence is off"):
        waivern.approve("@last", by="ann", project_root=place.path)
    with pytest.raises(waivern.RefusedError, match="persistence is off"):
        waivern.forecast(resume="@last", project_root=place.path)
