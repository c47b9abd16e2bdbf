"""Cached results depend on what reads a listed source: its properties, its version, its code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from notes_kit import NotesProject, completed, found, taken

import waivern
from waivern import RunResult, forecast

TEXTS = """\
from pydantic import BaseModel
from waivern import SchemaRef

class Texts:
    "The texts of notes."
    name, version, accepts, produces = "texts", "1.0.0", None, SchemaRef("texts")
    streams, reads_streams, repeatable = "found", True, True
    class Config(BaseModel, extra="forbid"):
        pass
    def process(self, inputs, config, ctx):
        def texts(item):
            return [{"text": note["text"]} for note in item.read()]
        for one in inputs:
            for found in ctx.each_item(one.items("notes"), texts):
                yield from found

processor = Texts()
"""


class Project(NotesProject):
    """A folder with three notes, and a runbook that lists and reads them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "texts", TEXTS)
        (folder / "notes").mkdir()
        for n in range(3):
            self.write(n, f"Note {n}")

    def write(self, number: int, text: str) -> None:
        (self.folder / "notes" / f"{number}.txt").write_text(text)

    def edit(self, old: str, new: str) -> None:
        """Edit the connector."""
        path = self.folder / "components" / "notes.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))


def source(name: str = "notes", **properties: str) -> str:
    more = "".join(f", {key}: {value}" for key, value in properties.items())
    return f"  {name}: {{source: {{type: notes, properties: {{folder: notes{more}}}}}}}\n"


FOUND = "  found: {inputs: notes, process: {type: texts}}\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def texts(result: RunResult) -> list[str]:
    return [each["text"] for each in found(result)]


def how(result: RunResult) -> tuple[str, int]:
    """Return how the result came about, and how many items were taken from an earlier run."""
    return completed(result).how, taken(result)


LOWER, UPPER = ["note 0", "note 1", "note 2"], ["NOTE 0", "NOTE 1", "NOTE 2"]


def test_another_property_of_the_connector_is_another_reader(project: Project) -> None:
    assert texts(project.run_book(source() + FOUND)) == LOWER
    again = project.run_book(source(style="upper") + FOUND)
    assert (texts(again), how(again)) == (UPPER, ("produced", 0))
    back = project.run_book(source() + FOUND)
    assert (texts(back), how(back)[0]) == (LOWER, "cached")


def test_a_variable_in_a_property_is_part_of_the_reader(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifacts = source(style="'${STYLE}'") + FOUND
    for style, expected in (("lower", LOWER), ("upper", UPPER)):
        monkeypatch.setenv("STYLE", style)
        assert texts(project.run_book(artifacts)) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(".strip()", ".strip() + '!'", [f"{text}!" for text in LOWER], id="code"),
        pytest.param('"1.0.0"', '"2.0.0"', LOWER, id="version"),
    ],
)
def test_edited_code_is_another_reader(
    project: Project, old: str, new: str, expected: list[str]
) -> None:
    project.run_book(source() + FOUND)
    project.edit(old, new)
    again = project.run_book(source() + FOUND)
    assert (texts(again), how(again)) == (expected, ("produced", 0))


def test_results_of_items_are_not_taken_from_another_reader(project: Project) -> None:
    project.run_book(source() + FOUND)
    project.write(1, "Another")
    again = project.run_book(source(style="upper") + FOUND)
    assert (texts(again), how(again)[1]) == (["NOTE 0", "ANOTHER", "NOTE 2"], 0)


def test_a_property_that_does_not_matter_for_reading_searches_nothing_again(
    project: Project,
) -> None:
    project.edit("streams, repeatable", "read_properties = ('style',)\n    streams, repeatable")
    project.run_book(source(label="a") + FOUND)
    again = project.run_book(source(label="b") + FOUND)
    assert how(again)[0] == "cached"
    project.write(1, "Another")
    assert how(project.run_book(source(label="c") + FOUND)) == ("produced", 2)
    assert how(project.run_book(source(label="c", style="upper") + FOUND)) == ("produced", 0)


JOINED = "  notes: {inputs: [a, b]}\n  found: {inputs: notes, process: {type: texts}}\n"


