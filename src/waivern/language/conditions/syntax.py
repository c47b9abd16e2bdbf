"""Syntax of conditions: tokens, the tree, and the error for a text that is none."""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from waivern.errors import Exit, WaivernError

MAX_TEXT = 4_000
"""Characters of a condition."""
MAX_DEPTH = 50
"""Levels of nesting; neither reading nor evaluating comes near the interpreter's own limit."""
MAX_DIGITS = 300
"""Characters of a number, as elsewhere in a runbook: more than that is no finite number."""

NAMED = frozenset({"params", "inputs", "status", "artifacts"})
"""The roots whose next step is the name of something that has to exist."""

BOOLEAN, NUMBER, TEXT, LIST, MAPPING = "true or false", "a number", "text", "a list", "a mapping"
"""What messages call the kinds of values."""

FUNCTIONS: Final = {
    "all": (1, BOOLEAN),
    "any": (1, BOOLEAN),
    "count": (1, NUMBER),
    "ends_with": (2, BOOLEAN),
    "exists": (1, BOOLEAN),
    "lower": (1, TEXT),
    "max": (1, NUMBER),
    "min": (1, NUMBER),
    "starts_with": (2, BOOLEAN),
    "sum": (1, NUMBER),
}
"""How many arguments each function takes, and the kind of what it gives."""

CONSTANTS: Final = {"true": True, "false": False, "null": None}
KEYWORDS = frozenset({"and", "in", "not", "or", *CONSTANTS})


class ConditionError(WaivernError):
    """The text is no condition; `offset` and `length` say where, in characters of the text.

    At the end of the text `offset` is its length.
    """

    exit_code = Exit.INVALID

    def __init__(
        self, message: str, *, offset: int = 0, length: int = 1, hint: str | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.offset = offset
        self.length = length


class Token(NamedTuple):
    """A word of the text, from `start` up to `end`."""

    kind: str
    """'number', 'name', 'text', 'sign' or 'end'."""
    text: str
    start: int
    end: int


class ConditionNode(NamedTuple):
    """A part of a condition, from `start` up to `end` of its text.

    | kind                                   | value                                | parts     |
    |----------------------------------------|--------------------------------------|-----------|
    | literal                                | None, bool, int, float or str        |           |
    | path                                   | (root, its start, steps)             |           |
    | list                                   |                                      | its items |
    | call                                   | the function's name                  | arguments |
    | or, and, comparison, sum, product      | the operators between the parts      | operands  |
    | not, minus                             |                                      | operand   |

    A step of a path is (key, where it ends).
    """

    kind: str
    start: int
    end: int
    parts: tuple[ConditionNode, ...] = ()
    value: Any = None
    height: int = 1


EVERY = None
"""The key of the step `[*]`; other keys are text (a field) or a whole number (an index)."""

_WORD = (
    r"(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<text>'[^'\\]*(?:\\.[^'\\]*)*'|\"[^\"\\]*(?:\\.[^\"\\]*)*\")"
    r"|(?P<sign>[=!<>]=|[-+*/<>()\[\].,])"
    r"|(?P<space>[ \t\r\n]+)"
)
_INSTEAD = {
    "=": "write '==' to compare",
    "!": "write 'not'",
    "&": "write 'and'",
    "|": "write 'or'",
}


def tokens(text: str) -> list[Token]:
    """Return the words of `text`, and one of kind 'end'. Raises ConditionError."""
    if len(text) > MAX_TEXT:
        message = f"the condition has more than {MAX_TEXT:,} characters"
        raise ConditionError(message, offset=MAX_TEXT, length=len(text) - MAX_TEXT)
    for at, character in enumerate(text):
        if not (character.isprintable() or character in "\t\r\n"):
            hint = "within text it can be written as \\u and four hexadecimal digits"
            raise ConditionError(f"{character!r} cannot stand here", offset=at, hint=hint)
    word = re.compile(_WORD, re.DOTALL)  # kept by `re`; here, because most runs have no condition
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = word.match(text, at)
        if match is None:
            character = text[at]
            message = f"{character!r} has no meaning here"
            if character in "'\"":
                message = f"the text that begins with {character} has no closing quote"
            raise ConditionError(message, offset=at, hint=_INSTEAD.get(character))
        if match.lastgroup and match.lastgroup != "space":
            found.append(Token(match.lastgroup, match[0], at, match.end()))
        at = match.end()
    return [*found, Token("end", "", at, at)]


_ESCAPE = r"\\(?:u([0-9a-fA-F]{4})|(.))"
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "/": "/", "n": "\n", "r": "\r", "t": "\t"}


def unquoted(token: Token) -> str:
    """Return the value of a 'text' token. Raises ConditionError."""

    def plain(match: re.Match[str]) -> str:
        value = chr(int(match[1], 16)) if match[1] else _ESCAPES.get(match[2])
        if value is None or "\ud800" <= value <= "\udfff":
            raise ConditionError(
                f"{match[0]!r} is not an escape",
                offset=token.start + 1 + match.start(),
                length=len(match[0]),
                hint=r"these are: \\ \' \" \/ \n \r \t and \u with four hexadecimal digits",
            )
        return value

    body = token.text[1:-1]
    return re.sub(_ESCAPE, plain, body, flags=re.DOTALL) if "\\" in body else body


def number(token: Token) -> int | float:
    """Return the value of a 'number' token. Raises ConditionError."""
    if len(token.text) > MAX_DIGITS:
        raise ConditionError(
            f"the number has more than {MAX_DIGITS} digits",
            offset=token.start,
            length=len(token.text),
        )
    return float(token.text) if "." in token.text else int(token.text)
