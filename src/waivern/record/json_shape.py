"""A check of data from a disk against the types that a dataclass declares."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from waivern.message import Json

Check = Callable[[object], bool]


def misfit(kind: type, document: Mapping[str, Json]) -> str | None:
    """Return the first field whose value is not of its declared type; None if all are.

    Fields that the document has not are not looked at.
    """
    checks = _checks(kind)
    for name, value in document.items():
        if name in checks and not checks[name](value):
            return name
    return None


@lru_cache
def _checks(kind: type) -> dict[str, Check]:
    return {name: _check(hint) for name, hint in get_type_hints(kind).items()}


def _check(hint: Any) -> Check:
    if hint is Any:
        return lambda _value: True
    kind, inner = get_origin(hint), [_check(each) for each in get_args(hint)]
    if kind is UnionType:
        return lambda value: any(fits(value) for fits in inner)
    if kind is list:
        return lambda value: type(value) is list and all(map(inner[0], value))
    if kind is dict:  # the keys of a JSON object are text
        return lambda value: type(value) is dict and all(map(inner[1], value.values()))
    return lambda value: type(value) is hint
