"""The shapes of what artifacts will hold, as far as it is known before they are produced."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from waivern.errors import WaivernError
from waivern.ids import ArtifactId
from waivern.language import template
from waivern.planning.component_properties import configure
from waivern.planning.plan import AskPeople, Extract, LastRound, Node, Transform
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component import Component
from waivern.plugins.context import Context
from waivern.shapes import ANYTHING, Shape


class ContentShapes:
    """The shapes of a plan's artifacts, each worked out when it is first asked for."""

    def __init__(
        self, nodes: Mapping[ArtifactId, Node], folder: Path, catalogue: Catalogue
    ) -> None:
        self._nodes = nodes
        self._catalogue = catalogue
        self._folder = folder
        self._known: dict[ArtifactId, Shape] = {}

    def of(self, name: ArtifactId) -> Shape:
        """Return the shape of an artifact's content; one that allows anything if it is unknown."""
        waiting = [name]
        while waiting:  # not by recursion: a chain of artifacts may be long
            next_ = waiting[-1]
            node = self._nodes.get(next_)
            passed_on = () if node is None else _passed_on(node)
            missing = [each for each in passed_on if each not in self._known]
            if missing:
                waiting += missing
                continue
            waiting.pop()
            if next_ not in self._known:
                self._known[next_] = ANYTHING if node is None else self._shape_of(node)
        return self._known[name]

    def _shape_of(self, node: Node) -> Shape:
        try:
            return self._shape(node)
        except WaivernError:  # a component that is not needed any more may be gone
            return ANYTHING

    def _shape(self, node: Node) -> Shape:
        inputs = [self._known[each] for each in _passed_on(node)]
        match node.work:
            case Extract() if node.keep == "reference":
                return ANYTHING  # a list of items; the connector describes their data
            case Extract(type_, _, properties):
                component = self._catalogue.load("connectors", type_)
                return self._described(node, component, properties, inputs)
            case Transform(type_, _, properties):
                processor = self._catalogue.load("processors", type_)
                if getattr(processor, "outputs", ()):
                    return ANYTHING
                return self._described(node, processor, properties, inputs)
            case LastRound():
                return inputs[0]
            case AskPeople():
                return DECISION
        return ANYTHING

    def _described(
        self, node: Node, component: Component, properties: Mapping[str, Any], inputs: list[Shape]
    ) -> Shape:
        describes = getattr(component, "describes", None)
        if describes is None:
            return ANYTHING
        base = Path(node.base) if node.base else self._folder
        try:
            config = (
                None if template.names(properties) else configure(component.Config, properties, {})
            )
            found: Shape | None = describes(config, inputs, Context(node.id, base))
        except (WaivernError, ValidationError, OSError):
            return ANYTHING  # reported where it matters
        return ANYTHING if found is None else found


def _passed_on(node: Node) -> tuple[ArtifactId, ...]:
    """Return the inputs whose shapes decide on the node's own."""
    if isinstance(node.work, LastRound):
        return node.inputs[:1]
    return node.inputs if isinstance(node.work, Transform) else ()


def _closed(**fields: Shape) -> Shape:
    return {"type": "object", "properties": fields, "additionalProperties": False}


_TEXT: Shape = {"type": "string"}
DECISION: Shape = _closed(
    question=_TEXT,
    approved={"type": "boolean"},
    decisions={
        "type": "array",
        "items": _closed(by=_TEXT, at=_TEXT, note={"type": ["string", "null"]}, data=ANYTHING),
    },
    data={"type": "object"},
    shown={"type": "object", "additionalProperties": _TEXT},
    runbook_hash=_TEXT,
)
"""What a gate holds."""
