"""`wct plan` of a resume, of a run at work, of what cannot be planned; secrets, a hostile store."""

from __future__ import annotations

import shutil

import pytest
from wct_process import Place, Wct

CANARY = "canary-of-the-plan"
CACHED = '  a: {source: {type: python, properties: {call: "steps.py:value"}}, cache: true}\n'


def failing(place: Place, call: str) -> str:
    return place.runbook(
        "book.yaml",
        f"""
  a: {{source: {{type: python, properties: {{call: "steps.py:value"}}}}}}
  b: {{source: {{type: python, properties: {{call: "steps.py:{call}"}}}}}}
  c: {{inputs: [a, b], process: {{type: python, properties: {{call: "steps.py:total"}}}}}}
""",
    )


def test_of_a_resume(place: Place, wct: Wct) -> None:
    book = failing(place, "fail")
    wct("run", book, "-q")
    done = wct("plan", book, "--resume", "@last", "--exit-code")
    assert done.code == 10
    assert [row[1] for row in done.rows] == ["keep", "produce", "produce"]
    failing(place, "value")
    done = wct("plan", book, "--resume", "@last")
    assert [row[1] for row in done.rows] == ["keep", "produce", "produce"]
    assert wct("run", book, "--resume", "@last", "--allow-changed", "-q").code == 0
    done = wct("plan", book, "--resume", "@last", "--exit-code")
    assert done.code == 0
    assert {row[1] for row in done.rows} == {"keep"}


def test_while_it_runs(place: Place) -> None:
    """It takes no lock."""
    meeting = place.meeting()
    process = place.start("run", meeting.runbook)
    meeting.wait()
    done = place.wct("plan", meeting.runbook, "--resume", "@last")
    meeting.let_go()
    assert done.code == 0, done.err
    actions = {row[0]: row[1] for row in done.rows}
    assert actions["met"] == actions["last"] == "produce"
    assert place.ended(process).code == 0


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["none.yaml"], 4, "none.yaml"),
        (["bad.yaml"], 3, "bad.yaml"),
        (["book.yaml", "--refresh", "aa"], 4, "--refresh: there is no artifact 'aa'"),
        (["book.yaml", "--resume", "@last"], 4, "no run"),
        (["book.yaml", "-p", "y=1"], 2, "unknown parameter 'y'"),
    ],
)
def test_what_cannot_be_planned(
    place: Place, args: list[str], code: int, text: str, wct: Wct
) -> None:
    place.runbook("bad.yaml", "  a: {sauce: {}}\n")
    place.runbook("book.yaml", CACHED)
    done = wct("plan", *args)
    assert (done.code, done.out) == (code, "")
    assert text in done.err
    assert not (place.path / ".waivern").exists()


def test_no_secret_is_told(place: Place) -> None:
    """What a component is given may stand in what it makes, and nowhere else."""
    book = place.runbook(
        "book.yaml",
        """
  a:
    source:
      type: python
      properties: {call: "steps.py:value", args: {x: "${TOKEN} ${params.token}"}}
    cache: true
  f: {source: {type: filesystem, properties: {path: "${TOKEN}"}}, optional: true}
""",
        'params: {token: {type: string, secret: true, default: ""}}',
    )
    secret = ["-p", f"token={CANARY}-p"]
    place.wct("run", book, "-q", *secret, TOKEN=f"{CANARY}-0")
    told = [
        place.wct("plan", book, *secret, TOKEN=f"{CANARY}-0"),
        place.wct("plan", book, *secret, "--resume", "@last", TOKEN=f"{CANARY}-0"),
        place.wct("plan", book, "--json", TOKEN=f"{CANARY}-1"),
    ]
    assert [done.code for done in told] == [0, 0, 0]
    assert "variable TOKEN changed" in told[2].out
    assert "parameter params.token changed" in told[2].out
    assert not any(CANARY in done.out + done.err for done in told)
    for path in (place.path / ".waivern").rglob("*"):
        if path.is_file() and path.name != "a.json":
            assert CANARY.encode() not in path.read_bytes(), path


def test_a_store_that_is_damaged_or_hostile(place: Place, wct: Wct) -> None:
    """It is planned all the same, and nothing is taken from there."""
    book = place.runbook("book.yaml", CACHED)
    wct("run", book, "-q")
    assert [row[1] for row in wct("plan", book).rows] == ["cached"]
    journal = place.run_folder() / "_system/events.jsonl"
    text = journal.read_text()
    journal.write_text(text.replace('"key"', '"kay"'))
    assert [row[1] for row in wct("plan", book).rows] == ["produce"]
    journal.write_text(text)
    cache = place.path / ".waivern/cache"
    shutil.move(cache, place.path / "elsewhere")
    cache.symlink_to(place.path / "elsewhere")
    done = wct("plan", book)
    assert done.code == 0, done.err
    assert [row[1] for row in done.rows] == ["produce"]
    ran = wct("run", book, "--json")
    assert ran.code == 0, ran.err
    assert "is not a folder" in ran.data("run")["warnings"][0]
