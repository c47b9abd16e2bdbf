"""From the text of a condition to its tree: operator precedence, read from left to right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from waivern.language.conditions.refusal import advice, called, check_boolean, refuse, refuse_depth
from waivern.language.conditions.syntax import (
    CONSTANTS,
    EVERY,
    FUNCTIONS,
    KEYWORDS,
    MAX_DEPTH,
    NAMED,
    ConditionNode,
    Token,
    number,
    tokens,
    unquoted,
)

_OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _MINUS = range(7)
_STRENGTH = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(["==", "!=", "<", "<=", ">", ">=", "in", "not in"], _COMPARISON),
    **dict.fromkeys(["+", "-"], _SUM),
    **dict.fromkeys(["*", "/"], _PRODUCT),
}
_KIND = {_OR: "or", _AND: "and", _COMPARISON: "comparison", _SUM: "sum", _PRODUCT: "product"}


def parse(text: str, roots: frozenset[str]) -> tuple[ConditionNode, frozenset[tuple[str, str]]]:
    """Return the tree and the (root, name) pairs that it refers to. Raises ConditionError."""
    parser = _Parser(text, roots)
    return parser.whole(), frozenset(parser.references)


class _Parser:
    def __init__(self, text: str, roots: frozenset[str]) -> None:
        self._tokens = tokens(text)
        self._at = 0
        self._depth = 0
        self._roots = roots
        self.references: set[tuple[str, str]] = set()

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self) -> Token:
        token = self._next
        if token.kind != "end":
            self._at += 1
        return token

    def _skip(self, sign: str) -> bool:
        """Take the next word if it is `sign`, and say whether it was."""
        if found := self._next.kind == "sign" and self._next.text == sign:
            self._at += 1
        return found

    def _expect(self, sign: str) -> Token:
        token = self._next
        if not self._skip(sign):
            refuse(f"expected {sign!r}, found {called(token)}", token)
        return token

    def whole(self) -> ConditionNode:
        if self._next.kind == "end":
            refuse("the condition is empty", self._next)
        node = self._expression(_OR)
        if self._next.kind != "end":
            refuse(f"expected an operator, found {called(self._next)}", self._next)
        check_boolean(node, "the condition")
        return node

    def _expression(self, weakest: int) -> ConditionNode:
        """Read operands for as long as the operators between them are at least so strong."""
        left = self._prefixed(weakest)
        while (strength := _STRENGTH.get(self._operator(), -1)) >= weakest:
            left = self._operation(left, strength)
        return left

    def _operator(self) -> str:
        """Return the operator that comes next, or something that is none."""
        token = self._next
        if token.kind == "text":
            return ""
        if token.text == "not" and self._tokens[self._at + 1].text == "in":
            return "not in"
        return token.text

    def _operation(self, left: ConditionNode, strength: int) -> ConditionNode:
        """Read all that operators of one strength join: long chains do not nest."""
        parts = [left]
        operators: list[str] = []
        while _STRENGTH.get(operator := self._operator()) == strength:
            if strength == _COMPARISON and operators:
                hint = "join two comparisons with 'and'"
                refuse("comparisons do not chain", self._next, hint=hint)
            self._at += 2 if operator == "not in" else 1
            operators.append(operator)
            parts.append(self._expression(strength + 1))
        if strength in (_OR, _AND):
            for part in parts:
                check_boolean(part, f"an operand of {operators[0]!r}")
        value = tuple(operators)
        return self._node(_KIND[strength], left.start, parts[-1].end, parts, value)

    def _prefixed(self, weakest: int) -> ConditionNode:
        token = self._next
        if token.kind == "name" and token.text == "not":
            if weakest > _NOT:
                hint = "write (not …)"
                refuse("'not' needs parentheses after an operator like this", token, hint=hint)
            self._at += 1
            operand = self._nested(_NOT)
            check_boolean(operand, "the operand of 'not'")
            return self._node("not", token.start, operand.end, [operand])
        if self._skip("-"):
            operand = self._nested(_MINUS)
            return self._node("minus", token.start, operand.end, [operand])
        return self._operand()

    def _operand(self) -> ConditionNode:
        token = self._take()
        if token.kind == "number":
            return self._node("literal", token.start, token.end, value=number(token))
        if token.kind == "text":
            return self._node("literal", token.start, token.end, value=unquoted(token))
        if token.kind == "name":
            return self._named(token)
        if token.kind == "sign" and token.text == "(":
            inner = self._nested(_OR)
            # the parentheses belong to it: an error that quotes it shows them
            return inner._replace(start=token.start, end=self._expect(")").end)
        if token.kind == "sign" and token.text == "[":
            items, end = self._items("]")
            return self._node("list", token.start, end, items)
        return refuse(f"expected a value, found {called(token)}", token)

    def _named(self, token: Token) -> ConditionNode:
        if token.text in CONSTANTS:
            return self._node("literal", token.start, token.end, value=CONSTANTS[token.text])
        if token.text in KEYWORDS:
            refuse(f"expected a value, found {called(token)}", token)
        return self._call(token) if self._skip("(") else self._path(token)

    def _call(self, name: Token) -> ConditionNode:
        if name.text not in FUNCTIONS:
            hint = advice(name.text, FUNCTIONS, "functions")
            refuse(f"unknown function {name.text!r}", name, hint=hint)
        arguments, end = self._items(")")
        wanted, _ = FUNCTIONS[name.text]
        if len(arguments) != wanted:
            some = "one argument" if wanted == 1 else "two arguments"
            refuse(f"{name.text}() takes {some}, not {len(arguments)}", name)
        if name.text == "exists" and arguments[0].kind != "path":
            refuse("exists() takes a path, and this is not one", arguments[0])
        return self._node("call", name.start, end, arguments, name.text)

    def _items(self, closing: str) -> tuple[list[ConditionNode], int]:
        """Read what stands between commas up to `closing`; return it and where that ends."""
        items: list[ConditionNode] = []
        while not (self._next.kind == "sign" and self._next.text == closing):
            if items:
                self._expect(",")
            items.append(self._nested(_OR))
        return items, self._expect(closing).end

    def _path(self, root: Token) -> ConditionNode:
        if root.text not in self._roots:
            self._refuse_root(root)
        steps: list[tuple[str | int | None, int]] = []
        while True:
            if self._skip("."):
                field = self._take()
                if field.kind != "name":
                    hint = "write any other name in brackets, as in ['a-b']"
                    refuse(f"expected a name after '.', found {called(field)}", field, hint=hint)
                steps.append((field.text, field.end))
            elif self._skip("["):
                steps.append((self._key(), self._expect("]").end))
            else:
                break
        if root.text in NAMED:
            name = steps[0][0] if steps else None
            if not isinstance(name, str):
                hint = f"write {root.text}.NAME or {root.text}['NAME']"
                refuse(f"{root.text!r} needs a name after it", root, hint=hint)
            self.references.add((root.text, name))
        end = steps[-1][1] if steps else root.end
        return self._node("path", root.start, end, value=(root.text, root.start, tuple(steps)))

    def _key(self) -> str | int | None:
        if self._skip("*"):
            return EVERY
        sign = -1 if self._skip("-") else 1
        token = self._take()
        if token.kind == "text" and sign == 1:
            return unquoted(token)
        if token.kind != "number" or "." in token.text:
            hint = "brackets contain text, a whole number or *"
            refuse(f"expected a key, found {called(token)}", token, hint=hint)
        return sign * int(number(token))

    def _refuse_root(self, root: Token) -> NoReturn:
        hint = advice(root.text, self._roots, "names", also=KEYWORDS)
        if "did you mean" not in hint:
            hint = f"{hint}; put text in quotes, as in '{root.text}'"
        before = self._tokens[self._at - 2] if self._at >= 2 else root
        if before.text == "-" and before.end == root.start:
            hint = f"write a name that contains '-' in brackets, as in ['a-b']; {hint}"
        refuse(f"unknown name {root.text!r}", root, hint=hint)

    def _nested(self, weakest: int) -> ConditionNode:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            refuse_depth(self._next)
        node = self._expression(weakest)
        self._depth -= 1
        return node

    def _node(
        self,
        kind: str,
        start: int,
        end: int,
        parts: Iterable[ConditionNode] = (),
        value: Any = None,
    ) -> ConditionNode:
        parts = tuple(parts)
        height = 1 + max((part.height for part in parts), default=0)
        node = ConditionNode(kind, start, end, parts, value, height)
        if height > MAX_DEPTH:
            refuse_depth(node)
        return node
