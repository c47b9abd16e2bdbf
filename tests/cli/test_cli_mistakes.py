"""What a person gets who errs; and the commands that need no run."""

from __future__ import annotations

from pathlib import Path

import pytest
from wct_process import Place, Wct

from waivern.errors import UsageError
from waivern.record.text_forms import clean
from waivern.runs.locate import locate

ONE = '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'


def test_version_and_help(place: Place, wct: Wct) -> None:
    assert wct("--version").out.startswith("wct ")
    done = wct("--help")
    assert done.code == 0
    for name in ("run", "runs", "inspect", "validate", "connectors", "processors"):
        assert f"\n  {name} " in done.out


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["run", "nope.yaml"], 4, "no runbook at 'nope.yaml'"),
        (["run", "."], 3, "cannot read '.'"),
        (["run", "one.yaml", "--resume", "zzz"], 4, "no run 'zzz'"),
        (["run", "one.yaml", "--resme", "x"], 2, "--resume"),
        (["run", "one.yaml", "--store", "steps.py"], 2, "not a folder"),
        (["run", "one.yaml", "--store", "ftp://x"], 2, "no store for 'ftp:'"),
        (["run", "one.yaml", "--force"], 2, "--resume"),
        (["run", "one.yaml", "--resume", "@last", "--run-id", "x"], 2, "--run-id"),
        (["run", "one.yaml", "--max-concurrency", "0"], 2, "--max-concurrency"),
        (["run", "one.yaml", "--grace", "nan"], 2, "'--grace' requires a number of at least 0"),
        (["run", "one.yaml", "--max-failures", "x"], 2, "a whole number of at least 1"),
        (["run", "one.yaml", "--ask-again"], 2, "--ask-again requires --resume"),
        (["runs", "cancel", "@last", "--wait", "x"], 2, "a number of at least 0"),
        (["runs", "prune", "--older-than", "3y"], 2, "write it as one of 90s"),
        (["runs", "verify"], 2, "as in `wct runs verify @last`"),
        (["runs", "verify", "--all", "@last"], 2, "--all cannot be combined with RUN"),
        (["config", "show", "-p", "n=1"], 2, "parameters require a RUNBOOK"),
        (["config", "set"], 2, "available: show"),
        (["run"], 2, "RUNBOOK"),
        (["ran"], 2, "did you mean 'run'?"),
        (["runs", "lst"], 2, "did you mean 'list'?"),
        (["connectors", "pyton"], 4, "did you mean 'python'?"),
        (["inspect", "@lst"], 4, "does not name a run"),
    ],
)
def test_mistake_is_named_with_the_next_step(
    place: Place, args: list[str], code: int, words: str, wct: Wct
) -> None:
    place.runbook("one.yaml", ONE)
    done = wct(*args)
    assert done.code == code
    assert done.out == ""
    assert words in done.err
    assert done.err.splitlines()[-1].startswith("  = help: ")
    assert "Traceback" not in done.err
    assert not (place.path / ".waivern").exists()


def test_usage_error_as_a_document(place: Place, wct: Wct) -> None:
    done = wct("runs", "--nonsense", "--json")
    assert done.code == done.data("error")["exit_code"] == 2


def test_secret_in_the_environment_is_not_shown(place: Place) -> None:
    book = '  a: {source: {type: python, properties: {call: "${CANARY}"}}}\n'
    done = place.wct("run", place.runbook("s.yaml", book), "-vv", "--json", CANARY="t0p-secret")
    assert done.code == 3
    assert "t0p-secret" not in done.out + done.err


def test_hostile_text_is_shown_escaped(place: Place, wct: Wct) -> None:
    name = place.runbook("e\x1b[2Jvil.yaml", ONE, head='name: "x\\e[31m\\u202e"')
    for done in (
        wct("run", name),
        wct("runs"),
        wct("runs", "--json"),
        place.on_a_terminal("inspect", "@last", NO_COLOR="1"),
        wct("validate", name, "no\x1bne"),
    ):
        assert "\x1b" not in done.out + done.err
        assert "\u202e" not in done.out + done.err


def test_clean_text_is_one_printable_line_and_valid_json() -> None:
    assert clean("Müller ✔") == "Müller ✔"
    assert clean("a\tb\n \n\tc\x1b\x9b\U000e0001\ud800") == (
        "a\\tb ⏎ c\\u001b\\u009b\\udb40\\udc01\\ud800"
    )


