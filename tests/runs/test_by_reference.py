"""Sources by reference: listed by the run, read by whoever needs an item, never stored."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from waivern import RunResult, forecast, load, resume, run
from waivern.errors import NotFoundError
from waivern.store.local import LocalFilesystemStore

BOOK = """\
name: listed
artifacts:
  source: {source: {type: filesystem, properties: {path: data}}%s}
  lengths: {inputs: source, process: {type: python, properties: {call: "use.py:lengths"}}}
  found: {inputs: source, process: {type: personal_data}}
"""
USE = """\
def lengths(inputs):
    return {file["path"]: len(file["text"]) for file in inputs[0]["files"]}
"""


class Project:
    """A folder with three files, a runbook that searches them, and a store."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir()
        self.store = LocalFilesystemStore(folder / ".waivern")
        for n in range(3):
            (self.data / f"{n}.txt").write_text(f"write to person{n}@acme-mail.com\n")
        (folder / "use.py").write_text(USE)
        self.write()

    def write(self, keys: str = "") -> None:
        (self.folder / "x.yaml").write_text(BOOK % keys)

    def run(self, **options: Any) -> RunResult:
        return run(load(self.folder / "x.yaml"), store=self.store, **options)

    def resume(self, earlier: RunResult) -> RunResult:
        return resume(earlier.run_id, load(self.folder / "x.yaml"), store=self.store)

    def text(self) -> bytes:
        """Return the bytes of every file of the store."""
        files = (self.folder / ".waivern").rglob("*")
        return b"".join(path.read_bytes() for path in files if path.is_file())


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def coverage(result: RunResult, artifact: str) -> dict[str, Any]:
    found: dict[str, Any] = result.artifacts[artifact].message().extensions["coverage"]
    found.get("planted", {}).pop("at", None)  # when the scan was executed
    return found


def test_nothing_of_the_source_is_stored(project: Project) -> None:
    result = project.run()
    assert result.artifacts["lengths"].message().content == {f"{n}.txt": 31 for n in range(3)}
    assert len(result.artifacts["found"].message().content["findings"]) == 3
    assert b"person1@acme-mail.com" not in project.text()
    entry = result.artifacts["source"].message().content["files"][1]
    assert entry.keys() == {"path", "size", "encoding", "digest"}


def test_content_is_stored_where_the_runbook_says_so(project: Project) -> None:
    project.write(", keep: content")
    result = project.run()
    assert result.artifacts["lengths"].message().content == {f"{n}.txt": 31 for n in range(3)}
    assert b"person1@acme-mail.com" in project.text()


def test_an_unchanged_source_is_listed_again_and_searched_no_more(project: Project) -> None:
    first, second = project.run(), project.run()
    hows = {name: str(artifact.how) for name, artifact in second.artifacts.items()}
    assert hows == {"source": "cached", "lengths": "produced", "found": "cached"}
    assert [first.artifacts[name].content_digest for name in ("source", "found")] == [
        second.artifacts[name].content_digest for name in ("source", "found")
    ]


def shrink(path: Path) -> None:
    path.write_text("w")


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace("person1", "someone"))


def test_the_changed_items_alone_are_searched_again(project: Project) -> None:
    project.run()
    (project.data / "1.txt").write_text("write to another@acme-mail.com and one@acme-mail.com\n")
    second = project.run()
    completed = second.record.steps["found"].completed
    assert completed is not None
    assert completed.items is not None
    assert (completed.items["taken"], completed.items["total"]) == (2, 3)
    fresh = project.run(cache=False)
    assert second.artifacts["found"].content_digest == fresh.artifacts["found"].content_digest, (
        "what was taken differs from what is found anew"
    )
    assert coverage(second, "found") == coverage(fresh, "found")


@pytest.mark.parametrize("change", [shrink, edit, Path.unlink])
def test_an_item_that_changed_since_it_was_listed_is_named(
    project: Project, change: Callable[[Path], None]
) -> None:
    listed = project.run(select=["source"])
    change(project.data / "1.txt")
    result = project.resume(listed)
    found = coverage(result, "found")
    assert [each["item"] for each in found["items"]] == ["1.txt"]
    assert found["skipped"] == 1
    assert "1.txt" not in result.artifacts["lengths"].message().content


def test_a_file_that_grew_is_read_to_its_recorded_size(project: Project) -> None:
    listed = project.run(select=["source"])
    with (project.data / "1.txt").open("a") as file:
        file.write("and to more@acme-mail.com\n")
    result = project.resume(listed)
    assert result.artifacts["lengths"].message().content["1.txt"] == 31
    assert coverage(result, "found")["skipped"] == 0


def test_a_strict_reader_fails(project: Project) -> None:
    project.write(", on_change: fail")
    listed = project.run(select=["source"])
    edit(project.data / "1.txt")
    result = project.resume(listed)
    error = result.record.steps["found"].error
    assert result.status == "failed"
    assert error is not None
    assert "'1.txt' of input 'source': changed since it was listed" in error["message"]


