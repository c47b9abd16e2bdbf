"""Examples of values, written from the form of their type: of no one, and in no file."""

from __future__ import annotations

import random
import re
import string
from collections.abc import Callable
from functools import lru_cache
from re import _constants as op  # type: ignore[attr-defined] # as in `patterns`
from re import _parser  # type: ignore[attr-defined]
from typing import Any

_TRIES = 200
_MOST = 48
"""The repetitions of a part that may be repeated without end."""


@lru_cache(maxsize=256)
def written_example(name: str, form: re.Pattern[str], check: Callable[[str], bool]) -> str:
    """Return a value of a form that passes its check, always the same; empty if none is found."""
    chance = random.Random(name)  # noqa: S311 - not a secret
    parsed = _parser.parse(form.pattern)
    for _ in range(_TRIES):
        text = _written(parsed, chance, {})
        if form.fullmatch(text) and check(text):
            return text
    return ""


def _written(form: Any, chance: random.Random, groups: dict[int, str]) -> str:
    text = ""
    for kind, value in form:
        if kind is op.LITERAL:
            text += chr(value)
        elif kind is op.IN:
            text += chance.choice(_characters(value))
        elif kind in (op.MAX_REPEAT, op.POSSESSIVE_REPEAT, op.MIN_REPEAT):
            least, most, inner = value
            count = chance.randint(least, min(most, max(least, _MOST)))
            text += "".join(_written(inner, chance, groups) for _ in range(count))
        elif kind is op.SUBPATTERN:
            part = _written(value[3], chance, groups)
            groups[value[0]] = part
            text += part
        elif kind is op.BRANCH:
            text += _written(chance.choice(value[1]), chance, groups)
        elif kind is op.GROUPREF:
            text += groups[value]
    return text


def _characters(items: Any) -> str:
    found = ""
    for kind, value in items:
        if kind is op.LITERAL:
            found += chr(value)
        elif kind is op.RANGE:
            found += "".join(map(chr, range(value[0], value[1] + 1)))
        elif value is op.CATEGORY_WORD:
            found += string.ascii_letters + string.digits
        else:
            found += string.digits
    return found
