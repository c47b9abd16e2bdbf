"""The JSON Schema of runbooks with the components of a project, for editors.

The keys are those of the language. Each installed component adds its own properties, which apply
where its name stands under `type`. A component in a folder of the project is named, and its
properties are free: to know them, its code would have to run.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from waivern.errors import WaivernError
from waivern.language.reference import json_schema
from waivern.message import Json

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.plugins.catalogue import Catalogue

_SPECS = {"connectors": "SourceSpec", "processors": "ProcessSpec"}
"""The kind of component to the definition in the schema that names one."""
_REFERENCE: Json = {"type": "string", "pattern": r"\$\{"}
"""A value with a variable or a parameter in it, which is known when the work runs."""


class RunbookSchema(NamedTuple):
    """The schema, and the components whose properties it does not have, with the reasons."""

    document: dict[str, Json]
    faults: tuple[WaivernError, ...]


def runbook_schema(catalogue: Catalogue, project: Project | None) -> RunbookSchema:
    """Return the schema of runbooks that name the components of this catalogue."""
    document: dict[str, Any] = json_schema()
    definitions = document["$defs"]
    faults: list[WaivernError] = []
    for kind, spec in _SPECS.items():
        names = catalogue.names(kind)
        found: dict[str, dict[str, Any]] = {}
        for name in sorted(catalogue.installed(kind) - catalogue.outlines(kind).keys()):
            try:
                found[name] = _properties(catalogue.load(kind, name).Config)
            except WaivernError as error:
                faults.append(error)
        supplied = project.components if project is not None else {}
        conditions = []
        for name, properties in found.items():
            key = f"{kind}.{name}"
            _adopt(definitions, key, properties, supplied.get(name, {}))
            conditions.append(_condition(name, key))
        definition = definitions[spec]
        definition["properties"]["type"] = {
            "description": definition["properties"]["type"]["description"],
            "anyOf": [{"enum": names}, _REFERENCE],
        }
        definition["allOf"] = conditions
    return RunbookSchema(document, tuple(faults))


def _condition(name: str, key: str) -> dict[str, Json]:
    """Return that a mapping which names this component has its properties.

    `properties` itself is required if one of them is.
    """
    return {
        "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
        "then": {"$ref": f"#/$defs/{key}"},
    }


def _properties(config: Any) -> dict[str, Any]:
    """Return the schema of a component's Config; one that has none allows all."""
    from pydantic.errors import PydanticInvalidForJsonSchema

    try:
        schema: dict[str, Any] = config.model_json_schema()
    except PydanticInvalidForJsonSchema:
        return {"type": "object"}
    return schema


def _adopt(
    definitions: dict[str, Any], key: str, schema: dict[str, Any], supplied: Collection[str]
) -> None:
    """Add a component's schema to the definitions, its own definitions under its name.

    What the project's file supplies is not required of a runbook.
    """
    for name, inner in schema.pop("$defs", {}).items():
        definitions[f"{key}.{name}"] = _relaxed(_renamed(inner, key))
    whole = _relaxed(_renamed(schema, key), root=True)
    required = [name for name in whole.pop("required", []) if name not in supplied]
    if required:
        whole["required"] = required
    definitions[key] = {
        "properties": {"properties": whole},
        **({"required": ["properties"]} if required else {}),
    }


def _renamed(schema: Any, key: str) -> Any:
    """Return a schema whose references lead to the definitions under the component's name."""
    if isinstance(schema, list):
        return [_renamed(each, key) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: value.replace("#/$defs/", f"#/$defs/{key}.", 1)
        if name == "$ref" and isinstance(value, str)
        else _renamed(value, key)
        for name, value in schema.items()
    }


def _relaxed(schema: Any, *, root: bool = False) -> Any:
    """Return a schema that allows a reference in place of each value, and has no titles."""
    if not isinstance(schema, Mapping):
        return schema
    found: dict[str, Any] = {name: value for name, value in schema.items() if name != "title"}
    for name in ("properties", "$defs"):
        if isinstance(found.get(name), Mapping):
            found[name] = {key: _relaxed(value) for key, value in found[name].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(found.get(name), Mapping):
            found[name] = _relaxed(found[name])
    if root or ("$ref" in found and len(found) == 1):
        return found
    about = {name: found.pop(name) for name in ("description", "default") if name in found}
    if about.get("default", 0) is None:
        del about["default"]
    return {**about, "anyOf": [found, _REFERENCE]} if found else about
