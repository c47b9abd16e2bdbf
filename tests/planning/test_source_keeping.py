"""The keys `keep` and `on_change`: which one decides, and what a connector cannot do."""

from __future__ import annotations

from pathlib import Path

import pytest
from children_kit import Books, at

from waivern.diagnostics import InvalidError
from waivern.ids import ArtifactId
from waivern.language import loader, project
from waivern.planning.changes import changes
from waivern.planning.defaults import ProjectDefaults
from waivern.planning.plan import Plan
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.plugins.catalogue import Catalogue

SHELF = """
from pydantic import BaseModel
from waivern import SchemaRef

class Shelf:
    name, version, produces = "shelf", "1.0.0", SchemaRef("json")
    class Config(BaseModel):
        pass
    def extract(self, config, ctx):
        return {}
    def describes(self, config, inputs, ctx):
        text = {"type": "object", "properties": {"text": {"type": "string"}}}
        return {"type": "object", "properties": {"items": {"type": "array", "items": text}}}
    def catalogue(self, config, ctx):
        yield {"name": "one", "digest": "sha256:1"}
    def read(self, config, ctx, entries):
        yield from entries

connector = Shelf()
"""
ONCE = SHELF.replace("shelf", "once").replace("def catalogue", "def listing")
MAIN = """
CONFIG
artifacts:
  read: {source: {type: shelf}OWN}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    folder = tmp_path / "components"
    folder.mkdir()
    (folder / "shelf.py").write_text(SHELF)
    (folder / "once.py").write_text(ONCE)
    return Books(tmp_path, Catalogue([str(folder)], within=tmp_path))


def kept(plan: Plan, name: str = "read") -> tuple[str | None, str]:
    node = plan.nodes[ArtifactId(name)]
    return node.keep, node.on_change


def written(config: str = "", own: str = "", source: str = "shelf") -> str:
    text = MAIN.replace("CONFIG", config).replace("OWN", own and f", {own}")
    return text.replace("shelf", source)


def of_project(books: Books, text: str, defaults: str) -> Plan:
    """Return the plan of a runbook in a project with these defaults."""
    books.write(main=text)
    file = project.parse(
        defaults.encode(), path="waivern.yaml", folder=books.folder, statuses=("failed",)
    )
    given = ProjectDefaults({}, file.on_error, file.keep, file.on_change, file.document)
    catalogue = Catalogue([str(books.folder / "components")], within=books.folder)
    draft = loader.examine(books.folder / "main.yaml", {})
    return plan_at_once(draft, LocalResolver(books.outside), {}, given, catalogue)


def test_a_connector_that_can_read_again_is_kept_by_reference(books: Books) -> None:
    assert kept(books.write(main=written()).plan()) == ("reference", "skip")
    assert kept(books.write(main=written(source="once")).plan()) == ("content", "skip")


def test_only_a_source_is_kept(books: Books) -> None:
    plan = books.write(main=written() + "  next: {inputs: read}\n").plan()
    assert kept(plan, "next") == (None, "skip")


def test_the_nearest_key_decides(books: Books) -> None:
    defaults = "keep: content\non_change: fail\n"
    config = "config: {keep: reference, on_change: skip}"
    own = "keep: content"
    assert kept(of_project(books, written(), defaults)) == ("content", "fail")
    assert kept(of_project(books, written(config), defaults)) == ("reference", "skip")
    assert kept(of_project(books, written(config, own), defaults)) == ("content", "skip")
    own = "on_change: fail"
    assert kept(of_project(books, written(config, own), defaults)) == ("reference", "fail")


def test_a_child_has_what_its_parent_says_unless_it_says_otherwise(books: Books) -> None:
    child = "CONFIG\noutputs: {r: {artifact: read}}\nartifacts: {read: {source: {type: shelf}}}"
    main = (
        "config: {keep: content, on_change: fail}\n"
        "artifacts: {sub: {child_runbook: {path: child.yaml, output: r}}}"
    )
    books.write(main=main, child=child.replace("CONFIG", ""))
    assert kept(books.plan(), "sub/read") == ("content", "fail")
    books.write(child=child.replace("CONFIG", "config: {keep: reference, on_change: skip}"))
    assert kept(books.plan(), "sub/read") == ("reference", "skip")


def test_reference_to_what_cannot_be_read_again_is_refused_where_it_is_said(books: Books) -> None:
    own = books.write(main=written("", "keep: reference", "once")).only()
    assert own.code == "WCT216"
    assert own.message == (
        "'read' cannot be kept by reference: the connector 'once' cannot read its source again"
    )
    assert (own.hint or "").startswith("write `keep: content` beside its `source`")
    assert at(own) == "main.yaml:4"
    config = books.write(main=written("config: {keep: reference}", "", "once")).only()
    assert (config.code, at(config)) == ("WCT216", "main.yaml:2")
    with pytest.raises(InvalidError) as raised:
        of_project(books, written(source="once"), "cache: true\nkeep: reference\n")
    [file] = raised.value.problems
    assert (file.code, at(file)) == ("WCT216", "waivern.yaml:2")
    said = written("config: {keep: reference}", "keep: content", "once")
    assert kept(books.write(main=said).plan()) == ("content", "skip")


def test_on_change_of_stored_data_is_refused(books: Books) -> None:
    for text in (
        written("", "keep: content, on_change: fail"),
        written("", "on_change: fail", "once"),
    ):
        problem = books.write(main=text).only()
        assert problem.message.startswith("'on_change' of ")
        assert "has no effect" in problem.message
    config = written("config: {on_change: fail}", "", "once")
    assert kept(books.write(main=config).plan()) == ("content", "fail")


@pytest.mark.parametrize("origin", ["inputs: read", "reuse: {from_run: '@last', artifact: a}"])
def test_what_is_no_source_cannot_be_kept(books: Books, origin: str) -> None:
    problem = books.write(main=written() + f"  next: {{{origin}, keep: content}}\n").only()
    assert problem.message.startswith("'keep' of artifact 'next' cannot be combined with")
    assert problem.hint == "only a source can be kept: move it to one with 'source'"


def test_another_way_of_keeping_is_another_artifact(books: Books) -> None:
    by_reference = books.write(main=written()).plan().nodes
    strict = books.write(main=written("", "on_change: fail")).plan().nodes
    stored = books.write(main=written("", "keep: content")).plan().nodes
    assert [each.what for each in changes(by_reference, strict)] == [
        "source.on_change 'skip' → 'fail'"
    ]
    assert "source.keep 'reference' → 'content'" in {
        each.what for each in changes(by_reference, stored)
    }
    explicit = books.write(main=written("", "keep: reference")).plan().nodes
    assert changes(by_reference, explicit) == []


def test_a_condition_on_a_list_of_items_is_not_held_against_their_data(books: Books) -> None:
    condition = "  next: {inputs: read, when: 'max(inputs.read.items[*].text) > 3'}\n"
    books.write(main=written("", "keep: content") + condition)
    assert "text" in books.only().message
    assert books.write(main=written() + condition).plan()
