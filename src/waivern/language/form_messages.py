"""What is wrong with the form of a runbook, in words for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from waivern.diagnostics import Diagnostic, did_you_mean, shown
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode

Path = tuple[str | int, ...]

NEVER: Mapping[Path, Mapping[str, str]] = {
    ("config",): {"cost_limit": "nothing here has a price: take it away"},
    ("artifacts",): {"execute": "a child is made within its parent's run: see 'timeout'"},
}
"""Keys that runbooks of the Waivern framework may have; the last row is for each artifact."""

KINDS = {
    "string_type": (RunbookCode.TYPE, "must be text"),
    "bool_type": (RunbookCode.TYPE, "must be true or false"),
    "int_type": (RunbookCode.TYPE, "must be a whole number"),
    "list_type": (RunbookCode.TYPE, "must be a list"),
    "dict_type": (RunbookCode.TYPE, "must be a mapping"),
    "model_type": (RunbookCode.TYPE, "must be a mapping"),
    "missing": (RunbookCode.MISSING, "is missing"),
    "string_too_short": (RunbookCode.MISSING, "is empty"),
    "too_short": (RunbookCode.MISSING, "is empty"),
    "literal_error": (RunbookCode.VALUE, "can only be {expected}"),
    "greater_than_equal": (RunbookCode.VALUE, "must be at least {ge}"),
    "less_than_equal": (RunbookCode.VALUE, "must be at most {le}"),
}
"""What pydantic calls what is wrong: its code, and in the words of a runbook what it should be."""


def in_words(error: Any, at: Path, document: YamlDocument) -> Iterator[Diagnostic]:
    """Say one of pydantic's errors in the words of a runbook."""
    path, kind = (*at, *error["loc"]), error["type"]
    if kind == "runbook":
        for below, code, message, hint in error["ctx"]["details"]:
            there = (*path, *below)
            yield document.problem(code, message.replace("{}", name(there)), there, hint=hint)
    elif kind == "extra_forbidden":
        yield _unknown(path, document)
    else:
        code, text = KINDS.get(kind, (RunbookCode.TYPE, "has the wrong form"))
        message = text.format(**error.get("ctx", {}))
        there = path[:-1] if kind == "missing" else path
        on: Literal["key", "value"] = "key" if code is RunbookCode.MISSING else "value"
        yield document.problem(
            code, f"{name(path)} {message}", there, on=on, hint=_advice(kind, error["input"], path)
        )


_EXAMPLES = {
    "source": "source: {type: filesystem, properties: {path: data}}",
    "process": "process: {type: personal_data}",
    "reuse": "reuse: {from_run: '@last', artifact: findings}",
    "child_runbook": "child_runbook: {path: child.yaml, output: findings}",
    "gate": "gate: {question: 'May this go out?', show: findings}",
    "retry": "retry: {max: 3}",
    "repeat": "repeat: {until: 'count(result.open) == 0', max: 5}",
    "params": "params: {region: {type: string, default: eu}}",
    "artifacts": "artifacts: {files: {source: {type: filesystem, properties: {path: data}}}}",
    "config": "config: {max_concurrency: 4}",
    "properties": "properties: {path: data}",
}
"""What a mapping looks like, by its key."""


def _advice(kind: str, value: Json, path: Path) -> str | None:
    if kind in ("dict_type", "model_type", "runbook") and path:
        inner = {"artifacts": "source", "params": "params"}.get(str(path[0]))
        key = inner if len(path) == 2 and inner else str(path[-1])
        return f"write it as `{_EXAMPLES[key]}`" if key in _EXAMPLES else None
    if kind == "missing" and (
        example := _EXAMPLES.get(str(path[-1] if len(path) == 1 else path[-2]))
    ):
        return f"write it as `{example}`"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if kind == "bool_type" and isinstance(value, str):
        return "write true or false, without quotes"
    return None


def _unknown(path: Path, document: YamlDocument) -> Diagnostic:
    *around, key = path
    where = tuple(around[:1]) if len(around) == 2 else tuple(around)
    if hint := NEVER.get(where, {}).get(str(key)):
        message = f"{name(path)} is not supported"
        return document.problem(RunbookCode.NOT_YET, message, path, on="key", hint=hint)
    if ":" in str(key):
        hint = f"put a space after the ':', as in `{str(key).partition(':')[0]}: …`"
        message = f"unknown key {shown(str(key))} in {place(tuple(around))}"
        return document.problem(RunbookCode.UNKNOWN_KEY, message, path, on="key", hint=hint)
    form = form_at(around)
    allowed = list(form.model_fields) if form else []
    moved = "put it under 'properties'." if "properties" in allowed else None
    meant = did_you_mean(str(key), allowed)
    hints = (meant or moved, f"allowed here: {', '.join(allowed)}")
    message = f"unknown key {shown(str(key))} in {place(tuple(around))}"
    hint = " ".join(filter(None, hints))
    return document.problem(RunbookCode.UNKNOWN_KEY, message, path, on="key", hint=hint)


def name(path: Path) -> str:
    """Return how a person would call what is at `path`."""
    *around, last = path
    if isinstance(last, int):
        return f"item {last + 1} of {name(tuple(around))}"
    if len(path) == 2 and path[0] == "artifacts":
        return f"artifact {shown(last)}"
    return f"{shown(last)} of {place(tuple(around))}" if around else shown(last)


def place(path: Path) -> str:
    return name(path) if path else "the runbook"


def form_at(path: Sequence[str | int]) -> Any:
    """Return the form of the mapping at a path; None where keys are free."""
    from waivern.language.parts import form_at as found  # most runbooks have none of what is there

    return found(path)
