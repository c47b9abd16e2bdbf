"""The effect of an edit of a runbook, a child or a parameter, artifact by artifact. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.planning.plan import (
    AskPeople,
    Copy,
    DefaultValue,
    Extract,
    LastRound,
    Node,
    NodeTest,
    NoValue,
    OutputPart,
    Transform,
)

if TYPE_CHECKING:
    from waivern.language.conditions import Condition


class DefinitionChange(NamedTuple):
    """One difference that makes an artifact another one; texts for people do not count."""

    artifact: ArtifactId
    what: str
    """As 'process.properties.min_confidence 0.5 → 0.8', 'added' or 'removed'."""

    def __str__(self) -> str:
        return f"{self.artifact}: {self.what}"


Nodes: TypeAlias = Mapping[ArtifactId, Node]


def changes(old: Nodes, new: Nodes) -> list[DefinitionChange]:
    """Return what differs, in the order of the new plan, removed artifacts last."""
    found = []
    for name, node in new.items():
        if before := old.get(name):
            pairs = _differences("", definition(before), definition(node))
            found += [DefinitionChange(name, what) for what in pairs]
        else:
            found.append(DefinitionChange(name, "added"))
    found += [DefinitionChange(name, "removed") for name in old if name not in new]
    return found


def definition(node: Node) -> dict[str, Json]:
    """Return all of an artifact's declaration that decides what it will be, and whether it is."""
    return {
        **({"inputs": list(node.inputs)} if node.inputs else {}),
        **_made(node),
        "when": [_test(test) for test in node.tests],
        "output_schema": str(node.schema),
    }


def _made(node: Node) -> dict[str, Json]:
    match node.work:
        case Extract(type_, _, properties):
            strict = {"on_change": node.on_change} if node.keep == "reference" else {}
            source = {"type": type_, "properties": dict(properties), "keep": node.keep, **strict}
            return {"source": source}
        case Transform(type_, _, properties):
            return {"process": {"type": type_, "properties": dict(properties)}}
        case Copy(asked=(from_run, wanted)):
            return {"reuse": {"from_run": from_run, "artifact": wanted}}
        case AskPeople(question, approvers, expires, _):
            return {"gate": {"question": question, "approvers": approvers, "expires": expires}}
        case OutputPart(output):
            return {"output": output}
        case LastRound(until, keep, scope, led_by):
            known = _known(until, scope)
            return {"repeat": {"until": until.text, "keep": keep, "led_by": led_by, **known}}
        case DefaultValue(content):
            return {"default": content}
        case NoValue():
            return {"default": None}


def _test(test: NodeTest) -> dict[str, Json]:
    known = _known(test.condition, test.scope)
    return {"condition": test.condition.text, "holds": test.holds, **known}


def _known(condition: Condition, scope: Mapping[str, Json]) -> dict[str, Json]:
    """Return the values that a condition refers to and that are known when planning."""
    params = scope.get("params") or {}
    asked = {name for root, name in condition.references if root == "params" and name in params}
    others = {name: value for name, value in scope.items() if name != "params"}
    return {**others, "params": {name: params[name] for name in sorted(asked)}}


_NOTHING = object()


def _differences(path: str, old: Json, new: Json) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in {**old, **new}:
            inner = f"{path}.{key}" if path else str(key)
            yield from _differences(inner, old.get(key, _NOTHING), new.get(key, _NOTHING))
        if old.keys() == new.keys() and list(old) != list(new):
            yield f"{path} in another order"
    elif repr(old) != repr(new):  # 1, 1.0 and True are equal, and different values
        yield f"{path} {_shown(old)} → {_shown(new)}"


def _shown(value: Json) -> str:
    text = "(none)" if value is _NOTHING or value is None else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