def test_a_result_with_a_hole_is_not_used_again(project: Project) -> None:
    listed = project.run(select=["source"])
    before = (project.data / "1.txt").read_text()
    edit(project.data / "1.txt")
    project.resume(listed)
    (project.data / "1.txt").write_text(before)
    again = project.run()
    assert len(again.artifacts["found"].message().content["findings"]) == 3


def test_a_run_that_moved_reads_where_its_runbook_is_now(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    listed = project.run(select=["source"])
    place = tmp_path_factory.mktemp("moved") / "there"
    project.folder.rename(place)
    moved = LocalFilesystemStore(place / ".waivern")
    result = resume(listed.run_id, load(place / "x.yaml"), store=moved)
    assert len(result.artifacts["found"].message().content["findings"]) == 3


def test_a_plan_knows_what_a_run_will_list(project: Project) -> None:
    project.run()
    (project.data / "1.txt").write_text("write to another@acme-mail.com\n")
    found = foreseen(project)
    assert found["found"].reason.startswith("1 of 3 items")
    assert found["source"].action == "produce"
    (project.data / "1.txt").write_text("write to person1@acme-mail.com\n")
    assert foreseen(project)["found"].action == "cached"


def foreseen(project: Project) -> dict[str, Any]:
    forecasts = forecast(load(project.folder / "x.yaml"), store=project.store)
    return {each.artifact: each for each in forecasts}


def test_a_source_that_is_missing_is_found_before_anything_runs(project: Project) -> None:
    listed = project.run(select=["source"])
    journal = project.folder / ".waivern" / "runs" / listed.run_id / "_system" / "events.jsonl"
    before = journal.read_bytes()
    project.data.rename(project.folder / "elsewhere")
    with pytest.raises(NotFoundError, match=r"'source': 'data' .*does not exist|cannot be read"):
        project.resume(listed)
    assert journal.read_bytes() == before
    text = "name: other\nartifacts:\n  copy: {reuse: {from_run: '%s', artifact: source}}\n"
    text += "  found: {inputs: copy, process: {type: personal_data}}\n"
    book = load(text=text % listed.run_id, folder=project.folder)
    with pytest.raises(NotFoundError, match="'copy': 'data'"):
        run(book, store=project.store)
    (project.folder / "elsewhere").rename(project.data)
    result = run(book, store=project.store)
    assert len(result.artifacts["found"].message().content["findings"]) == 3


def both(project: Project, processor: str) -> RunResult:
    (project.folder / "use.py").write_text("def same(inputs):\n    return inputs[0]\n")
    more = project.folder / "more"
    more.mkdir(exist_ok=True)
    (more / "0.txt").write_text("write to another@acme-mail.com\n")
    (project.folder / "x.yaml").write_text(
        "name: m\nartifacts:\n"
        "  a: {source: {type: filesystem, properties: {path: data}}}\n"
        "  b: {source: {type: filesystem, properties: {path: more}}}\n"
        f"  both: {{inputs: [a, b], process: {processor}, output_schema: file_set}}\n"
        "  found: {inputs: both, process: {type: personal_data}}\n"
    )
    return project.run()


def test_a_merge_of_listed_sources_is_a_listed_source(project: Project) -> None:
    first = both(project, "{type: merge}")
    merged = first.artifacts["both"].message()
    assert [file["path"] for file in merged.content["files"]] == [
        *(f"{n}.txt" for n in range(3)),
        "0.txt",
    ]
    assert len(first.artifacts["found"].message().content["findings"]) == 4
    assert b"another@acme-mail.com" not in project.text()
    assert first.metadata.holds == {}
    edit(project.data / "1.txt")
    second = project.run()
    completed = second.record.steps["found"].completed
    assert completed is not None
    assert completed.items is not None
    assert (completed.items["taken"], completed.items["total"]) == (3, 4)
    again = project.run()
    assert {str(each.how) for each in again.artifacts.values()} == {"cached"}


def test_a_merge_that_is_reused_reads_where_its_sources_are(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first = both(project, "{type: merge}")
    text = "name: other\nartifacts:\n  copy: {reuse: {from_run: '%s', artifact: both}}\n"
    text += "  found: {inputs: copy, process: {type: personal_data}}\n"
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = run(load(text=text % first.run_id, folder=elsewhere), store=project.store)
    assert len(result.artifacts["found"].message().content["findings"]) == 4


def test_a_processor_that_stores_texts_is_known_to_hold_them(project: Project) -> None:
    result = both(project, '{type: python, properties: {call: "use.py:same"}}')
    assert len(result.artifacts["both"].message().content["files"]) == 3
    assert list(result.metadata.holds) == ["both"]
