"""A run that is resumed with other components, or another version of what runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from wct_process import Place, Wct

PLUGIN = """
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Mine:
    name, version, produces, accepts = "mine", {version!r}, ANY_JSON, None
    outputs = {outputs!r}
    class Config(BaseModel): ...
    def extract(self, config, ctx):
        return 1
    def process(self, inputs, config, ctx):
        return {{"high": 1, "low": 2}}

{kind} = Mine
"""
SUSPENDS = """
import os
def broken(inputs):
    if not os.path.exists("mended"):
        raise ValueError("not yet")
    return len(inputs)
"""


@pytest.fixture
def book(place: Place) -> str:
    (place.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    (place.path / "parts").mkdir()
    (place.path / "own.py").write_text(SUSPENDS)
    return place.runbook(
        "r.yaml",
        """
  a: {source: {type: mine}}
  r: {inputs: a, process: {type: route}}
  b: {inputs: [a, r/high], process: {type: python, properties: {call: "own.py:broken"}}}
""",
    )


def plugins(place: Place, version: str = "1.0.0") -> list[Path]:
    found = []
    for name, kind, outputs in (
        ("mine", "connector", ()),
        ("route", "processor", ("high", "low")),
    ):
        found.append(place.path / "parts" / f"{name}.py")
        found[-1].write_text(PLUGIN.format(version=version, kind=kind, outputs=outputs))
    return found


def test_another_version_of_a_component_is_said(place: Place, wct: Wct, book: str) -> None:
    plugins(place)
    assert wct("run", book).code == 1
    (place.path / "mended").touch()
    plugins(place, "2.0.0")
    done = wct("runs", "resume", "@last")
    said = " ".join(done.err.split())
    assert done.code == 0
    assert "produced by version 1.0.0 of connector mine, which is 2.0.0 now" in said
    assert "produced by version 1.0.0 of processor route, which is 2.0.0 now" in said
    (command, *_) = (each for each in done.err.split("`") if each.startswith("wct plan"))
    assert wct(*command.split()[1:]).code == 0


@pytest.mark.parametrize("what", ["waivern", "python"])
def test_another_version_of_what_runs_it_is_said(
    place: Place, wct: Wct, book: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    import sys

    import waivern

    plugins(place)
    assert wct("run", book).code == 1
    assert "last attempt ran with" not in wct("runs", "resume", "@last").err
    if what == "waivern":
        monkeypatch.setattr(waivern, "__version__", "99.1.0")
    else:
        # a patch version: libraries choose by the minor one what they import
        monkeypatch.setattr(sys, "version_info", (*sys.version_info[:2], 99, "final", 0))
    said = " ".join(wct("run", book, "--resume", "@last").err.split())
    assert "the last attempt ran with" in said
    now = "99.1.0" if what == "waivern" else ".".join(map(str, sys.version_info[:3]))
    assert f"now {now}" in said
    run = json.loads((place.path / ".waivern/latest/_system/run.json").read_text())
    assert len({json.dumps([each["waivern"], each["python"]]) for each in run["attempts"]}) == 2


@pytest.mark.parametrize(
    "verb", [("runs", "resume", "@last"), ("run", "r.yaml", "--resume", "@last")]
)
def test_a_removed_component_that_nothing_needs_does_not_block(
    place: Place, wct: Wct, book: str, verb: tuple[str, ...]
) -> None:
    for each in plugins(place):
        each.touch()
    assert wct("run", book).code == 1
    (place.path / "mended").touch()
    for each in (place.path / "parts").iterdir():
        each.unlink()
    done = wct(*verb)
    assert done.code == 0, done.err
    assert wct("verify", "@last").code == 0 or wct("runs", "verify", "@last").code == 0
    assert wct("run", book).code == 3


def test_a_removed_component_that_is_needed_blocks(place: Place, wct: Wct, book: str) -> None:
    mine, _route = plugins(place)
    mine.write_text(mine.read_text().replace("return 1", "raise ValueError"))
    assert wct("run", book).code == 1
    mine.unlink()
    done = wct("runs", "resume", "@last")
    assert done.code == 3
    assert "no connector 'mine'" in done.err
