"""The shape of the findings of `personal_data`: their fields and the values of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from waivern.builtin.findings import DetectionSettings, field_type, searched_types
from waivern.detection import Ruleset

_TEXT: dict[str, Any] = {"type": "string"}
_NUMBER: dict[str, Any] = {"type": "number"}
_BOOLEAN: dict[str, Any] = {"type": "boolean"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}


def shape(rules: Ruleset | None, wanted: DetectionSettings | None) -> Mapping[str, Any]:
    """Return the shape of the content; without rules, any type and category is possible."""
    types, categories, severities = None, None, None
    if rules is not None and wanted is not None:
        searched = searched_types(rules, wanted)
        values = tuple(rules.types) if searched is None else searched
        fields = list(rules.fields.values()) if wanted.field_names else []
        types = {*values, *(field_type(each) for each in fields)}
        of_values = (rules.types[each].category for each in values if each in rules.types)
        categories = {*of_values, *(each.category for each in fields)}
        severities = {"info"} | {each.severity for each in rules.types.values()}
        severities |= {each.severity for each in rules.categories.values()}
    return _closed(
        ruleset=_RULESET,
        rulesets={"type": "array", "items": _RULESET},
        summary=_closed(
            findings=_NUMBER,
            occurrences=_NUMBER,
            by_type=_counts(types),
            by_category=_counts(categories),
        ),
        mask=_TEXT,
        findings={"type": "array", "items": _finding(types, categories, severities)},
    )


def _finding(
    types: Iterable[str] | None, categories: Iterable[str] | None, severities: Iterable[str] | None
) -> Mapping[str, Any]:
    return _closed(
        id=_TEXT,
        category=_one_of(categories),
        kind=_one_of(["field_name", "value"]),
        type=_one_of(types),
        field=_TEXT,
        canonical=_TEXT,
        confidence=_NUMBER,
        severity=_one_of(severities),
        test_data=_BOOLEAN,
        evidence=_TEXT,
        validators=_TEXTS,
        terms=_TEXTS,
        why=_WHY,
        locations={"type": "array", "items": _LOCATION},
        total=_NUMBER,
        hit_ratio=_NUMBER,
        special_category=_BOOLEAN,
        articles=_TEXTS,
        rule=_closed(id=_TEXT, version=_TEXT),
        ruleset=_RULESET,
    )


def _closed(**fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"type": "object", "properties": fields, "additionalProperties": False}


def _one_of(values: Iterable[str] | None) -> Mapping[str, Any]:
    return _TEXT if values is None else {**_TEXT, "enum": sorted(values)}


def _counts(names: Iterable[str] | None) -> Mapping[str, Any]:
    known = {} if names is None else {"propertyNames": {"enum": sorted(names)}}
    return {"type": "object", "additionalProperties": _NUMBER, **known}


_LOCATION = _closed(
    input=_TEXT,
    file=_TEXT,
    line=_NUMBER,
    column={"type": ["number", "string"]},
    start=_NUMBER,
    end=_NUMBER,
    table=_TEXT,
    row=_NUMBER,
    path=_TEXT,
    escapes=_TEXTS,
    evidence=_TEXT,
)
_WHY = _closed(
    form=_NUMBER,
    label=_NUMBER,
    alone=_NUMBER,
    threshold=_NUMBER,
    stance=_TEXT,
    term=_TEXT,
    place=_TEXT,
    words=_NUMBER,
)
_RULESET = _closed(name=_TEXT, version=_TEXT, digest=_TEXT, extends={"type": "object"})
