"""Results item by item: what is taken from an earlier run is what a fresh search would give."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import pytest
from notes_kit import NotesProject, completed, found, taken

from waivern import RunResult, load, run
from waivern.engine.workers.slots import cores
from waivern.store.local import LocalFilesystemStore

WORDS = """\
from pydantic import BaseModel
from waivern import SchemaRef

class Words:
    "The words of notes."
    name, version, accepts, produces = "words", "1.0.0", None, SchemaRef("words")
    streams, reads_streams, repeatable = "found", True, True
    class Config(BaseModel, extra="forbid"):
        mode: str = "plain"
    def process(self, inputs, config, ctx):
        def words(item):
            for note in item.read():
                ctx.read(of=item.input)
                for word in note["text"].split():
                    yield {"in": item.input, "note": item.name, "word": word}
        def first(item):
            note = next(iter(item.read()), None)
            return [] if note is None else [{"note": item.name, "first": note["text"]}]
        if config.mode == "adds a record":
            yield {"inputs": len(inputs)}
        work = first if config.mode == "reads a part" else words
        results = [found for one in inputs for found in ctx.each_item(one.items("notes"), work)]
        if config.mode == "works twice":
            for one in inputs:
                results += ctx.each_item(one.items("notes"), first)
        records = [record for found in results for record in found]
        if config.mode == "leaves some out":
            records = [record for record in records if record["word"] < "n"]
        if config.mode == "sorts":
            records.sort(key=lambda record: record["word"])
        for record in records:
            if config.mode == "changes":
                record["word"] += "!"
            yield record

processor = Words()
"""
BOOK = """\
  one: {source: {type: notes, properties: {folder: one, mode: %(read)s, order: %(order)s}}}
  two: {source: {type: notes, properties: {folder: two}}}
  found: {inputs: %(inputs)s, process: {type: words, properties: {mode: %(mode)s}}}
"""
MODES = ("plain", "adds a record", "works twice", "leaves some out", "sorts", "changes")


class Project(NotesProject):
    """A folder with two folders of notes, of which some have the same names."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "words", WORDS)
        for source, count in (("one", 4), ("two", 2)):
            (folder / source).mkdir()
            for n in range(count):
                (folder / source / f"{n}.txt").write_text(f"note {n} of {source}\n")

    def run(
        self,
        mode: str = "plain",
        *,
        read: str = "plain",
        inputs: str = "[one, two]",
        order: int = 1,
        **options: Any,
    ) -> RunResult:
        text = BOOK % {"mode": mode, "read": read, "inputs": inputs, "order": order}
        return self.run_book(text, **options)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def coverage(result: RunResult) -> dict[str, Any]:
    reported: dict[str, Any] = result.artifacts["found"].message().extensions["coverage"]
    return reported


@pytest.mark.parametrize("mode", MODES)
def test_what_is_taken_is_what_is_found_anew(project: Project, mode: str) -> None:
    project.run(mode)
    (project.folder / "one" / "2.txt").write_text("another note\n")
    again, fresh = project.run(mode), project.run(mode, cache=False)
    assert found(again) == found(fresh)
    assert coverage(again) == coverage(fresh)
    assert taken(again) == (5 if mode == "plain" else 0), "its records are not those of its items"


def test_any_change_of_the_items_gives_what_is_found_anew(project: Project) -> None:
    choose, most = random.Random(7), 0
    for _ in range(12):
        for _ in range(choose.randint(0, 3)):
            path = project.folder / choose.choice(["one", "two"]) / f"{choose.randint(0, 5)}.txt"
            other = path.with_name(f"{choose.randint(0, 5)}.txt")
            match choose.choice(["write", "remove", "rename"]):
                case "write":
                    path.write_text("note " * choose.randint(0, 3) + f"{choose.random()}\n")
                case "remove":
                    path.unlink(missing_ok=True)
                case _ if path.exists():
                    path.rename(other)
        options: dict[str, Any] = {
            "inputs": choose.choice(["[one, two]", "[two, one]", "one"]),
            "order": choose.choice([1, -1]),
        }
        again, fresh = project.run(**options), project.run(cache=False, **options)
        assert json.dumps(found(again)) == json.dumps(found(fresh))
        assert coverage(again) == coverage(fresh)
        most = max(most, taken(again))
    assert most > 2, "nothing was taken: the test shows nothing"


def test_another_encoding_is_another_text(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "x.txt").write_text("write to person+AEA-acme-mail.com\n")
    store = LocalFilesystemStore(tmp_path / ".waivern")
    counts = []
    for encoding in ("latin-1", "utf-7"):
        source = f"{{type: filesystem, properties: {{path: data, encoding: {encoding}}}}}"
        (tmp_path / "x.yaml").write_text(
            f"artifacts:\n  source: {{source: {source}}}\n"
            "  found: {inputs: source, process: {type: personal_data}}\n"
        )
        result = run(load(tmp_path / "x.yaml"), store=store)
        counts.append(len(result.artifacts["found"].message().content["findings"]))
    assert counts == [0, 1]


