"""The file of a runbook, as runs of it are recognised: by its place beside the store, or its path.

A project that is moved or copied together with its store keeps its history, because places are
relative to the folder that the store lies in.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

from waivern.errors import WaivernError
from waivern.files import current_folder
from waivern.message import Json
from waivern.store.base import RunStore
from waivern.yamldoc.document import YamlDocument


class RecordedRunbook(Protocol):
    """The record of a run's runbook: the head of the run, or an entry of the index."""

    @property
    def run_id(self) -> str: ...
    @property
    def runbook_name(self) -> str: ...
    @property
    def runbook_path(self) -> str | None: ...
    @property
    def runbook_hash(self) -> str: ...
    @property
    def attempts(self) -> list[dict[str, Json]]: ...


class RunbookFile(NamedTuple):
    """A runbook, apart from what its file holds at the moment."""

    name: str
    """The identity of a runbook that was created in Python; ignored for one from a file."""
    digest: str
    path: str | None
    """The absolute path of the file, links resolved; None if it was created in Python."""
    placed: bool = False
    """Whether the path follows from its place beside the store."""

    @property
    def key(self) -> tuple[str, str]:
        """The identity that all versions of one runbook share."""
        return ("name", self.name) if self.path is None else ("path", self.path)

    @property
    def shown(self) -> str:
        """Return what names it in a message: its path, as short as from the current folder."""
        if self.path is None:
            return f"{self.name} (made in Python)"
        path, here = Path(self.path), current_folder()
        return str(path.relative_to(here)) if path.is_relative_to(here) else self.path

    def same_as(self, other: RunbookFile) -> bool:
        """Return whether both are one runbook, perhaps edited; equal bytes suffice."""
        return self.digest == other.digest or self.key == other.key


def of_document(document: YamlDocument, name: str) -> RunbookFile:
    """Return the file that a runbook was read from."""
    if document.path is None:
        return RunbookFile(name, document.digest, None)
    return RunbookFile(name, document.digest, file_in(str(document.folder), document.path))


def of_run(store: RunStore, run: RecordedRunbook) -> RunbookFile:
    """Return the file that the last attempt at a run read its runbook from."""
    if run.runbook_path is None:
        return RunbookFile(run.runbook_name, run.runbook_hash, None)
    last = run.attempts[-1] if run.attempts else {}
    beside = beside_store(store)
    if beside and (place := last.get("place")):
        folder, placed = str(Path(beside) / str(place)), True
    else:
        folder, placed = str(last.get("base") or _recorded_base(store, run) or beside or ""), False
    path = file_in(folder, run.runbook_path)
    return RunbookFile(run.runbook_name, run.runbook_hash, path, placed)


def file_in(folder: str, path: str) -> str:
    """Return where a runbook that was typed as `path` lies if its folder is `folder`."""
    return str(Path(os.path.realpath(folder)) / Path(path).name)


def beside_store(store: RunStore) -> str | None:
    """Return the folder that a store lies in; None if it is not on a disk."""
    return os.path.realpath(Path(store.folder).parent) if store.folder else None


def place_of(folder: str, store: RunStore) -> str | None:
    """Return a folder relative to the one that the store lies in; None if it is not below it."""
    beside = beside_store(store)
    if beside is None:
        return None
    place = os.path.relpath(os.path.realpath(folder), beside)
    return None if Path(place).parts[:1] == (os.pardir,) else place


def _recorded_base(store: RunStore, run: RecordedRunbook) -> str | None:
    """Return the folder in the first line of a journal, where `run.json` does not have it."""
    with suppress(WaivernError):
        for line in store.read_journal(run.run_id).lines[:1]:
            return str(line.record.get("base"))
    return None
