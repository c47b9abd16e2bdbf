"""Parameters, going on from kept bytes, replays, parts of a plan, runs that are kept nowhere."""

from __future__ import annotations

import json

import pytest
from wct_process import Place, Wct

PARAMS = """
params:
  x: {type: integer, default: 1}
  token: {type: string, secret: true, default: ""}
"""
BOOK = """
  a: {source: {type: python, properties: {call: "steps.py:value", args: {x: "${params.x}"}}}}
  b: {inputs: a, process: {type: python, properties: {call: "steps.py:total"}}, output: true}
  c: {source: {type: python, properties: {call: "steps.py:value"}}}
"""


@pytest.fixture
def book(place: Place) -> str:
    return place.runbook("book.yaml", BOOK, PARAMS)


def content(place: Place, run: str, name: str) -> object:
    return json.loads(place.wct("inspect", f"{run}/{name}", "--full").out)


def test_parameters(place: Place, book: str, wct: Wct) -> None:
    assert wct("run", book, "-q", "-p", "x=7").code == 0
    assert content(place, "@last", "b") == {"total": 7}
    (place.path / "p.yaml").write_text("x: 8\ntoken: canary-33\n")
    assert wct("run", book, "-q", "--params", "p.yaml").code == 0
    assert content(place, "@last", "b") == {"total": 8}
    assert wct("run", book, "-q", "--params", "p.yaml", "-p", "x=9").code == 0
    assert content(place, "@last", "b") == {"total": 9}
    run = json.loads((place.path / ".waivern/latest/_system/run.json").read_text())
    assert run["params"] == {"x": 9, "token": None}


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["-p", "x=many"], 2, "'x' must be a whole number"),
        (["-p", "y=1"], 2, "unknown parameter 'y'"),
        (["-p", "x"], 2, "-p name=value"),
        (["--params", "nowhere.yaml"], 4, "no parameters at 'nowhere.yaml'"),
        (["--fail-fast", "--max-failures", "3"], 2, "--max-failures 1"),
        (["--no-store", "--store", "x"], 2, "--no-store"),
        (["--select", "bb"], 4, "did you mean 'b'?"),
        (["--select", "b"], 2, "'+b'"),
        (["--fail-on", "status.b ="], 2, "--fail-on"),
        (["--ask-again"], 2, "--resume"),
    ],
)
def test_refused_before_anything_runs(
    place: Place, book: str, args: list[str], code: int, text: str, wct: Wct
) -> None:
    done = wct("run", book, *args)
    assert done.code == code
    assert text in done.err
    assert "= help: " in done.err
    assert not (place.path / ".waivern").exists()


def test_going_on_when_the_file_has_changed(place: Place) -> None:
    meeting = place.meeting()
    process = place.start("run", meeting.runbook)
    meeting.wait()
    process.kill()
    place.ended(process)
    (place.path / meeting.runbook).write_text("artifacts: {}")
    again = place.start("runs", "resume", "@last")
    meeting.wait()
    meeting.let_go()
    done = place.ended(again)
    assert done.code == 0, done.err
    assert "meeting.yaml has changed since: the run continues with the recorded bytes" in done.err
    (place.path / meeting.runbook).unlink()
    last = place.wct("runs", "resume", "@last")
    assert last.out.startswith("NOTHING TO DO")
    assert "meeting.yaml is not there any more" in last.err


def test_a_different_value_is_refused_then_allowed(place: Place, book: str, wct: Wct) -> None:
    wct("run", book, "-q")
    for words in (["run", book, "--resume", "@last"], ["runs", "resume", "@last"]):
        refused = wct(*words, "-p", "x=2")
        assert refused.code == 5
        assert "changed parameter: x" in refused.err
    done = wct("runs", "resume", "@last", "-p", "x=2", "--allow-changed", "-q")
    assert done.code == 0
    assert content(place, "@last", "b") == {"total": 2}


