"""`wct plan`; and what `wct run` and `wct inspect` say of what was taken from an earlier run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from wct_process import Place, Wct

BOOK = """
  a: {cache: true, source: {type: python, properties: {call: "steps.py:value", args: {x: 1}}}}
  b:
    cache: true
    inputs: a
    process: {type: python, properties: {call: "steps.py:total"}}
"""
PARAMS = "params: {x: {type: integer, default: 1}, token: {type: string, secret: true}}"
GIVEN = """
  a:
    cache: true
    source:
      type: python
      properties: {call: "steps.py:value", args: {x: ["${params.x}", "${params.token}"]}}
"""


@pytest.fixture(autouse=True)
def own_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """Undo what planning adds to `sys.path`."""
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.fixture
def book(place: Place) -> str:
    return place.runbook("book.yaml", BOOK)


def everything(place: Place) -> dict[str, object]:
    """Return all that lies in the folder: bytes, kinds and times."""
    return {
        str(path): (
            path.lstat().st_mode,
            path.lstat().st_mtime_ns,
            path.is_file() and path.read_bytes(),
        )
        for path in place.path.rglob("*")
    }


def test_a_plan_writes_nothing(place: Place, wct: Wct, book: str) -> None:
    before = everything(place)
    done = wct("plan", book, "--exit-code")
    assert done.code == 10
    assert [row[:3] for row in done.rows] == [
        ["a", "produce", "connector:python"],
        ["b", "produce", "processor:python"],
    ]
    assert {row[4] for row in done.rows} == {"never produced"}
    assert everything(place) == before
    assert wct("run", book, "-q").code == 0
    before = everything(place)
    for words in ([], ["--json"], ["--exit-code"], ["--no-cache"], ["--refresh", "a"]):
        assert wct("plan", book, *words).code == 0
    assert wct("plan", book, "--resume", "@last").code == 0
    assert everything(place) == before


def test_the_exit_code(wct: Wct, place: Place, book: str) -> None:
    assert wct("plan", book).code == 0
    wct("run", book, "-q")
    assert wct("plan", book, "--exit-code").code == 0
    assert wct("plan", book, "--exit-code", "--refresh", "b").code == 10
    assert wct("plan", book, "--exit-code", "--no-cache").code == 10
    assert wct("plan", book, "--exit-code", "--no-cache", "--resume", "@last").code == 0
    place.runbook("book.yaml", BOOK.replace("x: 1", "x: 2"))
    assert wct("plan", book, "--exit-code").code == 10
    assert wct("plan", "nothing.yaml", "--exit-code").code == 4
    assert wct("plan", book, "--refresh", "c").code == 4
    assert wct("plan", book, "--resume", "nobody").code == 4
    place.runbook("book.yaml", "  a: {nonsense: 1}")
    assert wct("plan", book).code == 3


def test_for_programs(wct: Wct, place: Place, book: str) -> None:
    wct("run", book, "-q", "--run-id", "first")
    place.runbook("book.yaml", BOOK.replace("x: 1", "x: 2"))
    found = wct("plan", book, "--json").data("plan")["artifacts"]
    assert [each["artifact"] for each in found] == ["a", "b"]
    assert [each["action"] for each in found] == ["produce", "decided at run time"]
    assert found[0]["reason"] == "property args.x 1 → 2"
    assert found[0]["component"] == "connector:python"
    assert isinstance(found[0]["expected_ms"], int)
    keys = {"artifact", "action", "reason", "component", "expected_ms", "work", "keep", "items"}
    assert set(found[0]) == keys
    assert [each["keep"] for each in found] == ["content", None]


LISTED = """
  files: {source: {type: filesystem, properties: {path: data}}}
  findings: {inputs: files, process: {type: personal_data}}
