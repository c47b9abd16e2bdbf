"""Conditions checked against what they read: parameters, statuses, contents. Pure.

What a condition of a `for_each`, or of a child that is included repeatedly, reads may differ: it is
wrong if it is wrong for all of them together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from waivern.ids import ArtifactId
from waivern.language.conditions.value_shapes import literal
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.contents import ContentShapes
from waivern.planning.plan import Node
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import Scope
from waivern.plugins.catalogue import Catalogue
from waivern.record.status import RECORDED
from waivern.shapes import ANYTHING, Shape, types_of, union

if TYPE_CHECKING:
    from waivern.language.conditions import Condition
    from waivern.language.params import Param

Roots = dict[tuple[str, str], Shape]

STATUS: Shape = {
    "type": "string",
    "enum": list(map(str, RECORDED)),
}
_OF_PARAM = {
    "string": "string",
    "date": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "list": "array",
    "object": "object",
}
_NUMBER: Shape = {"type": "number"}


class _Use(NamedTuple):
    """A condition where it is asked."""

    scope: Scope
    artifact: str
    key: str
    """Of the artifact: `when`, or `repeat.until`."""
    condition: Condition
    each: object
    result: tuple[ArtifactId, ...]


def check(table: ArtifactTable, nodes: Mapping[ArtifactId, Node], catalogue: Catalogue) -> None:
    """Report every condition that compares with what can never be, or reads what never is."""
    contents = ContentShapes(nodes, table.root.runbook.document.folder, catalogue)
    roots: dict[tuple[str, str, str], tuple[_Use, Roots]] = {}
    for flat in table.artifacts.values():
        for use in _uses(table, flat):
            found = _roots(table, use, contents)
            _, known = roots.setdefault((use.scope.key, use.artifact, use.key), (use, found))
            if known is not found:
                known.update({name: union(known[name], found[name]) for name in found})
    for use, known in roots.values():
        for fault in use.condition.faults(known):
            at = ("artifacts", use.artifact, *use.key.split("."))
            message = f"the condition of '{use.artifact}': {fault.message}"
            problem = fault._replace(code=PlanCode.CONDITION, message=message, path=at)
            table.record(use.scope.locate(problem))


def _uses(table: ArtifactTable, flat: FlatArtifact) -> Iterator[_Use]:
    when = flat.artifact.when
    if flat.work is None and when is not None and flat.round < 2:
        yield _Use(flat.scope, flat.artifact.id, "when", when, flat.each, ())
    for asked in flat.tests:
        before = table.resolve(*asked.before) if asked.before else None
        key = "when" if asked.holds else "repeat.until"
        each = asked.known.get("each")
        yield _Use(asked.scope, asked.artifact.id, key, asked.condition, each, before or ())


def _roots(table: ArtifactTable, use: _Use, contents: ContentShapes) -> Roots:
    found: Roots = {("round", ""): _NUMBER, ("each", ""): _of_item(use.each)}
    found["result", ""] = contents.of(use.result[0]) if len(use.result) == 1 else ANYTHING
    for root, name in use.condition.references:
        if root == "status":
            found[root, name] = STATUS
        elif root == "params":
            found[root, name] = of_param(use.scope.runbook.params.get(name))
        elif root == "inputs":
            ids = table.resolve(use.scope, name) or ()
            found[root, name] = contents.of(ids[0]) if len(ids) == 1 else ANYTHING
    return found


def of_param(declared: Param | None) -> Shape:
    """Return the shape of a parameter's values."""
    return {"type": _OF_PARAM[declared.type]} if declared else ANYTHING


def _of_item(item: object) -> Shape:
    """Return the shape of an item: of its kind, for a runbook may be given other items."""
    return {"type": types_of(literal(item))} if types_of(literal(item)) else ANYTHING
