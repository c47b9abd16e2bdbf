"""A plain tree against the form of a runbook: the filled form, or all that keeps it from one."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Literal, TypeVar

from pydantic import ValidationError

from waivern.ids import RULE, collisions, segment_fault
from waivern.message import Json
from waivern.problems import Problem, shown
from waivern.runbook.codes import Code
from waivern.runbook.document import Document
from waivern.runbook.events import ENOUGH
from waivern.runbook.form import ArtifactForm, Form, RunbookForm, form_at

Path = tuple[str | int, ...]

NOT_YET: Mapping[Path, tuple[str, ...]] = {
    (): ("inputs", "outputs"),
    ("config",): ("cost_limit", "template_paths", "max_child_depth"),
    ("artifacts",): ("child_runbook", "execute"),
}
"""Keys that runbooks of the Waivern framework may have; the last row is for each artifact."""

_PRODUCERS = ("source", "inputs", "reuse")
_KINDS = {
    "string_type": (Code.TYPE, "must be text"),
    "bool_type": (Code.TYPE, "must be true or false"),
    "int_type": (Code.TYPE, "must be a whole number"),
    "list_type": (Code.TYPE, "must be a list"),
    "dict_type": (Code.TYPE, "must be a mapping"),
    "model_type": (Code.TYPE, "must be a mapping"),
    "missing": (Code.MISSING, "is missing"),
    "string_too_short": (Code.MISSING, "is empty"),
    "too_short": (Code.MISSING, "is empty"),
    "literal_error": (Code.VALUE, "can only be 'concatenate'"),
    "greater_than_equal": (Code.VALUE, "must be at least 1"),
}


def check(
    tree: Mapping[str, Json], document: Document, environ: Mapping[str, str]
) -> tuple[RunbookForm, list[Problem]]:
    """Return the form, filled with what is well formed, and the problems of shape and variables."""
    form, problems = _fill(RunbookForm, tree, (), document, environ)
    artifacts = tree.get("artifacts")
    filled: dict[str, ArtifactForm] = {}
    if isinstance(artifacts, dict):
        problems += islice(_ids(artifacts, document), ENOUGH)
        for id_, artifact in artifacts.items():
            at = ("artifacts", id_)
            one, found = _fill(ArtifactForm, artifact, at, document, environ)
            if isinstance(artifact, dict):
                found += _together(at, artifact, document)
            problems += found
            if one and not found and not segment_fault(id_):
                filled[id_] = one
            if len(problems) >= ENOUGH:
                break
    whole = form or RunbookForm.model_construct(artifacts={})
    return whole.model_copy(update={"artifacts": filled}), problems


F = TypeVar("F", bound=Form)


def _fill(
    kind: type[F], value: Json, at: Path, document: Document, environ: Mapping[str, str]
) -> tuple[F | None, list[Problem]]:
    try:
        return kind.model_validate(value, context={"environ": environ}), []
    except ValidationError as error:
        if (count := error.error_count()) > ENOUGH:
            message = f"{_place(at)} has {count:,} problems"
            return None, [document.problem(Code.LIMIT, message, at, on="key")]
        found = error.errors(include_url=False)
    return None, [problem for one in found for problem in _problems(one, at, document)]


def _problems(error: Any, at: Path, document: Document) -> Iterator[Problem]:
    """Say one of pydantic's errors in the words of a runbook."""
    path, kind = (*at, *error["loc"]), error["type"]
    if kind == "runbook":
        for below, code, message, hint in error["ctx"]["details"]:
            there = (*path, *below)
            yield document.problem(code, message.replace("{}", _name(there)), there, hint=hint)
    elif kind == "extra_forbidden":
        yield _unknown(path, document)
    else:
        code, message = _KINDS[kind]
        there = path[:-1] if kind == "missing" else path
        on: Literal["key", "value"] = "key" if code is Code.MISSING else "value"
        yield document.problem(
            code, f"{_name(path)} {message}", there, on=on, hint=_advice(kind, error["input"])
        )


def _advice(kind: str, value: Json) -> str | None:
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if kind == "bool_type" and isinstance(value, str):
        return "write true or false, without quotes"
    return None


def _unknown(path: Path, document: Document) -> Problem:
    *around, key = path
    where = tuple(around[:1]) if len(around) == 2 else tuple(around)
    if key in NOT_YET.get(where, ()):
        message = f"{_name(path)} is not supported yet"
        return document.problem(Code.NOT_YET, message, path, on="key")
    form = form_at(around)
    allowed = list(form.model_fields) if form else []
    close = difflib.get_close_matches(str(key)[:40], allowed, n=1)
    hint = f"allowed here: {', '.join(allowed)}"
    if close:
        hint = f"did you mean {close[0]!r}? {hint}"
    message = f"unknown key {shown(str(key))} in {_place(tuple(around))}"
    return document.problem(Code.UNKNOWN_KEY, message, path, on="key", hint=hint)


def _name(path: Path) -> str:
    """Return how a person would call what is at `path`."""
    *around, last = path
    if isinstance(last, int):
        return f"item {last + 1} of {_name(tuple(around))}"
    if len(path) == 2 and path[0] == "artifacts":
        return f"artifact {shown(last)}"
    return f"{shown(last)} of {_place(tuple(around))}" if around else shown(last)


def _place(path: Path) -> str:
    return _name(path) if path else "the runbook"


def _ids(artifacts: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    for id_ in artifacts:
        if fault := segment_fault(id_):
            message = f"the artifact id {shown(id_)} {fault}"
            at = ("artifacts", id_)
            yield document.problem(
                Code.ARTIFACT_ID, message, at, on="key", hint=f"an id has {RULE}"
            )
    for earlier, later in collisions(artifacts):
        message = f"the artifact ids {shown(earlier)} and {shown(later)} differ only in case"
        hint = "some file systems hold them for the same name: rename one"
        at = ("artifacts", later)
        yield document.problem(Code.ARTIFACT_ID, message, at, on="key", hint=hint)


def _together(at: Path, artifact: Mapping[str, Json], document: Document) -> Iterator[Problem]:
    """Yield what is wrong with the keys of an artifact beside each other."""
    given = [key for key in artifact if key in _PRODUCERS and artifact[key] is not None]
    processed = artifact.get("process") is not None
    if not given and artifact.keys() <= ArtifactForm.model_fields.keys():
        message = f"{_name(at)} does not say where it comes from"
        hint = "give it one of source, inputs (with or without process) or reuse"
        yield document.problem(Code.MISSING, message, at, on="key", hint=hint)
    for key in given[1:]:
        message = f"{_name(at)} has both {given[0]!r} and {key!r}"
        hint = "an artifact comes from one of source, inputs or reuse"
        yield document.problem(Code.CONFLICT, message, (*at, key), on="key", hint=hint)
    if processed and given and "inputs" not in given:
        message = f"'process' of {_name(at)} has no 'inputs' to work on"
        hint = "give the artifact 'inputs', or take 'process' away"
        yield document.problem(Code.CONFLICT, message, (*at, "process"), on="key", hint=hint)
    inputs = artifact.get("inputs")
    several = isinstance(inputs, list) and len(inputs) > 1
    if artifact.get("merge") is not None and (processed or not several):
        message = f"'merge' of {_name(at)} has nothing to do"
        hint = "it says how several inputs become one where there is no process"
        yield document.problem(Code.CONFLICT, message, (*at, "merge"), on="key", hint=hint)
