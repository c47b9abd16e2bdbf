"""Why a condition is true or false: the values that decided, in a few words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from waivern.runbook.conditions.evaluation import MAX_BITS, Evaluation
from waivern.runbook.conditions.syntax import LIST, MAPPING, NUMBER, TEXT, Node
from waivern.runbook.conditions.values import kind, shortened

if TYPE_CHECKING:
    from waivern.message import Json

MAX_LENGTH = 200
"""Characters of an explanation."""

_PLAIN = frozenset({"params", "status", "round"})
"""Roots whose text may be shown; all others lead into content, which may be personal data."""
_VALUE = 60
"""Characters of one value."""


def explain(tree: Node, text: str, scope: Mapping[str, Json], hide: Callable[[str], str]) -> str:
    """Return the deciding parts of a condition with their values. Raises EvaluationError."""
    evaluation = Evaluation(text, scope)
    evaluation.truth(tree)
    seen = evaluation.seen
    facts = [_fact(part, text, seen[id(part)], hide) for part in _deciding(tree, seen)]
    whole = ", ".join(dict.fromkeys(facts))
    return whole if len(whole) <= MAX_LENGTH else whole[: MAX_LENGTH - 1] + "…"


def _fact(part: Node, text: str, value: Json, hide: Callable[[str], str]) -> str:
    # hidden before it is shortened: half of a secret would not be recognised
    name = shortened(hide(text[part.start : part.end]))
    in_full = part.kind == "path" and part.value[0] in _PLAIN
    return f"{name} = {shortened(hide(_shown(value, in_full)), _VALUE)}"


def _deciding(node: Node, seen: Mapping[int, Json]) -> Iterator[Node]:
    """Yield the parts whose values made `node` what it is."""
    if node.kind in ("or", "and"):
        decides = node.kind == "or"
        one = [part for part in node.parts if seen.get(id(part)) is decides]
        for part in one or node.parts:
            yield from _deciding(part, seen)
    elif node.kind == "not":
        yield from _deciding(node.parts[0], seen)
    elif node.kind == "comparison" and _roots(node):
        for part in node.parts:
            if "params" in _roots(part):
                # what was worked out from a secret would not be recognised as one
                yield from [path for path in _paths(part) if id(path) in seen] or [part]
            elif _roots(part):
                yield part
    else:
        yield node


def _paths(node: Node) -> Iterator[Node]:
    if node.kind == "path":
        yield node
    for part in node.parts:
        yield from _paths(part)


def _roots(node: Node) -> set[str]:
    return {path.value[0] for path in _paths(node)}


def _shown(value: Json, in_full: bool) -> str:
    found = kind(value)
    if found == TEXT:
        return repr(str(value)) if in_full else f"text of {len(value):,} characters"
    if found == LIST:
        return f"a list of {len(value):,}"
    if found == MAPPING:
        return f"a mapping of {len(value):,}"
    if found == NUMBER:
        huge = isinstance(value, int) and value.bit_length() > MAX_BITS
        return "a very long number" if huge else repr(value)
    return {True: "true", False: "false", None: "null"}[value]
