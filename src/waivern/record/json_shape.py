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
        if (fits := checks.get(name)) is not None and not fits(value):
            return name
    return None


@lru_cache
def _checks(kind: type) -> dict[str, Check]:
    return {name: _check(hint) for name, hint in get_type_hints(kind).items() if hint is not Any}


def _check(hint: Any) -> Check:
    if hint is Any:
        return lambda _value: True
    kind, hints = get_origin(hint), get_args(hint)
    if kind is UnionType:  # mostly `str | None`: no more calls for each field of each event
        plain = frozenset(each for each in hints if get_origin(each) is None and each is not Any)
        others = [_check(each) for each in hints if each not in plain]
        return lambda value: type(value) in plain or any(fits(value) for fits in others)
    inner = [_check(each) for each in hints]
    if kind is list:
        return lambda value: type(value) is list and all(map(inner[0], value))
    if kind is dict:  # the keys of a JSON object are text
        return lambda value: type(value) is dict and all(map(inner[1], value.values()))
    return lambda value: type(value) is hint