def test_an_item_that_was_read_in_part_is_not_mixed_with_the_next(project: Project) -> None:
    result = project.run("reads a part", read="parts", inputs="one")
    assert found(result) == [{"note": f"{n}.txt", "first": "note"} for n in range(4)]


def test_what_a_connector_does_not_yield_is_named(project: Project) -> None:
    reasons = {"leaves out": 1, "ends at once": 4, "reads ahead": 0}
    for mode, count in reasons.items():
        result = project.run(read=mode, inputs="one")
        assert len({each["note"] for each in found(result)}) == 4 - count
        assert coverage(result)["skipped"] == count, mode


@pytest.mark.parametrize(("notes", "asked"), [(4, "'1.txt'"), (1, "no more")])
def test_a_connector_that_yields_more_than_it_was_asked_for_fails(
    project: Project, notes: int, asked: str
) -> None:
    for n in range(notes, 4):
        (project.folder / "one" / f"{n}.txt").unlink()
    error = project.run(read="yields two", inputs="one").record.steps["found"].error
    assert error is not None
    assert (
        error["message"] == f"connector 'notes' yielded an item '0.txt', but was asked for {asked}"
    )


SEARCH = """\
from pathlib import Path
from pydantic import BaseModel
from waivern import SchemaRef

calls = []

class Search:
    "A record of each note; the first call fails, the second one lists what that left."
    name, version, accepts, produces = "search", "1.0.0", None, SchemaRef("search")
    streams, reads_streams, repeatable = "found", True, True
    class Config(BaseModel, extra="forbid"):
        store: str
    def process(self, inputs, config, ctx):
        calls.append(sorted(map(str, Path(config.store).glob("runs/*/_system/staged/*/*"))))
        for number, found in enumerate(ctx.each_item(inputs[0].items("notes"), self.work)):
            if len(calls) == 1 and number == 1_100:
                raise ValueError("half way")
            yield from found
        return {"left": calls[-1]}
    def work(self, item):
        return [{"note": item.name}]

processor = Search()
"""


@pytest.mark.parametrize("keep", ["reference", "content"])
def test_a_failed_call_leaves_nothing_for_the_next(project: Project, keep: str) -> None:
    project.add("search", SEARCH)
    for n in range(1_200):
        (project.folder / "one" / f"{n}.txt").touch()
    result = project.run_book(
        f"  one: {{source: {{type: notes, properties: {{folder: one}}}}, keep: {keep}}}\n"
        "  found:\n"
        "    inputs: one\n"
        f"    process: {{type: search, properties: {{store: {project.folder}/.waivern}}}}\n"
        "    retry: {max: 1, delay: 0.01}\n"
    )
    message = result.artifacts["found"].message()
    assert message.content == {"left": []}
    assert len(message.records or ()) == 1_200
    # without digests nothing could be taken by a later run
    assert (message.items is None) is (keep == "content")
    assert (completed(result).items is None) is (keep == "content")


WHERE = """\
import os
from pydantic import BaseModel
from waivern import SchemaRef

class Where:
    "The process that worked on each note."
    name, version, accepts, produces = "where", "1.0.0", None, SchemaRef("where")
    streams, reads_streams, repeatable, computes = "found", True, True, True
    class Config(BaseModel, extra="forbid"):
        pass
    def process(self, inputs, config, ctx):
        for found in ctx.each_item(inputs[0].items("notes"), self.work):
            yield from found
    def work(self, item):
        return [{"note": item.name, "process": os.getpid()}]

processor = Where()
"""


@pytest.mark.skipif(cores() < 2, reason="one core: no worker pays")
def test_a_few_changed_items_of_a_large_source_are_worth_no_worker(project: Project) -> None:
    project.add("where", WHERE)
    artifacts = (
        "  one: {source: {type: notes, properties: {folder: one}}}\n"
        "  found: {inputs: one, process: {type: where}}\n"
    )
    folder = project.folder / "one"
    for n in range(4):
        (folder / f"{n}.txt").write_text(f"{n}" * (4 << 20))

    def processes(**options: Any) -> list[bool]:
        """Return, for each note, whether this process worked on it."""
        result = project.run_book(artifacts, **options)
        return [each["process"] == os.getpid() for each in found(result)]

    assert processes() == [False] * 4
    (folder / "2.txt").write_text("another one")
    assert processes() == [False, False, True, False]
    assert processes(cache=False) == [False] * 4
    for n in range(4):
        (folder / f"{n}.txt").write_text(f"{n} " * (3 << 20))
    assert processes() == [False] * 4
