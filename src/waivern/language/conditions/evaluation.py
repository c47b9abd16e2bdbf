"""The value of a condition's tree over JSON: strict about kinds, and done after so many steps."""

from __future__ import annotations

import math
import operator
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

from waivern.language.conditions.budget import Budget, EvaluationError
from waivern.language.conditions.paths import Paths
from waivern.language.conditions.syntax import BOOLEAN, LIST, NUMBER, TEXT, ConditionNode
from waivern.language.conditions.values import LISTS, kind, shortened

if TYPE_CHECKING:
    from waivern.message import Json

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}
_ORDER: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PLURAL = {BOOLEAN: "booleans", NUMBER: "numbers"}
MAX_BITS = 1_000
"""Of a whole number that comes out of arithmetic: about 300 digits."""


def _finish(items: Iterator[Any]) -> None:
    """Read a list to its end.

    So an answer does not depend on the place of a faulty item, and the digest of a record stream is
    checked.
    """
    deque(items, maxlen=0)


class Evaluation:
    """One evaluation of the tree of `text` over a scope. All methods raise EvaluationError."""

    def __init__(self, text: str, scope: Mapping[str, Json]) -> None:
        self._text = text
        self._budget = Budget()
        self._paths = Paths(text, scope, self._budget)
        self.seen: dict[int, Json] = {}
        """The value of each part that was evaluated, by the part's `id`."""

    def value(self, node: ConditionNode) -> Json:
        """Return the value of a part of the condition."""
        self._budget.spend(1)
        value = self.seen[id(node)] = self._RULES[node.kind](self, node)
        return value

    def truth(self, node: ConditionNode) -> bool:
        """Return the value of a part that must be true or false."""
        return bool(self._of(BOOLEAN, node))

    def _fail(self, node: ConditionNode, what: str, hint: str | None = None) -> NoReturn:
        raise EvaluationError(f"`{shortened(self._text[node.start : node.end])}` {what}", hint=hint)

    def _of(self, wanted: str, node: ConditionNode) -> Any:
        value = self.value(node)
        if (found := kind(value)) != wanted:
            self._fail(node, f"must be {wanted}, and is {found}")
        if wanted == TEXT:
            self._budget.read(value)
        return value

    def _items(self, wanted: str, node: ConditionNode) -> Iterator[Any]:
        """Yield the items of a list that must all be of one kind."""
        items = self._of(LIST, node)
        lazy = not isinstance(items, (list, tuple))
        self._budget.spend(0 if lazy else len(items))
        for index, item in enumerate(items):
            if lazy:
                self._budget.spend(1)
            if (found := kind(item)) != wanted:
                self._fail(
                    node, f"must be a list of {_PLURAL[wanted]}, and item [{index}] is {found}"
                )
            yield item

    # the kinds of nodes

    def _literal(self, node: ConditionNode) -> Json:
        return node.value

    def _list(self, node: ConditionNode) -> Json:
        return [self.value(part) for part in node.parts]

    def _or(self, node: ConditionNode) -> bool:
        return any(self.truth(part) for part in node.parts)

    def _and(self, node: ConditionNode) -> bool:
        return all(self.truth(part) for part in node.parts)

    def _not(self, node: ConditionNode) -> bool:
        return not self.truth(node.parts[0])

    def _minus(self, node: ConditionNode) -> Json:
        return -self._of(NUMBER, node.parts[0])

    def _arithmetic(self, node: ConditionNode) -> Json:
        total = self._of(NUMBER, node.parts[0])
        for sign, part in zip(node.value, node.parts[1:], strict=True):
            total = self._calculate(node, sign, total, self._of(NUMBER, part))
        return total

    def _calculate(self, node: ConditionNode, sign: str, left: Any, right: Any) -> Any:
        try:
            result = _ARITHMETIC[sign](left, right)
        except ZeroDivisionError:
            self._fail(node, "divides by zero", "ask first, as in x != 0 and y / x > 1")
        except OverflowError:
            result = math.inf
        if isinstance(result, int):
            bounded = result.bit_length() <= MAX_BITS
        else:
            bounded = math.isfinite(result)
        if not bounded:
            self._fail(node, "is too large a number")
        return result

    def _comparison(self, node: ConditionNode) -> bool:
        left, right = node.parts
        sign: str = node.value[0]
        if sign in _ORDER:
            return self._ordered(sign, left, right)
        if sign in ("==", "!="):
            return self._budget.same(self.value(left), self.value(right)) == (sign == "==")
        return self._holds(right, left) == (sign == "in")

    def _ordered(self, sign: str, left: ConditionNode, right: ConditionNode) -> bool:
        first, second = self.value(left), self.value(right)
        for part, value in ((left, first), (right, second)):
            if (found := kind(value)) not in (NUMBER, TEXT):
                self._fail(part, f"is {found}, and {sign!r} compares only numbers or text")
        if kind(first) != kind(second):
            whole = f"{kind(first)} {sign} {kind(second)}"
            self._fail(left, f"cannot be compared with what follows: {whole}")
        if isinstance(first, str):
            self._budget.read(first)
        return bool(_ORDER[sign](first, second))

    def _holds(self, whole: ConditionNode, part: ConditionNode) -> bool:
        """Return whether a list has an item, a mapping has a key, or text has a part."""
        value = self.value(whole)
        if isinstance(value, LISTS):
            wanted, items = self.value(part), iter(value)
            found = any(self._budget.same(wanted, item) for item in items)
            _finish(items)
            return found
        if isinstance(value, str):
            self._budget.read(value)
        if isinstance(value, (str, Mapping)):
            return bool(self._of(TEXT, part) in value)
        return self._fail(whole, f"is {kind(value)}, and 'in' searches lists, mappings and text")

    def _path(self, node: ConditionNode) -> Json:
        return self._paths.value(node)

    def _exists(self, node: ConditionNode) -> bool:
        """Return whether a path leads somewhere; with `[*]`, whether one of its ways does."""
        return self._paths.exists(node)

    # the functions

    def _call(self, node: ConditionNode) -> Json:
        return self._CALLS[node.value](self, *node.parts)

    def _count(self, node: ConditionNode) -> int:
        value = self.value(node)
        if not isinstance(value, (str, *LISTS, Mapping)):
            self._fail(node, f"is {kind(value)}, and count() takes a list, a mapping or text")
        return len(value)

    def _sum(self, node: ConditionNode) -> Json:
        total: int | float = 0
        for item in self._items(NUMBER, node):
            total = self._calculate(node, "+", total, item)
        return total

    def _min(self, node: ConditionNode) -> Json:
        return self._extreme(min, node)

    def _max(self, node: ConditionNode) -> Json:
        return self._extreme(max, node)

    def _extreme(self, choose: Callable[..., Any], node: ConditionNode) -> Json:
        found = choose(self._items(NUMBER, node), default=None)
        if found is None:
            self._fail(node, "is empty, and has no least or greatest item")
        return found

    def _all(self, node: ConditionNode) -> bool:
        items = self._items(BOOLEAN, node)
        found = all(items)
        _finish(items)
        return found

    def _any(self, node: ConditionNode) -> bool:
        items = self._items(BOOLEAN, node)
        found = any(items)
        _finish(items)
        return found

    def _lower(self, node: ConditionNode) -> Json:
        return self._of(TEXT, node).lower()

    def _starts_with(self, text: ConditionNode, part: ConditionNode) -> bool:
        return bool(self._of(TEXT, text).startswith(self._of(TEXT, part)))

    def _ends_with(self, text: ConditionNode, part: ConditionNode) -> bool:
        return bool(self._of(TEXT, text).endswith(self._of(TEXT, part)))

    _RULES: ClassVar[dict[str, Callable[[Evaluation, ConditionNode], Json]]] = {
        "literal": _literal,
        "path": _path,
        "list": _list,
        "call": _call,
        "or": _or,
        "and": _and,
        "not": _not,
        "comparison": _comparison,
        "sum": _arithmetic,
        "product": _arithmetic,
        "minus": _minus,
    }
    _CALLS: ClassVar[dict[str, Callable[..., Json]]] = {
        "all": _all,
        "any": _any,
        "count": _count,
        "ends_with": _ends_with,
        "exists": _exists,
        "lower": _lower,
        "max": _max,
        "min": _min,
        "starts_with": _starts_with,
        "sum": _sum,
    }
