"""Messages about the shape of a runbook: errors of pydantic in the words of runbooks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from waivern.diagnostics import Diagnostic, did_you_mean, shown
from waivern.language.keys import Model, keys, model_at
from waivern.language.models import Runbook
from waivern.language.validation_kinds import KINDS
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode

Path = tuple[str | int, ...]


def in_words(
    error: Any, at: Path, document: YamlDocument, root: type[Model] = Runbook
) -> Iterator[Diagnostic]:
    """Express one of pydantic's errors in the words of runbooks; `root` is the file's model."""
    path, kind = (*at, *error["loc"]), error["type"]
    if kind == "runbook":
        for below, code, message, hint in error["ctx"]["details"]:
            there = (*path, *below)
            yield document.problem(code, message.replace("{}", name(there)), there, hint=hint)
    elif kind == "extra_forbidden":
        yield _unknown(path, document, root)
    else:
        code, text = KINDS.get(kind, (RunbookCode.TYPE, "has the wrong form"))
        message = text.format(**error.get("ctx", {}))
        there = path[:-1] if kind == "missing" else path
        on: Literal["key", "value"] = "key" if code is RunbookCode.MISSING else "value"
        yield document.problem(
            code,
            f"{name(path)} {message}",
            there,
            on=on,
            hint=_advice(kind, error["input"], path, root),
        )


def _example(path: Path, root: type[Model]) -> str | None:
    """Return a hint that shows how the mapping at a path may look."""
    if path[:1] == ("params",):
        path = ("params",)
    elif len(path) == 2 and path[0] == "artifacts":
        path = (*path, "source")
    model = model_at(root, path[:-1])
    key = keys(model).get(str(path[-1])) if model else None
    return f"write it as `{path[-1]}: {key.example}`" if key and key.example else None


def _advice(kind: str, value: Json, path: Path, root: type[Model]) -> str | None:
    if kind in ("dict_type", "model_type", "runbook") and path:
        return _example(path, root)
    if kind == "missing" and (example := _example(path if len(path) == 1 else path[:-1], root)):
        return example
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if kind == "bool_type":
        return "write true or false, without quotes"
    return None


def _unknown(path: Path, document: YamlDocument, root: type[Model]) -> Diagnostic:
    *around, key = path
    model = model_at(root, tuple(around))
    if hint := getattr(model, "unsupported", {}).get(str(key)):
        message = f"{name(path)} is not supported"
        return document.problem(RunbookCode.NOT_YET, message, path, on="key", hint=hint)
    if ":" in str(key):
        hint = f"put a space after the ':', as in `{str(key).partition(':')[0]}: …`"
        message = f"unknown key {shown(str(key))} in {_around(tuple(around), root)}"
        return document.problem(RunbookCode.UNKNOWN_KEY, message, path, on="key", hint=hint)
    allowed = list(keys(model)) if model else []
    moved = "put it under 'properties'." if "properties" in allowed else None
    meant = did_you_mean(str(key), allowed)
    hints = (meant or moved, f"allowed here: {', '.join(allowed)}")
    message = f"unknown key {shown(str(key))} in {_around(tuple(around), root)}"
    hint = " ".join(filter(None, hints))
    return document.problem(RunbookCode.UNKNOWN_KEY, message, path, on="key", hint=hint)


def name(path: Path) -> str:
    """Return the words for the value at `path`."""
    *around, last = path
    if isinstance(last, int):
        return f"item {last + 1} of {name(tuple(around))}"
    if len(path) == 2 and path[0] == "artifacts":
        return f"artifact {shown(last)}"
    return f"{shown(last)} of {place(tuple(around))}" if around else shown(last)


def _around(path: Path, root: type[Model]) -> str:
    return place(path) if path or root is Runbook else "the project file"


def place(path: Path) -> str:
    return name(path) if path else "the runbook"