def test_a_joined_catalogue_has_the_readers_of_its_parts(project: Project) -> None:
    def both(first: str, second: str) -> RunResult:
        return project.run_book(source("a", style=first) + source("b", style=second) + JOINED)

    assert texts(both("lower", "upper")) == LOWER + UPPER
    assert texts(both("upper", "lower")) == UPPER + LOWER
    assert texts(both("upper", "upper")) == UPPER + UPPER
    again = both("lower", "upper")
    assert (texts(again), how(again)[0]) == (LOWER + UPPER, "cached")


def test_a_copied_catalogue_is_read_as_its_own_connector_says(project: Project) -> None:
    project.run_book(source(style="upper") + FOUND, run_id="one")
    reused = "  notes: {reuse: {from_run: one, artifact: notes}}\n" + FOUND
    expected = forecast(project.book(reused), store=project.store, project_root=project.folder)
    assert [each.action for each in expected] == ["reuse", "cached"]
    again = project.run_book(reused)
    assert (texts(again), how(again)[0]) == (UPPER, "cached")
    project.edit(".strip()", ".strip() + '!'")
    assert texts(project.run_book(reused)) == [f"{text}!" for text in UPPER]


@pytest.mark.parametrize("change", ["altered", "removed"])
def test_an_index_of_items_that_was_edited_is_not_used(project: Project, change: str) -> None:
    project.run_book(source() + FOUND, run_id="one")
    index = project.folder / ".waivern/runs/one/_system/items/found.jsonl"
    if change == "altered":
        index.write_text(index.read_text().replace('"records":1', '"records":0'))
    else:
        index.unlink()
    project.write(1, "Another")
    again = project.run_book(source() + FOUND)
    assert (texts(again), how(again)) == (["note 0", "another", "note 2"], ("produced", 0))


def test_a_forecast_knows_the_reader(project: Project) -> None:
    project.run_book(source() + FOUND)

    def forecast(artifacts: str) -> tuple[str, str]:
        book = project.book(artifacts)
        each = waivern.forecast(book, store=project.store, project_root=project.folder)
        (one,) = (step for step in each if step.artifact == "found")
        return str(one.action), one.reason

    assert forecast(source() + FOUND)[0] == "cached"
    action, reason = forecast(source(style="upper") + FOUND)
    assert action == "produce"
    assert re.search(r"3 of 3 items changed; reader of notes: property style .*'upper'", reason)
    project.edit('"1.0.0"', '"2.0.0"')
    assert "reader of notes: component notes 1.0.0 → notes 2.0.0" in forecast(source() + FOUND)[1]


def test_items_of_a_reused_list_are_checked_before_results_are_taken(project: Project) -> None:
    """The connector cannot tell which items were touched, so that all are read."""
    check = """
            if hashlib.sha256(text.encode()).hexdigest() != entry["digest"]:
                ctx.skipped(entry["name"], "changed")
                continue"""
    project.edit(".read_text()\n", f".read_text(){check}\n")
    project.run_book(source() + FOUND, run_id="one")
    reused = "  notes: {reuse: {from_run: one, artifact: notes}}\n" + FOUND
    assert how(project.run_book(reused))[0] == "cached"
    project.write(1, "Another")
    again, fresh = project.run_book(reused), project.run_book(reused, cache=False)
    assert (texts(again), how(again)) == (["note 0", "note 2"], ("produced", 2))
    assert texts(fresh) == texts(again)
    coverage = [each.artifacts["found"].message().extensions["coverage"] for each in (again, fresh)]
    assert coverage[0] == coverage[1]
    assert coverage[0]["items"] == [{"item": "1.txt", "reason": "changed"}]


def test_a_connector_reads_with_what_its_consumer_has(project: Project) -> None:
    """Its log, what calls share, and services; not its properties."""
    project.edit(
        "        for entry in entries:\n",
        """\
        for entry in entries:
            once = ctx.once(("notes", "read"), lambda: "first")
            ctx.say(f"reading {entry['name']} {once}")
            try:
                ctx.service("none")
            except Exception as error:
                ctx.say(str(error))
""",
    )
    result = project.run_book(source() + FOUND, run_id="one")
    assert texts(result) == LOWER
    logs = project.folder / ".waivern/runs/one/_system/logs"
    text = "".join(path.read_text() for path in logs.rglob("found*"))
    assert "reading 2.txt first" in text
    assert "not available here" not in text
