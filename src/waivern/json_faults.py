"""Faults of content: the first value that is not JSON, where it is, and what to do about it."""

from __future__ import annotations

import json
import math
import reprlib
import sys
from typing import Any

PATH_LIMIT = 200
"""The maximal number of characters of a position in a message."""


def first_fault(content: Any, max_depth: int) -> tuple[str, str] | None:
    """Find the first value that is not JSON, and the remedy; None if all values are JSON.

    In the order of the content, so that the first of many equal faults is the one that is named.
    """
    stack: list[tuple[str, Any, int]] = [("$", content, 0)]
    while stack:
        path, value, depth = stack.pop()
        if depth > max_depth:
            return f"{path[:80]}… is nested deeper than {max_depth} levels", ""
        if isinstance(value, dict):
            for key in value:
                if fault := _key_fault(key):
                    return f"{_shown(path)} has {fault}", "use only text as keys: str(key)"
            inner = [(_below(path, key), item, depth + 1) for key, item in value.items()]
            stack.extend(reversed(inner))
        elif isinstance(value, list | tuple):
            inner = [(f"{path}[{n}]", item, depth + 1) for n, item in enumerate(value)]
            stack.extend(reversed(inner))
        elif found := _scalar_fault(value):
            return f"{_shown(path)} {found[0]}", found[1]
    return None


def _below(path: str, key: str) -> str:
    """Return the position of a value: `$.rows[3].x`, or `$["two words"]` for other keys."""
    return f"{path}.{key}" if key.isidentifier() else f"{path}[{json.dumps(key)}]"


def _shown(path: str) -> str:
    if path == "$":
        return "the content"
    return (
        path if len(path) <= PATH_LIMIT else f"{path[: PATH_LIMIT // 2]}…{path[-PATH_LIMIT // 2 :]}"
    )


def _key_fault(key: object) -> str | None:
    if not isinstance(key, str):
        return f"the key {reprlib.repr(key)}, which is not text"
    if _has_surrogate(key):
        return f"the key {json.dumps(key)[:80]}, which has a lone surrogate and is not text"
    return None


def _scalar_fault(value: Any) -> tuple[str, str] | None:
    """Return why a value is not JSON, and what to return in its place."""
    match value:
        case bool() | None:
            return None
        case float():
            if math.isfinite(value):
                return None
            return f"is {float(value)}, which JSON cannot say", "return None for it, or text"
        case int():
            digits = sys.get_int_max_str_digits()
            if not digits or abs(value) < 10**digits:
                return None
            return f"is a whole number of more than {digits:,} digits", "return it as text: hex(x)"
        case str():
            if not _has_surrogate(value):
                return None
            return (
                "has a lone surrogate, which is not text",
                'replace it: text.encode(errors="replace").decode()',
            )
    kind = type(value)
    name = (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )
    article = "an" if name[0].lower() in "aeiou" else "a"
    return f"is {article} {name}", _remedy(value)


def _has_surrogate(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


_REMEDIES = (
    ("_value2member_map_", "return x.value"),
    ("model_dump", "return x.model_dump(mode='json')"),
    ("tolist", "return x.tolist(): plain numbers and lists"),
    ("isoformat", "return x.isoformat()"),
    ("decode", "return text, x.decode(), or base64 of it"),
    ("__dataclass_fields__", "return dataclasses.asdict(x)"),
    ("_asdict", "return x._asdict()"),
    ("as_tuple", "return str(x)"),
    ("__fspath__", "return str(x)"),
    ("isdisjoint", "return a list: sorted(x)"),
    ("__next__", "return a list: list(x)"),
    ("__await__", "await it first"),
    ("__iter__", "return a list: list(x)"),
)
"""The remedy for a value, by an attribute that it has; the first that fits."""


def _remedy(value: object) -> str:
    names = {name for each in type(value).__mro__ for name in vars(each)}
    return next((text for name, text in _REMEDIES if name in names), "")