"""


def test_changed_items_of_a_source(wct: Wct, place: Place) -> None:
    data = place.path / "data"
    data.mkdir()
    for n in range(12):
        (data / f"{n}.txt").write_text(f"write to user{n}@example.org\n")
    book = place.runbook("book.yaml", LISTED)
    assert wct("run", book, "-q").code == 0
    assert [row[1] for row in wct("plan", book).rows] == ["cached", "cached"]
    for n in range(3):
        (data / f"{n}.txt").write_text("nobody\n")
    (data / "new.txt").write_text("nobody\n")
    files, findings = wct("plan", book, "--json").data("plan")["artifacts"]
    assert (files["keep"], files["items"]) == ("reference", None)
    assert files["reason"] == "source: 3 changed (0.txt, 1.txt, 2.txt); source: 1 new (new.txt)"
    assert (findings["keep"], findings["items"]) == (None, {"changed": 4, "total": 13})
    assert findings["reason"].startswith("4 of 13 items changed")
    assert "filesystem (reference)" in place.on_a_terminal("plan", book).out
    assert wct("run", book, "-q").code == 0
    facts = {row[0]: row[1] for row in wct("inspect", "@last/findings").rows}
    assert facts["items"].startswith("13 one by one, the results of 9 from run ")
    facts = {row[0]: row[1] for row in wct("inspect", "@last/files").rows}
    assert facts["keep"].startswith("reference: catalogue of 13 files, ")
    assert facts["keep"].endswith("; nothing of their content is stored")
    assert facts["keep"] in place.on_a_terminal("inspect", "@last").out.replace("\r\n    ", " ")


def test_another_way_of_keeping_is_not_cached(wct: Wct, place: Place) -> None:
    data = place.path / "data"
    data.mkdir()
    (data / "a.txt").write_text("a")
    book = place.runbook("book.yaml", LISTED)
    assert wct("run", book, "-q").code == 0
    place.runbook("book.yaml", LISTED.replace("data}}}", "data}}, keep: content}"))
    files, _ = wct("plan", book, "--json").data("plan")["artifacts"]
    assert (files["action"], files["keep"]) == ("produce", "content")
    assert "keep 'reference' → 'content'" in files["reason"]
    refused = wct("run", book, "-q", "--resume", "@last")
    assert refused.code == 5
    assert "source.keep 'reference' → 'content'" in refused.err
    resumed = wct("plan", book, "--resume", "@last", "--json").data("plan")["artifacts"]
    assert resumed[0]["action"] == "produce"


def test_parameters(wct: Wct, place: Place) -> None:
    book = place.runbook("book.yaml", GIVEN, PARAMS)
    assert wct("plan", book).code == 2
    (place.path / "p.yaml").write_text("token: canary-77\n")
    assert wct("run", book, "-q", "--params", "p.yaml").code == 0
    assert wct("plan", book, "--params", "p.yaml").rows[0][1] == "cached"
    done = wct("plan", book, "--params", "p.yaml", "-p", "x=2")
    assert done.rows[0][1] == "produce"
    assert "property args.x" in done.rows[0][4]
    (place.path / "p.yaml").write_text("token: canary-88\n")
    for words in ([], ["--json"]):
        done = wct("plan", book, "--params", "p.yaml", *words)
        assert "params.token changed" in done.out
        assert "canary" not in done.out + done.err


def test_on_a_terminal(place: Place, book: str) -> None:
    assert place.quick("run", book, "-q", "--run-id", "first").code == 0
    done = place.on_a_terminal("plan", book)
    assert done.code == 0
    lines = [line.split() for line in done.out.splitlines()]
    assert lines[0] == ["ARTIFACT", "ACTION", "COMPONENT", "TOOK", "WHY"] or "WHY" in done.out
    assert "from run first" in done.out
    assert "2 cached" in done.out


def test_names_that_a_terminal_would_act_upon(wct: Wct, place: Place) -> None:
    data = place.path / "data"
    data.mkdir()
    book = place.runbook(
        "book.yaml", "  files: {source: {type: filesystem, properties: {path: data}}}\n"
    )
    (data / "plain").write_text("x")
    wct("run", book, "-q")
    (data / "\x1b[2J\n\tx").write_text("x")
    (row,) = wct("plan", book).rows
    assert row[:2] == ["files", "produce"]
    assert "1 new" in row[4]
    assert row[4].isprintable()


def test_it_says_from_where(place: Place, book: str) -> None:
    """The lines of a run, its summary, and a look at it name the run that it was taken from."""
    assert place.quick("run", book).code == 0
    (first,) = place.run_ids()
    done = place.quick("run", book, "--run-id", "second")
    short = first[:8]
    assert f"cached     a  from {short}\n" in done.err
    assert f"python  cached from {short}" in done.out
    assert "produced" not in done.out
    steps = json.loads(place.quick("inspect", "second", "--json").out)["data"]["steps"]
    assert {step["how"] for step in steps} == {"cached"}
    assert {step["origin"]["run"] for step in steps} == {first}
    assert {step["origin"]["artifact"] for step in steps} == {"a", "b"}
    looked = dict(row[:2] for row in place.quick("inspect", "second/b").rows)
    assert looked["status"] == "completed, cached"
    assert looked["origin"].startswith(f"{first}/b, line ")
    assert f"from {short}" in place.on_a_terminal("inspect", "second").out
    alone = dict(row[:2] for row in place.quick("inspect", f"{first}/b").rows)
    assert "origin" not in alone


def test_no_cache_and_refresh(wct: Wct, place: Place, book: str) -> None:
    def how(*words: str) -> dict[str, str]:
        data = wct("run", book, "-q", "--json", *words).data("run")
        return {step["artifact"]: step["how"] for step in data["steps"]}

    assert how() == {"a": "produced", "b": "produced"}
    assert how() == {"a": "cached", "b": "cached"}
    assert how("--no-cache") == {"a": "produced", "b": "produced"}
    assert how("--refresh", "a") == {"a": "produced", "b": "cached"}
    assert how("--refresh", "a", "--refresh", "b") == {"a": "produced", "b": "produced"}
    runs = sorted(place.run_ids())
    done = wct("run", book, "--refresh", "aa")
    assert done.code == 4
    assert "did you mean 'a'?" in done.err
    assert sorted(place.run_ids()) == runs


def test_a_cache_that_cannot_be_written(wct: Wct, place: Place, book: str) -> None:
    """It is a warning, and nothing else."""
    wct("run", book, "-q", "--no-cache")
    (place.path / ".waivern/cache").write_text("not a folder")
    done = wct("run", book, "-q")
    assert done.code == 0
    assert done.err.count("warning: ") == 1
    assert "cache" in done.err
    assert Path(place.path / ".waivern/cache").read_text() == "not a folder"


def test_two_at_the_same_time(place: Place) -> None:
    """A plan waits for nobody, and a run takes nothing of one that goes on."""
    meeting = place.meeting()
    process = place.start("run", meeting.runbook, "--run-id", "r")
    meeting.wait()
    done = place.quick("plan", meeting.runbook)
    assert done.code == 0
    assert [row[1] for row in done.rows] == ["produce"] * 3
    assert place.quick("plan", meeting.runbook, "--resume", "r").code == 0
    meeting.let_go()
    assert place.ended(process).code == 0


def test_a_selection_is_planned_as_it_is_run(place: Place, wct: Wct) -> None:
    place.runbook(
        "part.yaml",
        """  a: {source: {type: python, properties: {call: 'steps.py:value'}}, tags: [raw]}
  b: {inputs: a, process: {type: python, properties: {call: 'steps.py:total'}}}
  c: {source: {type: python, properties: {call: 'steps.py:value'}}}
""",
    )
    assert [row[0] for row in wct("plan", "part.yaml", "--select", "+b").rows] == ["a", "b"]
    assert [row[0] for row in wct("plan", "part.yaml", "--select", "tag:raw,c").rows] == ["a", "c"]
    assert [row[0] for row in wct("plan", "part.yaml", "--exclude", "b").rows] == ["a", "c"]
    done = wct("plan", "part.yaml", "--select", "b")
    assert (done.code, done.out) == (2, "")
    assert "not what it depends on: 'a'" in done.err
    wct("run", "part.yaml", "--run-id", "r", "--select", "a")
    rows = wct("plan", "part.yaml", "--resume", "r", "--select", "b").rows
    assert [row[:2] for row in rows] == [["a", "keep"], ["b", "produce"]]
    rows = wct("plan", "part.yaml", "--select", "result:completed@r").rows
    assert [row[0] for row in rows] == ["a"]