def test_replay(place: Place, book: str, wct: Wct) -> None:
    wct("run", book, "-q", "-p", "x=3")
    (first,) = place.run_ids()
    (place.path / book).unlink()
    done = wct("runs", "replay", first, "--compare", "--run-id", "again")
    assert done.code == 0, done.err
    assert f"compared with {first[:8]}:  3 of 3 artifacts equal" in done.out
    assert content(place, "again", "b") == {"total": 3}
    steps = place.path / "steps.py"
    steps.write_text(steps.read_text().replace('{"value": x}', '{"value": x + 1}'))
    other = wct("runs", "replay", first, "--compare")
    assert other.code == 6
    assert "0 of 3 artifacts equal" in other.out
    assert "a  DIFFERENT" in other.out
    assert wct("runs", "replay", first, "-q").code == 0  # nobody asked
    steps.write_text(steps.read_text().replace("return {", "raise ValueError({"))
    text = steps.read_text().replace("x + 1}", "x + 1})")
    steps.write_text(text.replace("for one in inputs)}", "for one in inputs)})"))
    failed = wct("runs", "replay", first, "--compare", "--json")
    assert failed.code == 1
    document = failed.data("run")
    assert document["exit_code"] == 1
    assert document["replay_of"] == first
    told = {"artifact": "a", "outcome": "status", "before": "completed", "after": "failed"}
    assert any(told.items() <= each.items() for each in document["comparison"])


def test_a_replay_with_a_gate_is_open_until_somebody_decides(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "book.yaml",
        """
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
  g: {gate: {question: "Well?", show: [a]}}
""",
    )
    wct("run", book, "-q", "--run-id", "one")
    wct("runs", "approve", "one", "-q")
    done = wct("runs", "replay", "one", "--compare", "-q", "--run-id", "two")
    assert done.code == 7
    assert "g  open  completed → suspended" in done.out
    assert "wct runs approve two/g" in done.out


def test_part_of_a_plan(place: Place, book: str, wct: Wct) -> None:
    done = wct("run", book, "--select", "+b", "--json", "-q")
    assert done.data("run")["artifacts"]["not_started"] == 1
    told = wct("run", book, "--exclude", "c", "-q")
    assert told.code == 0
    assert "c  not selected" in told.out
    run_id = told.out.splitlines()[1].split()[1]
    looked = place.on_a_terminal("inspect", run_id).out
    assert "selected   2 artifacts" in looked
    rest = wct("run", book, "--resume", run_id, "-q")
    assert "3 completed (2 restored)" in rest.out


def test_policy(place: Place, book: str, wct: Wct) -> None:
    done = wct("run", book, "-q", "--fail-on", "artifacts.b.total == 1")
    assert done.code == 6
    assert done.out.startswith("COMPLETED")
    assert "policy     artifacts.b.total == 1  (artifacts.b.total = a number)" in done.out
    document = wct("run", book, "-q", "--fail-on", "status.b == 'failed'", "--json")
    assert document.code == 0
    assert document.data("run")["policies"] == []


def test_outputs_that_cannot_be_copied_hide_nothing_graver(place: Place, wct: Wct) -> None:
    """A run that failed left with 1, whatever its outputs come to; one that did not, with 4."""
    gone = "until rm .waivern/runs/*/a.json; do sleep 0.05; done"  # it may not be published yet
    for then, code in (("false", 1), ("echo 1", 4)):
        book = place.runbook(
            "gone.yaml",
            "  a: {source: {type: python, properties: {call: 'steps.py:value'}}, output: true}\n"
            "  b: {after: a, source: {type: command, properties: "
            f"{{argv: [sh, -c, '{gone}; {then}']}}}}}}\n",
        )
        done = wct("run", book, "-q", "-o", "out")
        assert done.code == code, done.err
        assert "a" in done.err


def test_retries_are_told(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "book.yaml",
        """
  f:
    source: {type: python, properties: {call: "steps.py:fail"}}
    retry: {max: 2, delay: 0.001}
""",
    )
    done = wct("run", book)
    assert done.code == 1
    told = [line for line in done.err.splitlines() if line.startswith("retried")]
    assert [line[: line.index(",")] for line in told] == [
        "retried    f  try 1 of 3",
        "retried    f  try 2 of 3",
    ]
    assert "after 3 tries" in done.out
    assert "attempts\t3" in wct("inspect", "@last/f").out
    assert "tried 3 times" in place.on_a_terminal("inspect", "@last").out


