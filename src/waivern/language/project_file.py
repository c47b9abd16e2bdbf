"""Reading of the project file `waivern.yaml`, as far as a list of runs needs it.

Without pydantic: `wct runs` needs one key, the place of the store, and pydantic would cost more
than all the rest (ADR 9). `project` reads the whole file.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from waivern.diagnostics import Diagnostic, InvalidError, Position, Span, shown
from waivern.files import absolute, at_home, open_file
from waivern.language.store_url import fault, store_url
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.tree import read
from waivern.yamldoc.yaml_events import MAX_BYTES, YamlStop, decode, problem_at


class StorePath(NamedTuple):
    """The store in a project file; nothing if the file chooses none."""

    url: str | None = None
    """An absolute path, or a URL."""
    position: Position | None = None


def store_path(path: str, called: str) -> StorePath | None:
    """Return what the file at `path` says of the store; None if the whole file must be checked.

    Raises InvalidError if the file cannot be read.
    """
    document = YamlDocument(called, Path(absolute(path)).parent, read_bytes(path, called))
    tree, faults = read_tree(document.data)
    persistence = {} if tree.get("persistence") is None else tree["persistence"]
    if faults or not isinstance(persistence, dict):
        return None
    if persistence.get("enabled") not in (None, True):
        return None  # it is off, or wrong: few lists are of such a project
    backend, written, url = (persistence.get(key) for key in ("backend", "path", "url"))
    if backend not in (None, "filesystem", "sqlite"):
        return None  # the whole file may be read for a store that is asked over a network
    if any(value is not None and path_fault(value) is not None for value in (written, url)):
        return None
    if fault(backend, written, url) is not None:
        return None
    key = next((each for each in ("path", "url", "backend") if persistence.get(each)), None)
    if key is None:
        return StorePath()
    at = document.problem(RunbookCode.VALUE, "", ("persistence", key), on="key").position
    whole = None if written is None else below(document, written)
    return StorePath(store_url(str(document.folder), backend, whole, url), at)


def path_fault(value: Json) -> tuple[RunbookCode, str, str | None] | None:
    """Return (code, message, hint) of what is wrong with a path in a project file."""
    if not isinstance(value, str):
        quoted = None if isinstance(value, list | dict) else "put it in quotes"
        return RunbookCode.TYPE, "{} must be text", quoted
    if not value:
        return RunbookCode.MISSING, "{} is empty", None
    if not value.isprintable():
        return RunbookCode.VALUE, "{} must be one line without control characters", None
    if "${" in value:
        hint = "only texts in components' properties can; WAIVERN_STORE says where the store is"
        return RunbookCode.VALUE, "{} cannot have a variable of the environment", hint
    return None


def below(document: YamlDocument, path: str) -> str:
    """Return a path of the file as an absolute one."""
    return str(document.folder / at_home(path))


def read_bytes(path: str, called: str) -> bytes:
    """Return the bytes of the file. Raises InvalidError if it is not one that can be read."""
    try:
        with open_file(path) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot read {shown(called)}: {error.strerror or type(error).__name__}"
    hint = "it is the project file of this folder: correct it, or move it"
    raise InvalidError([Diagnostic(RunbookCode.UNREADABLE, message, hint=hint)])


def read_tree(data: bytes) -> tuple[dict[str, Json], list[Diagnostic]]:
    """Return the top-level mapping, empty if there is none, and the problems of its text."""
    try:
        tree, faults = read(decode(data))
    except YamlStop as stop:
        return {}, [stop.problem]
    if isinstance(tree, dict):
        return tree, faults
    if tree is not None and not faults:
        message = "a project file must be a mapping"
        faults = [
            problem_at(RunbookCode.TYPE, message, Span(0, 0, 0, 0), "begin with 'persistence:'")
        ]
    return {}, faults
