"""A project whose connector lists folders of notes: what its runs find, and take from earlier ones.

Each test module adds the processor that reads the notes, as `found`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from waivern import Runbook, RunResult, load, run
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.store.local import LocalFilesystemStore

NOTES = """\
import hashlib
from pydantic import BaseModel
from waivern import SchemaRef

class Notes:
    "Notes in a folder; how they are read does not appear in their entries, and may go wrong."
    name, version, produces = "notes", "1.0.0", SchemaRef("notes")
    streams, repeatable = "notes", True
    class Config(BaseModel, extra="forbid"):
        folder: str
        order: int = 1
        style: str = "lower"
        label: str = ""
        mode: str = "plain"
    def catalogue(self, config, ctx):
        for path in sorted(ctx.path(config.folder).glob("*.txt"))[::config.order]:
            data = path.read_bytes()
            ctx.read(size=len(data))
            digest = hashlib.sha256(data).hexdigest()
            yield {"name": path.name, "size": len(data), "digest": digest}
    def read(self, config, ctx, entries):
        if config.mode == "ends at once":
            return
        if config.mode == "reads ahead":
            entries = list(entries)
        for entry in entries:
            text = (ctx.path(config.folder) / entry["name"]).read_text()
            text = getattr(text, config.style)().strip()
            if config.mode == "yields two":
                yield {"name": entry["name"], "text": "a first one"}
            if config.mode == "leaves out" and entry["name"] == "1.txt":
                continue
            if config.mode == "parts":
                for word in text.split()[:-1]:
                    yield {"name": entry["name"], "text": word, "more": True}
                text = text.split()[-1]
            yield {"name": entry["name"], "text": text}
    def extract(self, config, ctx):
        yield from self.read(config, ctx, self.catalogue(config, ctx))

connector = Notes()
"""


class NotesProject:
    """A folder with a store, the connector of notes, and one more component."""

    def __init__(self, folder: Path, name: str, component: str) -> None:
        self.folder = folder
        self.store = LocalFilesystemStore(folder / ".waivern")
        (folder / "waivern.yaml").write_text("component_paths: [components]\n")
        (folder / "components").mkdir()
        self.add("notes", NOTES)
        self.add(name, component)

    def add(self, name: str, component: str) -> None:
        (self.folder / "components" / f"{name}.py").write_text(component)

    def book(self, artifacts: str) -> Runbook:
        (self.folder / "x.yaml").write_text(f"artifacts:\n{artifacts}")
        return load(self.folder / "x.yaml")

    def run_book(self, artifacts: str, **options: Any) -> RunResult:
        book = self.book(artifacts)
        return run(book, store=self.store, project_root=self.folder, **options)


def found(result: RunResult) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = result.artifacts["found"].message().content["found"]
    return records


def completed(result: RunResult) -> ArtifactCompletedRecord:
    record = result.record.steps["found"].completed
    assert record is not None
    return record


def taken(result: RunResult) -> int:
    """Return how many items were taken from an earlier run."""
    return int((completed(result).items or {}).get("taken", 0))
