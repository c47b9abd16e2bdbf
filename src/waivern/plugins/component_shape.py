"""The check that a loaded entry has the shape of its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import BaseModel

from waivern.kinds import Kind
from waivern.message import SchemaRef


def faults(kind: Kind, component: object) -> list[str]:
    """Return why an object is not an entry of this kind; its attributes may raise anything."""
    found = []
    required = {attribute: CHECKS[check] for attribute, check in kind.shape.items()}
    for attribute, (fits, description) in {**required, **_OPTIONAL}.items():
        try:
            value = getattr(component, attribute, _ABSENT)
            fitting = value is not _ABSENT and fits(value)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - a property may raise anything
            found.append(f"{attribute!r} raises {type(error).__name__}: {error}")
            continue
        if value is _ABSENT:
            found += [] if attribute in _OPTIONAL else [f"{attribute!r} is missing"]
        elif not fitting:
            found.append(f"{attribute!r} is not {description}")
    return found


_ABSENT = object()


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _is_model(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _is_schema(value: object) -> bool:
    return isinstance(value, SchemaRef)


def _is_schema_or_none(value: object) -> bool:
    return value is None or _is_schema(value)


def _is_schemas_or_none(value: object) -> bool:
    return value is None or (isinstance(value, tuple) and all(map(_is_schema, value)))


def _is_texts(value: object) -> bool:
    if isinstance(value, str) or not isinstance(value, Sequence):
        return False
    return all(map(_is_text, value))


def _is_retry(value: object) -> bool:
    """Return whether it can be read like `retry` in a runbook, lengths of time being seconds."""
    if not value:
        return value is None or isinstance(value, Mapping)
    if not isinstance(value, Mapping) or "max" not in value:
        return False
    return all(key in _RETRY and _RETRY[key](each) for key, each in value.items())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 1000


def _is_seconds(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1e9


_RETRY: dict[str, Callable[[object], bool]] = {
    "max": _is_count,
    "on": lambda value: _is_text(value) or _is_texts(value),
    "delay": _is_seconds,
    "max_delay": _is_seconds,
}
_Rule = tuple[Callable[[object], bool], str]
CHECKS: dict[str, _Rule] = {
    "text": (_is_text, "text"),
    "model": (_is_model, "a pydantic model"),
    "method": (callable, "a method"),
    "schema": (_is_schema, "a SchemaRef"),
    "schema?": (_is_schema_or_none, "a SchemaRef, or None"),
    "schemas?": (_is_schemas_or_none, "a tuple of SchemaRef, or None"),
}
"""The checks that the `shape` of a kind can name: the test, and what it requires."""
_OPTIONAL: dict[str, _Rule] = {
    "outputs": (_is_texts, "a tuple of texts"),
    "requires": (_is_texts, "a tuple of texts"),
    "retry": (_is_retry, "a mapping of 'max' (1 to 1000), 'on', 'delay' and 'max_delay' (seconds)"),
}
