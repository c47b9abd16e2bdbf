"""Items that are divided among workers give what they give on a thread, whatever happens there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from waivern import RunResult, load, run
from waivern.engine.workers.slots import cores
from waivern.store.local import LocalFilesystemStore

pytestmark = pytest.mark.skipif(cores() < 2, reason="items are divided among several cores")

MARKS = """\
import ctypes, os, time
from pathlib import Path
from pydantic import BaseModel
from waivern import SchemaRef

class Marks:
    "The lines of files."
    name, version, accepts, produces = "marks", "1.0.0", None, SchemaRef("marks")
    streams, reads_streams, repeatable, computes = "found", True, True, True
    class Config(BaseModel, extra="forbid"):
        mode: str = "plain"
    def process(self, inputs, config, ctx):
        mode, leader = config.mode, Path("leader")
        def follows():
            if not leader.exists():
                leader.write_text(str(os.getpid()))
            return leader.read_text() != str(os.getpid())
        def work(item):
            follower, number = follows(), int(item.name[:3])
            with open("worked", "a") as worked:
                worked.write(f"{os.getpid()} {number}\\n")
            time.sleep(3600 if number == 59 and mode == "never ends" else 0.015)
            if number == 2 and mode == "edits":
                Path("one/033.txt").write_text("edited")
            for part in item.read():
                ctx.read(of=item.input, size=len(part["text"]))
                if number % 7 == 3 and mode == "skips":
                    ctx.skipped(item.name, "it is not wanted", of=item.input)
                    return
                more = list(range(number % 4))
                yield {"note": item.name, "text": part["text"][:20], "more": more}
            if number % 20 == 4 and follower:
                if mode == "follower fails":
                    raise ValueError("only here")
                if mode == "follower dies":
                    ctypes.CDLL(None).kill(os.getpid(), 9)
                if mode == "follower yields what is no JSON":
                    yield {"note": {1, 2}}
            if number == 33 and mode == "fails":
                raise ValueError("item 33")
            if number == 33 and mode == "leader dies once" and not Path("died").exists():
                Path("died").touch()
                ctypes.CDLL(None).kill(int(leader.read_text()), 9)
        def large(item):
            return [{"note": item.name, "first": "x" * 20_000}, *work(item)]
        pieces = [one.items("files") for one in inputs]
        if mode == "nested":
            results = []
            for found in ctx.each_item(pieces[0], work):
                results.append(found)
                if len(results) % 20 == 12:
                    results += ctx.each_item(list(inputs[0].items("files"))[5:15], work)
        elif mode == "chooses":
            seen = [found for found in ctx.each_item(pieces[0], work)]
            chosen = list(inputs[0].items("files"))[len(seen) // 2 :]
            results = [*seen, *ctx.each_item(chosen, work)]
        elif mode == "says much":
            results = []
            for found in ctx.each_item(pieces[0], large):
                print("y" * 60_000, "\\n", "z" * 60_000)
                results.append(found)
        else:
            results = [found for piece in pieces for found in ctx.each_item(piece, work)]
        for found in results:
            yield from found

processor = Marks()
"""
BOOK = """\
name: items
artifacts:
  one: {source: {type: filesystem, properties: {path: one}}, on_change: %(on_change)s}
  found:
    inputs: one
    process: {type: marks, properties: {mode: "%(mode)s"}}
    retry: {max: 2, on: died, delay: 0.01}
    timeout: %(timeout)s
"""
COUNT = 60
FILL = "-" * 250_000
"""Files so large that some of them are divided at once."""
MODES = ("plain", "skips", "follower dies", "leader dies once")
MORE_MODES = ("follower fails", "follower yields what is no JSON", "nested", "chooses", "says much")


class Project:
    """A folder with files, and a component that works on them item by item."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "waivern.yaml").write_text("component_paths: [components]\n")
        (folder / "components").mkdir()
        (folder / "components" / "marks.py").write_text(MARKS)
        (folder / "one").mkdir()
        for number in range(COUNT):
            self.write(number)

    def write(self, number: int, text: str = "a note") -> None:
        (self.folder / "one" / f"{number:03}.txt").write_text(f"{text} {number}\n" + FILL)

    def run(
        self,
        mode: str,
        executor: str,
        store: str,
        on_change: str = "skip",
        timeout: str = "1h",
    ) -> RunResult:
        for name in ("leader", "worked"):
            (self.folder / name).unlink(missing_ok=True)
        book = self.folder / "x.yaml"
        book.write_text(BOOK % {"mode": mode, "on_change": on_change, "timeout": timeout})
        kept = LocalFilesystemStore(self.folder / store)
        root = self.folder
        return run(load(book), store=kept, project_root=root, executor=executor)

    def workers(self) -> set[str]:
        """Return the processes that have worked on items."""
        return {line.split()[0] for line in (self.folder / "worked").read_text().splitlines()}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)


def document(result: RunResult) -> tuple[Any, ...]:
    """Return all that a run says of its findings, but for times and runs."""
    message = result.artifacts["found"].message()
    completed = result.record.steps["found"].completed
    assert completed is not None
    items = {name: value for name, value in (completed.items or {}).items() if name != "origin"}
    index = Path(result.store.folder or "", "runs", result.run_id, "_system/items/found.jsonl")
    return (
        message.content,
        message.extensions["coverage"],
        items,
        index.exists() and index.read_text(),
    )


@pytest.mark.parametrize(
    "mode", [*MODES, *(pytest.param(mode, marks=pytest.mark.sweep) for mode in MORE_MODES)]
)
def test_divided_items_give_what_they_give_on_a_thread(project: Project, mode: str) -> None:
    result = project.run(mode, "processes", "processes")
    assert result.exit_code == 0, result.record.steps["found"]
    assert len(project.workers()) > 1, "nothing was divided: the test shows nothing"
    threads = project.run(mode, "threads", "threads")
    assert document(result) == document(threads)


@pytest.mark.sweep
def test_results_of_an_earlier_run_are_taken(project: Project) -> None:
    for executor in ("threads", "processes"):
        project.run("plain", executor, executor)
    for number in range(0, COUNT, 2):
        project.write(number, "another note")
    results = [project.run("plain", executor, executor) for executor in ("threads", "processes")]
    assert document(results[0]) == document(results[1])
    _, _, items, index = document(results[0])
    assert items == {"total": COUNT, "taken": COUNT // 2}
    assert index
    assert len(project.workers()) > 1


@pytest.mark.parametrize("mode", ["fails", "edits"])
def test_an_item_that_fails_fails_the_artifact_as_on_a_thread(project: Project, mode: str) -> None:
    failures = []
    for executor in ("threads", "processes"):
        project.write(33)
        result = project.run(mode, executor, executor, on_change="fail")
        error = result.record.steps["found"].error
        assert error is not None
        failures.append((result.exit_code, error["kind"], error["message"]))
    assert failures[0] == failures[1]
    assert "33" in failures[0][2]
    assert len(project.workers()) > 1


def test_an_item_that_changes_is_skipped_as_on_a_thread(project: Project) -> None:
    results = []
    for executor in ("threads", "processes"):
        project.write(33)
        results.append(document(project.run("edits", executor, executor)))
    assert results[0] == results[1]
    assert "changed since it was listed" in str(results[0][1])


@pytest.mark.sweep
def test_a_limit_of_time_ends_all_that_work_on_the_items(project: Project) -> None:
    result = project.run("never ends", "processes", "processes", timeout="4s")
    error = result.record.steps["found"].error
    assert error is not None
    assert error["kind"] == "timeout"
    assert len(project.workers()) > 1
    assert not any(Path("/proc", pid).exists() for pid in project.workers())