def test_validate_reports_every_file(place: Place, wct: Wct) -> None:
    place.runbook("one.yaml", ONE)
    place.runbook("bad.yaml", ONE.replace("source", "sorce") + ONE.replace("a:", "b:"))
    place.runbook("worse.yaml", ONE.replace("python", "pyton"))
    done = wct("validate", "bad.yaml", "one.yaml", "worse.yaml")
    assert done.code == 3
    assert done.rows == [["ok", "one.yaml", "1"]]
    assert "--> bad.yaml:3:7" in done.err
    assert "did you mean 'source'?" in done.err
    assert "--> worse.yaml:" in done.err
    assert "error in worse.yaml" in done.err
    assert wct("validate", "one.yaml").code == 0
    assert wct("validate", "one.yaml", "nope.yaml").code == 4
    assert not (place.path / ".waivern").exists()


def test_validate_document(place: Place, wct: Wct) -> None:
    place.runbook("one.yaml", ONE)
    place.runbook("bad.yaml", ONE.replace("python", "pyton"))
    fine, bad = wct("validate", "--json", "one.yaml", "bad.yaml").data("validate")
    assert (fine["valid"], fine["artifacts"]) == (True, 1)
    (problem,) = bad["problems"]
    assert problem["code"] == "WCT203"
    assert (problem["file"], problem["line"]) == ("bad.yaml", 3)
    assert problem["end_column"] - problem["column"] == len("pyton")


@pytest.mark.parametrize("kind", ["connectors", "processors"])
def test_components(place: Place, kind: str, wct: Wct) -> None:
    rows = {row[0]: row for row in wct(kind).rows}
    assert rows["python"][1] == "1.0.0"
    assert rows["python"][2]
    properties = wct(kind, "python").rows
    assert [row[:3] for row in properties] == [
        ["call", "str", ""],
        ["args", "dict[str, Any]", "{}"],
        ["computes", "bool", "False"],
    ]
    found = {each["name"]: each for each in wct(kind, "--json").data("components")}
    assert found["python"]["properties"][0]["required"] is True
    assert "call  str, required" in place.on_a_terminal(kind, "-v", NO_COLOR="1").out


def test_which_store(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert locate(None, {}, str(deep)) == str(deep / ".waivern")
    (tmp_path / "a" / ".waivern").mkdir()
    assert locate(None, {}, str(deep)) == str(tmp_path / "a" / ".waivern")
    assert locate(None, {"WAIVERN_STORE": "else"}, str(deep)) == "else"
    assert locate("typed", {"WAIVERN_STORE": "else"}, str(deep)) == "typed"
    assert locate(None, {"WAIVERN_STORE": ""}, str(deep)) == str(tmp_path / "a" / ".waivern")
    (tmp_path / "file").touch()
    for typed in ("", str(tmp_path / "file"), f"file:{tmp_path}/file"):
        with pytest.raises(UsageError):
            locate(typed, {}, str(deep))


def test_pins_as_documents(place: Place, wct: Wct) -> None:
    place.runbook("one.yaml", ONE)
    run_id = wct("run", "one.yaml", "--run-id", "r1").code or "r1"
    assert wct("runs", "pin", "r1", "--json").data("pin") == {
        "run_id": run_id,
        "pinned": True,
    }
    assert wct("runs", "unpin", "r1", "--json").data("pin")["pinned"] is False
    assert wct("runs", "pin", "none", "--json").data("error")["exit_code"] == 4


def test_a_name_with_spaces_around_it_and_a_run_that_has_ended(place: Place, wct: Wct) -> None:
    place.runbook("gate.yaml", ONE + "  g: {gate: {question: ok?, show: a}}\n")
    assert wct("run", "gate.yaml", "--run-id", "r1").code == 7
    spaced = wct("runs", "approve", "r1", "--by", " ann")
    assert (spaced.code, "' ann' begins or ends with a space" in spaced.err) == (2, True)
    assert wct("runs", "approve", "r1", "--by", "ann").code == 0
    cancelled = wct("runs", "cancel", "r1")
    assert (cancelled.code, "is completed; there is nothing to cancel" in cancelled.err) == (
        5,
        True,
    )
    assert "`wct inspect r1`" in cancelled.err
