"""The shape of a project file as written: what may be said where."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import islice
from typing import TypeAlias

from waivern.diagnostics import Diagnostic, did_you_mean, shown
from waivern.language import template
from waivern.language.age import FORMS, parse_age
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.yaml_events import ENOUGH

Path: TypeAlias = tuple[str | int, ...]
Detail: TypeAlias = tuple[Path, RunbookCode, str, str | None]
"""Path, code, message with {} for the name of what is there, hint."""
Rule: TypeAlias = Callable[[Json], Iterator[Detail]]
Form: TypeAlias = Mapping[str, "Rule | Form"]


def check(
    tree: Mapping[str, Json], document: YamlDocument, statuses: Collection[str]
) -> list[Diagnostic]:
    """Return what is wrong with the shape; `statuses` are those that a run can have."""
    found = _faults(tree, _form(statuses), ())
    return [_placed(detail, document) for detail in islice(found, ENOUGH)]


def listed(value: Json) -> list[Json]:
    """Return the items of what may be one item or a list of them."""
    return value if isinstance(value, list) else [value]


def _form(statuses: Collection[str]) -> Form:
    return {
        "persistence": {
            "enabled": _flag,
            "backend": _one_of("filesystem", "memory"),
            "path": _text,
        },
        "max_concurrency": _count(1),
        "executor": _text,
        "retention": {
            "keep_last": _count(0),
            "older_than": _age,
            "status": _each(_one_of(*statuses)),
            "keep_failed": _flag,
        },
        "components": _components,
        "component_paths": _paths,
        "cache": _flag,
        "on_error": _one_of("skip", "continue", "fail"),
    }


def _faults(tree: Mapping[str, Json], form: Form, at: Path) -> Iterator[Detail]:
    for key, value in tree.items():
        rule = form.get(key)
        if rule is None:
            yield (
                (*at, key),
                RunbookCode.UNKNOWN_KEY,
                f"unknown key {shown(key)}",
                _allowed(key, form),
            )
        elif value is None:
            continue
        elif not isinstance(rule, Mapping):
            yield from _below((*at, key), rule(value))
        elif isinstance(value, dict):
            yield from _faults(value, rule, (*at, key))
        else:
            yield (*at, key), RunbookCode.TYPE, "{} must be a mapping", None


def _below(at: Path, details: Iterator[Detail]) -> Iterator[Detail]:
    for below, code, message, hint in details:
        yield (*at, *below), code, message, hint


def _placed(detail: Detail, document: YamlDocument) -> Diagnostic:
    at, code, message, hint = detail
    if code is RunbookCode.UNKNOWN_KEY:
        place = _name(at[:-1]) if at[:-1] else "the project file"
        return document.problem(code, f"{message} in {place}", at, on="key", hint=hint)
    return document.problem(code, message.replace("{}", _name(at)), at, hint=hint)


def _name(at: Path) -> str:
    *around, last = at
    if isinstance(last, int):
        return f"item {last + 1} of {_name(tuple(around))}"
    return f"{shown(last)} of {_name(tuple(around))}" if around else shown(last)


def _allowed(key: str, form: Form) -> str:
    allowed = f"allowed here: {', '.join(form)}"
    meant = did_you_mean(key, form)
    return f"{meant} {allowed}" if meant else allowed


def _flag(value: Json) -> Iterator[Detail]:
    if not isinstance(value, bool):
        hint = "write true or false, without quotes"
        yield (), RunbookCode.TYPE, "{} must be true or false", hint


def _count(least: int) -> Rule:
    def whole(value: Json) -> Iterator[Detail]:
        if type(value) is not int:
            yield (), RunbookCode.TYPE, "{} must be a whole number", None
        elif value < least:
            yield (), RunbookCode.VALUE, f"{{}} must be at least {least}", None

    return whole


def _text(value: Json) -> Iterator[Detail]:
    if not isinstance(value, str):
        quoted = None if isinstance(value, list | dict) else "put it in quotes"
        yield (), RunbookCode.TYPE, "{} must be text", quoted
    elif not value:
        yield (), RunbookCode.MISSING, "{} is empty", None
    elif not value.isprintable():
        message = "{} must be one line without control characters"
        yield (), RunbookCode.VALUE, message, None
    elif "${" in value:
        hint = "only texts in components' properties can; WAIVERN_STORE says where the store is"
        yield (), RunbookCode.VALUE, "{} cannot have a variable of the environment", hint


def _one_of(*words: str) -> Rule:
    def word(value: Json) -> Iterator[Detail]:
        faults = list(_text(value))
        yield from faults
        if not faults and value not in words:
            yield (), RunbookCode.VALUE, f"{{}} can only be {', '.join(words)}", None

    return word


def _age(value: Json) -> Iterator[Detail]:
    if not isinstance(value, str) or parse_age(value) is None:
        yield (), RunbookCode.VALUE, "{} must be an age", f"as {FORMS}"


def _each(one: Rule) -> Rule:
    def all_of_them(value: Json) -> Iterator[Detail]:
        for number, item in enumerate(listed(value)):
            at = (number,) if isinstance(value, list) else ()
            yield from _below(at, one(item))

    return all_of_them


def _paths(value: Json) -> Iterator[Detail]:
    if isinstance(value, list):
        yield from _each(_text)(value)
    else:
        yield (), RunbookCode.TYPE, "{} must be a list", None


def _components(value: Json) -> Iterator[Detail]:
    if not isinstance(value, dict):
        yield (), RunbookCode.TYPE, "{} must be a mapping", "of components to their properties"
        return
    for name, properties in value.items():
        if not isinstance(properties, dict | None):
            yield (name,), RunbookCode.TYPE, "{} must be a mapping", "of properties to their values"
        for below, code, message, hint in template.faults(properties, {}):
            if code is RunbookCode.VARIABLE_SYNTAX:  # whether it is set matters where it is used
                yield (name, *below), code, message, hint
