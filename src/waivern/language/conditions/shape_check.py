"""A check of conditions against what they read: comparisons that never hold, unknown fields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from waivern.diagnostics import Diagnostic, shown
from waivern.language.conditions.syntax import (
    BOOLEAN,
    EVERY,
    FUNCTIONS,
    LIST,
    MAPPING,
    NAMED,
    NUMBER,
    TEXT,
    ConditionNode,
)
from waivern.language.conditions.value_shapes import (
    TYPES,
    choice,
    equal,
    every,
    kinds_of,
    list_of,
    literal,
    named,
)
from waivern.language.conditions.values import shortened
from waivern.shapes import ANYTHING, Shape, inner
from waivern.yamldoc.runbook_codes import RunbookCode


class ShapeCheck:
    """Works out the shape of each part of a condition, and notes what cannot be."""

    def __init__(self, text: str, roots: Mapping[tuple[str, str], Shape]) -> None:
        self._text = text
        self._roots = roots
        self.faults: dict[Diagnostic, None] = {}

    def boolean(self, node: ConditionNode) -> None:
        """Check a part that has to be true or false."""
        shape = self.shape(node)
        self._of_kind(node, shape, BOOLEAN, f"has to be {BOOLEAN}")

    def shape(self, node: ConditionNode) -> Shape:
        """Return the shape of a part, its own parts checked."""
        match node.kind:
            case "literal":
                return literal(node.value)
            case "path":
                return self._path(node)
            case "list":
                return list_of([self.shape(part) for part in node.parts])
            case "call":
                return self._call(node)
            case "or" | "and" | "not":
                for part in node.parts:
                    self.boolean(part)
                return {"type": "boolean"}
            case "comparison":
                self._comparison(node)
                return {"type": "boolean"}
        for part in node.parts:
            self._of_kind(part, self.shape(part), NUMBER, f"has to be {NUMBER}")
        return {"type": "number"}

    def _fault(self, message: str, hint: str | None = None) -> None:
        self.faults[Diagnostic(RunbookCode.CONDITION, message, hint=hint)] = None

    def _quoted(self, node: ConditionNode) -> str:
        return f"`{shortened(self._text[node.start : node.end])}`"

    def _of_kind(self, node: ConditionNode, shape: Shape, wanted: str, what: str) -> None:
        found = kinds_of(shape)
        if found and wanted not in found:
            self._fault(f"{self._quoted(node)} {what}, and is {named(found)}")

    # paths

    def _path(self, node: ConditionNode) -> Shape:
        root, begin, steps = node.value
        shape, rest, end = self._roots.get((root, ""), ANYTHING), steps, begin + len(root)
        if root in NAMED:
            (name, end), *rest = steps
            shape = self._roots.get((root, name), ANYTHING)
        many = False
        for key, next_end in rest:
            shape = self._step(shape, key, shortened(self._text[begin:end]))
            many, end = many or key is EVERY, next_end
        return {"type": "array", "items": shape} if many else shape

    def _step(self, shape: Shape, key: str | int | None, reached: str) -> Shape:
        found = kinds_of(shape)
        if key is EVERY:
            if found and not found & {LIST, MAPPING}:
                self._fault(f"`{reached}` is {named(found)}, and [*] needs a list or a mapping")
            return every(shape)
        if isinstance(key, int):
            if found and LIST not in found:
                self._fault(f"`{reached}` is {named(found)}, and has no item [{key}]")
            return inner(shape, "items")
        if found and MAPPING not in found:
            hint = f"write `{reached}[*].{key}` for that of every item" if LIST in found else None
            self._fault(f"`{reached}` is {named(found)}, and has no field {shown(key)}", hint)
            return ANYTHING
        return self._field(shape, key, reached)

    def _field(self, shape: Shape, key: str, reached: str) -> Shape:
        fields: Mapping[str, Shape] = shape.get("properties", {})
        if key in fields:
            return fields[key]
        known = shape.get("propertyNames", {}).get("enum")
        others = shape.get("additionalProperties", ANYTHING)
        if others is False or (known is not None and key not in known):
            self._fault(f"`{reached}` has no field {shown(key)}", choice(key, known or fields))
            return ANYTHING
        return others if isinstance(others, Mapping) else ANYTHING

    # comparisons

    def _comparison(self, node: ConditionNode) -> None:
        left, right = node.parts
        first, second = self.shape(left), self.shape(right)
        sign: str = node.value[0]
        if sign in ("==", "!="):
            self._same(left, first, right, second)
        elif sign in ("in", "not in"):
            self._holds(left, first, right, second)
        else:
            self._ordered(left, first, right, second)

    def _same(self, left: ConditionNode, first: Shape, right: ConditionNode, second: Shape) -> None:
        """Note two parts that are never equal."""
        kinds, others = kinds_of(first), kinds_of(second)
        if kinds and others and not kinds & others:
            what = f"{self._quoted(left)} is {named(kinds)}, and {self._quoted(right)} is"
            self._fault(f"{what} {named(others)}: they are never equal")
            return
        for part, shape, other, allowed in (
            (left, first, right, second),
            (right, second, left, first),
        ):
            values = allowed.get("enum")
            if part.kind != "literal" or other.kind == "literal" or values is None:
                continue
            if not any(equal(each, value) for value in values for each in shape["enum"]):
                self._never(part, other, values)

    def _never(self, word: ConditionNode, other: ConditionNode, values: Iterable[Any]) -> None:
        written = self._text[word.start : word.end]
        message = f"{self._quoted(other)} is never {shortened(written)}"
        self._fault(message, choice(word.value, values))

    def _holds(
        self, part: ConditionNode, first: Shape, whole: ConditionNode, second: Shape
    ) -> None:
        """Note a part that a list, a mapping or a text never has in it."""
        if whole.kind == "list":
            for item in whole.parts:
                self._same(part, first, item, self.shape(item))
            return
        kinds = kinds_of(second)
        if kinds == {LIST}:
            items = inner(second, "items")
            if items:
                self._same(part, first, whole._replace(kind="items"), items)
        elif kinds == {MAPPING}:
            known = second.get("propertyNames", {}).get("enum")
            if known is None and second.get("additionalProperties") is False:
                known = list(second.get("properties", {}))
            if known is not None and part.kind == "literal" and part.value not in known:
                message = f"{self._quoted(whole)} never has the key {shown(str(part.value))}"
                self._fault(message, choice(part.value, known))
        elif kinds == {TEXT}:
            self._within(part, first, whole, second)
        elif kinds and not kinds & {LIST, MAPPING, TEXT}:
            looks = "'in' searches lists, mappings and text"
            self._fault(f"{self._quoted(whole)} is {named(kinds)}, and {looks}")

    def _within(
        self, part: ConditionNode, first: Shape, whole: ConditionNode, second: Shape
    ) -> None:
        self._of_kind(part, first, TEXT, "is looked for in text")
        values = second.get("enum")
        text = part.value if part.kind == "literal" else None
        if (
            values is not None
            and isinstance(text, str)
            and not any(text in each for each in values)
        ):
            self._never(part, whole, values)

    def _ordered(
        self, left: ConditionNode, first: Shape, right: ConditionNode, second: Shape
    ) -> None:
        comparable = {NUMBER, TEXT}
        for part, shape in ((left, first), (right, second)):
            found = kinds_of(shape)
            if found and not found & comparable:
                what = f"{self._quoted(part)} is {named(found)}"
                self._fault(f"{what}, and only numbers and texts can be ordered")
                return
        kinds, others = kinds_of(first) & comparable, kinds_of(second) & comparable
        if kinds and others and not kinds & others:
            what = f"{self._quoted(left)} is {named(kinds)}, and {self._quoted(right)} is"
            self._fault(f"{what} {named(others)}: they cannot be ordered")

    # functions

    def _call(self, node: ConditionNode) -> Shape:
        name, parts = node.value, node.parts
        shapes = [self.shape(part) for part in parts]
        if name in ("any", "all", "sum", "min", "max"):
            wanted = BOOLEAN if name in ("any", "all") else NUMBER
            found = kinds_of(inner(shapes[0], "items"))
            self._of_kind(parts[0], shapes[0], LIST, f"is given to {name}()")
            if found and wanted not in found:
                what = f"{self._quoted(parts[0])} is given to {name}()"
                self._fault(f"{what}, and its items are {named(found)}")
        elif name in ("lower", "starts_with", "ends_with"):
            for part, shape in zip(parts, shapes, strict=True):
                self._of_kind(part, shape, TEXT, f"is given to {name}()")
            if name == "lower" and "enum" in shapes[0]:
                return {"type": "string", "enum": [str(each).lower() for each in shapes[0]["enum"]]}
            self._begins_or_ends(name, parts, shapes)
        return {"type": TYPES[FUNCTIONS[name][1]]}

    def _begins_or_ends(
        self, name: str, parts: tuple[ConditionNode, ...], shapes: list[Shape]
    ) -> None:
        values = shapes[0].get("enum")
        part = parts[-1].value if parts[-1].kind == "literal" else None
        if len(parts) < 2 or values is None or parts[0].kind == "literal":
            return
        test = str.startswith if name == "starts_with" else str.endswith
        if isinstance(part, str) and not any(test(str(each), part) for each in values):
            verb = "begins" if name == "starts_with" else "ends"
            self._fault(
                f"{self._quoted(parts[0])} never {verb} with {shown(part)}", choice(part, values)
            )
