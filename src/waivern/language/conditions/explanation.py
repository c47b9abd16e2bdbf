"""Explanations of conditions: the values that decided, in a few words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from waivern.language.conditions.evaluation import MAX_BITS, Evaluation
from waivern.language.conditions.syntax import LIST, MAPPING, NAMED, NUMBER, TEXT, ConditionNode
from waivern.language.conditions.values import kind, shortened

if TYPE_CHECKING:
    from waivern.message import Json

MAX_LENGTH = 200
"""Characters of an explanation."""

_PLAIN = frozenset({"params", "status", "round"})
"""Roots whose values may be shown; all others lead into content, which may be personal data."""
_ANSWERS = frozenset({"all", "any", "count", "ends_with", "exists", "starts_with"})
"""Functions whose result describes the content, and is not part of it."""
_FEWEST = 2
"""Numbers of content whose sum may be shown: the sum of one is that one."""
_VALUE = 60
"""Characters of one value."""


def explain(
    tree: ConditionNode,
    text: str,
    scope: Mapping[str, Json],
    hide: Callable[[str], str],
    untold: frozenset[tuple[str, str]],
) -> str:
    """Return the deciding parts of a condition with their values. Raises EvaluationError.

    The explanation omits the values that `untold` leads to, even if they decided.
    """
    evaluation = Evaluation(text, scope)
    evaluation.truth(tree)
    seen = evaluation.seen
    facts = [
        _fact(part, text, seen, hide)
        for part in _deciding(tree, seen)
        if untold.isdisjoint(_references(part))
    ]
    facts += [f"{_called(each)} is sensitive" for each in _references(tree) if each in untold]
    whole = ", ".join(dict.fromkeys(facts))
    return whole if len(whole) <= MAX_LENGTH else whole[: MAX_LENGTH - 1] + "…"


def _fact(
    part: ConditionNode, text: str, seen: Mapping[int, Json], hide: Callable[[str], str]
) -> str:
    # hidden before it is shortened: half of a secret would not be recognised
    name = shortened(hide(text[part.start : part.end]))
    value = _shown(seen[id(part)], _may_be_told(part, seen))
    return f"{name} = {shortened(hide(value), _VALUE)}"


def _may_be_told(part: ConditionNode, seen: Mapping[int, Json]) -> bool:
    """Return whether the value of a part is not itself a value of the content."""
    if part.kind == "path":
        return part.value[0] in _PLAIN
    if part.kind in ("or", "and", "not", "comparison") or part.value in _ANSWERS:
        return True
    if part.kind == "call" and part.value == "sum" and part.parts[0].kind == "path":
        numbers = part.parts[0]
        return _may_be_told(numbers, seen) or len(seen[id(numbers)]) >= _FEWEST
    return all(_may_be_told(each, seen) for each in part.parts)


def _references(node: ConditionNode) -> list[tuple[str, str]]:
    """Return what a part looks at, as (root, name); the name is empty where the root has none."""
    found = [path.value for path in _paths(node)]
    return list(dict.fromkeys((r, steps[0][0] if r in NAMED else "") for r, _, steps in found))


def _called(reference: tuple[str, str]) -> str:
    return ".".join(filter(None, reference))


def _deciding(node: ConditionNode, seen: Mapping[int, Json]) -> Iterator[ConditionNode]:
    """Yield the parts whose values decided the value of `node`."""
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


def _paths(node: ConditionNode) -> Iterator[ConditionNode]:
    if node.kind == "path":
        yield node
    for part in node.parts:
        yield from _paths(part)


def _roots(node: ConditionNode) -> set[str]:
    return {path.value[0] for path in _paths(node)}


def _shown(value: Json, in_full: bool) -> str:
    found = kind(value)
    if found == TEXT:
        return repr(str(value)) if in_full else f"text of {len(value):,} characters"
    if found == LIST:
        return f"a list of {len(value):,}"
    if found == MAPPING:
        return f"a mapping of {len(value):,}"
    if not in_full:
        return found
    if found == NUMBER:
        huge = isinstance(value, int) and value.bit_length() > MAX_BITS
        return "a very long number" if huge else repr(value)
    return {True: "true", False: "false", None: "null"}[value]
