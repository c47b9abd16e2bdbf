"""A folder with a runbook, its Python steps and a store: runs are started and resumed for real."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from waivern.clock import Clock
from waivern.message import Json
from waivern.record.journal_events import Event, from_record
from waivern.runs.decisions import Decision
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.resume import Decided, approve, resume
from waivern.runs.run_options import RunOptions
from waivern.runs.start import start
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore

STEPS = """
from pathlib import Path

HERE = Path(__file__).parent

def _step(name):
    with (HERE / "calls.txt").open("a") as file:
        file.write(name + "\\n")
    if (HERE / f"fail-{name}").exists():
        raise RuntimeError(f"{name} was told to fail")

def make(name, value=None):
    _step(name)
    return {"name": name, "value": value}

def join(inputs, name, value=None):
    _step(name)
    return {"name": name, "value": value, "of": [each["name"] for each in inputs]}
"""


class Book:
    """A place of its own for one runbook and what belongs to it."""

    def __init__(self, folder: Path, name: str = "book", store: RunStore | None = None) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self.path = folder / f"{name}.yaml"
        self.store = store or LocalFilesystemStore(folder / ".waivern")
        self.environ: dict[str, str] = {}
        (folder / "steps.py").write_text(STEPS)

    # writing

    def write(self, *artifacts: dict[str, Any], comment: str = "", **more: Any) -> None:
        merged = {name: one for each in artifacts for name, one in each.items()}
        text = json.dumps({"artifacts": merged, **more}, indent=2)
        self.path.write_text(f"# {comment}\n{text}\n")

    def fail(self, name: str, yes: bool = True) -> None:
        flag = self.folder / f"fail-{name}"
        if yes:
            flag.touch()
        else:
            flag.unlink()

    # running

    def options(self, **more: Any) -> RunOptions:
        return RunOptions(environ=self.environ, **more)

    async def start(self, options: RunOptions | None = None, **more: Any) -> RunResult:
        request = RunRequest(source=str(self.path), **more)
        return start(request, self.store, options or self.options())

    async def resume(self, run: str, options: RunOptions | None = None, **more: Any) -> RunResult:
        request = RunRequest(source=str(self.path), run=run, **more)
        return resume(request, self.store, options or self.options())

    def go_on(self, run: str, options: RunOptions | None = None, **more: Any) -> RunResult:
        """Resume from what the run kept."""
        return resume(RunRequest(run=run, **more), self.store, options or self.options())

    def approve(
        self,
        run: str,
        by: str = "ann",
        *,
        reject: bool = False,
        note: str | None = None,
        data: dict[str, Json] | None = None,
        clock: Clock | None = None,
        resume: bool = True,
        **more: Any,
    ) -> Decided:
        decision = Decision(not reject, by, note, data or {})
        options = self.options(clock=clock or Clock())
        request = RunRequest(run=run, **more)
        return approve(request, decision, self.store, options, resume=resume)

    def calls(self) -> Counter[str]:
        """Return how often each step was called since this was last asked."""
        file = self.folder / "calls.txt"
        called = Counter(file.read_text().split() if file.exists() else [])
        file.unlink(missing_ok=True)
        return called

    # looking

    def run(self, run_id: str) -> Path:
        return self.folder / ".waivern" / "runs" / run_id

    def document(self, run_id: str, name: str = "_system/run") -> dict[str, Json]:
        document: dict[str, Json] = json.loads((self.run(run_id) / f"{name}.json").read_text())
        return document

    def content(self, run_id: str, name: str) -> Json:
        return self.document(run_id, name)["content"]

    def events(self, run_id: str) -> list[Event]:
        return [from_record(line.record) for line in self.store.read_journal(run_id).lines]

    def files(self, run_id: str) -> dict[str, bytes]:
        run = self.run(run_id)
        found = (path for path in run.rglob("*") if path.is_file())
        return {str(path.relative_to(run)): path.read_bytes() for path in found}

    def history(self) -> list[dict[str, Json]]:
        text = (self.folder / ".waivern" / "runs.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]


def make(name: str, value: Json = None, **more: Any) -> dict[str, Any]:
    properties = {"call": "steps.py:make", "args": {"name": name, "value": value}}
    return {name: {"source": {"type": "python", "properties": properties}, **more}}


def join(name: str, *inputs: str, value: Json = None, **more: Any) -> dict[str, Any]:
    properties = {"call": "steps.py:join", "args": {"name": name, "value": value}}
    process = {"type": "python", "properties": properties}
    return {name: {"inputs": list(inputs), "process": process, **more}}


def gate(name: str, *shown: str, **more: Any) -> dict[str, Any]:
    return {name: {"gate": {"question": f"Is {name} well?", "show": list(shown), **more}}}


def reuse(name: str, from_run: str, artifact: str, **more: Any) -> dict[str, Any]:
    return {name: {"reuse": {"from_run": from_run, "artifact": artifact}, **more}}
