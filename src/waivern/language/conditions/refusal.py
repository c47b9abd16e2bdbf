"""Refusals of texts that are no conditions: the word at fault, and advice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

from waivern.diagnostics import did_you_mean
from waivern.language.conditions.syntax import (
    BOOLEAN,
    FUNCTIONS,
    LIST,
    MAX_DEPTH,
    NUMBER,
    TEXT,
    ConditionError,
    ConditionNode,
    Token,
)


def check_boolean(node: ConditionNode, what: str) -> None:
    """Refuse what can be seen to be neither true nor false before there is any value."""
    kind = None
    if node.kind in ("sum", "product", "minus"):
        kind = NUMBER
    elif node.kind == "list":
        kind = LIST
    elif node.kind == "call":
        kind = FUNCTIONS[node.value][1]
    elif node.kind == "literal" and not isinstance(node.value, bool):
        kind = "null" if node.value is None else TEXT if isinstance(node.value, str) else NUMBER
    if kind not in (None, BOOLEAN):
        hint = "compare it with something, as in count(x) > 0"
        refuse(f"{what} must be {BOOLEAN}, and this is {kind}", node, hint=hint)


def called(token: Token) -> str:
    """Return what a message calls a word."""
    if token.kind == "end":
        return "the end of the condition"
    return repr(token.text if len(token.text) <= 40 else token.text[:39] + "…")


def advice(word: str, known: Iterable[str], what: str, also: Iterable[str] = ()) -> str:
    """Return what may stand in the place of an unknown word, the closest first."""
    known = sorted(known)
    hint = f"{what} here: {', '.join(known)}" if known else f"no {what} can be used here"
    return " ".join(filter(None, (did_you_mean(word, [*known, *also]), hint)))


def refuse(message: str, at: Token | ConditionNode, *, hint: str | None = None) -> NoReturn:
    """Raise ConditionError at a word or a part."""
    raise ConditionError(message, offset=at.start, length=max(1, at.end - at.start), hint=hint)


def refuse_depth(at: Token | ConditionNode) -> NoReturn:
    """Raise ConditionError for what is nested too deep."""
    refuse(f"the condition is nested deeper than {MAX_DEPTH} levels", at)