# kept nowhere


def test_no_store(place: Place, book: str, wct: Wct) -> None:
    done = wct("run", book, "--no-store", "-o", "out")
    assert done.code == 0
    assert done.out.startswith("COMPLETED")
    assert "next:" not in done.out
    left = {path.name for path in place.path.iterdir()} - {"__pycache__"}
    assert left == {"book.yaml", "out", "steps.py"}
    assert {path.name for path in (place.path / "out").glob("[!.]*")} == {"b.json"}
    refused = wct("run", book, "--no-store", "--resume", "@last")
    assert refused.code == 5
    assert "persistence is off (--no-store)" in refused.err


@pytest.mark.parametrize("setting", ["enabled: false", "backend: memory"])
def test_persistence_is_off(place: Place, book: str, setting: str, wct: Wct) -> None:
    (place.path / "waivern.yaml").write_text(f"persistence: {{{setting}}}\n")
    assert wct("run", book, "-q").code == 0
    assert not (place.path / ".waivern").exists()
    refused = wct("run", book, "--resume", "@last")
    assert refused.code == 5
    assert f"persistence.{setting.partition(':')[0]} in waivern.yaml:1" in refused.err
    assert wct("run", book, "-q", "--store", "kept").code == 0
    assert (place.path / "kept/runs").is_dir()


def test_a_gate_in_a_run_that_is_kept_nowhere(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "book.yaml", '  g: {gate: {question: "Well?", show: [a]}}\n' + BOOK, PARAMS
    )
    done = wct("run", book, "--no-store", "-q")
    assert done.code == 7
    assert "this run was not stored" in done.out
    assert "wct runs approve" not in done.out


def test_what_the_project_says(place: Place, book: str, wct: Wct) -> None:
    (place.path / "waivern.yaml").write_text(
        'components: {python: {call: "steps.py:value"}}\non_error: continue\n'
    )
    other = place.runbook(
        "other.yaml",
        "  a: {source: {type: python}}\n"
        '  f: {source: {type: python, properties: {call: "steps.py:fail"}}}\n',
    )
    done = wct("run", other, "-q")
    assert done.code == 0
    assert "1 completed, 1 failed" in done.out


def test_what_the_project_says_has_changed_since(place: Place, wct: Wct) -> None:
    """What is kept was made as the project's file was then: it is not mixed with what is now."""
    project = place.path / "waivern.yaml"

    def write(x: int, rows: int) -> None:
        call = f'{{call: "steps.py:value", args: {{x: {x}}}}}'
        project.write_text(f"components: {{python: {call}, sqlite: {{max_rows: {rows}}}}}\n")

    def value(run_id: str) -> int:
        made = json.loads((place.path / f".waivern/runs/{run_id}/a.json").read_text())
        return int(made["content"]["value"])

    write(3, 1)
    book = place.runbook(
        "book.yaml",
        "  a: {source: {type: python}}\n"
        '  b: {inputs: a, process: {type: python, properties: {call: "steps.py:fail"}}}\n'
        '  c: {source: {type: python, properties: {call: "steps.py:value", args: {x: 1}}}}\n',
    )
    assert wct("run", book, "-q", "--run-id", "r", "--no-cache").code == 1
    write(3, 2)  # nothing of this run is made by sqlite
    assert wct("run", book, "-q", "--resume", "r").code == 1

    write(4, 2)
    refused = wct("run", book, "--resume", "r")
    assert refused.code == 5
    assert "the project's file has changed since run r" in refused.err
    assert "touches completed: a\n" in refused.err
    kept = wct("runs", "resume", "r", "-q")
    assert (kept.code, value("r")) == (1, 3)
    assert "waivern.yaml has changed since the run began (components.python)" in kept.err
    replayed = wct("runs", "replay", "r", "-q", "--run-id", "s")
    assert (replayed.code, value("s")) == (1, 3)

    changed = wct("run", book, "-q", "--resume", "r", "--allow-changed")
    assert (changed.code, value("r")) == (1, 4)
    assert "2 completed (1 restored), 1 failed" in changed.out
    assert wct("run", book, "-q", "--resume", "r").code == 1
    assert wct("runs", "verify", "r").code == 0
