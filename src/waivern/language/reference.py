"""Reference of the keys of runbooks and project files: tables, and a JSON Schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from waivern.language.keys import Key, Model, Words, has_entries, keys, model_of
from waivern.language.models import Runbook
from waivern.language.project import Project
from waivern.message import Json

_PARAMETER: Json = {"type": "string", "pattern": r"^\$\{(params|each)\b"}
"""A reference, which a runbook may have in place of a value that is no text."""


def json_schema() -> dict[str, Json]:
    """Return the JSON Schema of a runbook."""
    schema = Runbook.model_json_schema()
    for name in ("artifacts", "outputs", "config"):
        _allow_parameters(schema["properties"][name])
    for model in schema["$defs"].values():
        _allow_parameters(model)
    plain: dict[str, Json] = _plain(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **plain,
        "title": "Waivern runbook",
    }


def _allow_parameters(schema: dict[str, Any]) -> None:
    """Allow a reference to a parameter in place of each value that is no text."""
    entries = schema.get("additionalProperties")
    if isinstance(entries, dict) and "properties" in entries:
        _allow_parameters(entries)
    properties = schema.get("properties", {})
    for name, value in properties.items():
        _allow_parameters(value)
        if not _takes_text(value):
            about = value.pop("description", None)
            either = {"anyOf": [value, _PARAMETER]}
            properties[name] = {"description": about, **either} if about else either


def _takes_text(schema: Mapping[str, Any]) -> bool:
    types = schema.get("type", ())
    if "string" in ([types] if isinstance(types, str) else types):
        return True
    if "anyOf" in schema:
        return any(map(_takes_text, schema["anyOf"]))
    return "type" not in schema and "$ref" not in schema


def _plain(schema: Any) -> Any:
    """Return a schema without titles, which repeat names, and without defaults that are null."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _plain(each) for name, each in value.items()}
        if key in ("properties", "$defs")
        else _plain(value)
        for key, value in schema.items()
        if not (key == "title" and isinstance(value, str))
        and not (key == "default" and value is None)
    }


def tables() -> str:
    """Return the tables of all keys in Markdown, a section for each mapping."""
    models = [
        *_models(Runbook, "A runbook", set()),
        *_models(Project, "The project file `waivern.yaml`", set()),
    ]
    return "\n".join(_section(*each) for each in models)


def _models(
    model: type[Model], title: str, seen: set[type[Model]]
) -> Iterator[tuple[str, type[Model]]]:
    """Yield each model once, after the title of its section, in the order of the keys."""
    seen.add(model)
    yield title, model
    for name, field in model.model_fields.items():
        below = model_of(field.annotation)
        if below and below not in seen:
            yield from _models(below, _title(name, field), seen)


def _title(name: str, field: FieldInfo) -> str:
    return f"An entry of `{name}`" if has_entries(field) else f"`{name}`"


def _section(title: str, model: type[Model]) -> str:
    rows = [_row(name, model.model_fields[name], key) for name, key in keys(model).items()]
    head = ["| key | type | default | meaning |", "|---|---|---|---|"]
    return "\n".join([f"## {title}\n", *head, *rows, ""])


def _row(name: str, field: FieldInfo, key: Key) -> str:
    below = model_of(field.annotation)
    type_ = key.type or _words(field.annotation, [*field.metadata])
    if below:
        type_ = f"[{type_}](#{_anchor(_title(name, field))})"
    rest = ""
    if key.excludes:
        rest = f"; not beside {' and '.join(f'`{each}`' for each in key.excludes)}"
    return f"| `{name}` | {type_} | {_default(field, key)} | {key.meaning}{rest} |"


def _anchor(title: str) -> str:
    """Return the anchor that a heading has where Markdown is shown."""
    return re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")


def _default(field: FieldInfo, key: Key) -> str:
    if key.default is not None:
        return key.default
    if field.is_required():
        return "required"
    value = field.default
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) and value:
        return f"`{value}`" if get_origin(field.annotation) is Literal else value
    if isinstance(value, float | int):
        return f"{value:g}"
    return "empty" if isinstance(value, dict | tuple) else ""


def _words(annotation: Any, metadata: list[Any]) -> str:
    """Return the words for a type; the nearest mark decides."""
    if words := [each.text for each in metadata if isinstance(each, Words)]:
        return words[-1]
    inner = [each for each in get_args(annotation) if each is not type(None)]
    origin = get_origin(annotation)
    if hasattr(annotation, "__metadata__"):
        return _words(inner[0], list(annotation.__metadata__))
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in inner)
    if origin is dict:
        return "mapping"
    if len(inner) == 1:  # optional
        return _words(inner[0], metadata)
    if annotation is int:
        return " ".join(["number", *_bounds(metadata)])
    return {bool: "boolean", str: "text"}.get(annotation, "mapping")


def _bounds(metadata: list[Any]) -> Iterator[str]:
    for each in metadata:
        for bound in getattr(each, "metadata", [each]):
            if hasattr(bound, "ge"):
                yield f"from {bound.ge}"
            elif hasattr(bound, "le"):
                yield f"to {bound.le}"
