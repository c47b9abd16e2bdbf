"""Values as conditions see them: their kinds, and steps into them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from waivern.language.conditions.syntax import BOOLEAN, EVERY, LIST, MAPPING, NUMBER, TEXT
from waivern.record_stream import RecordStream

if TYPE_CHECKING:
    from waivern.message import Json


class LazyList:
    """The values of a path through a record stream, computed anew each time they are iterated."""

    def __init__(self, values: Callable[[], Iterator[Json]]) -> None:
        self._values = values
        self._count: int | None = None

    def __iter__(self) -> Iterator[Json]:
        return self._values()

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self)
        return self._count


LISTS = (list, tuple, RecordStream, LazyList)
"""The classes of lists. Those that may be large are never held: they are iterated."""
_QUOTED = 80
"""Characters of the condition that a message quotes at most."""
_KINDS: tuple[tuple[str, Any], ...] = (
    (BOOLEAN, bool),  # before numbers: in Python a bool is one
    (TEXT, str),
    (NUMBER, int | float),
    (MAPPING, Mapping),
    (LIST, LISTS),
    ("null", type(None)),
)
_KNOWN: dict[type, str] = {}


def kind(value: Json) -> str:
    """Return what messages call the kind of a value."""
    type_ = type(value)
    if (known := _KNOWN.get(type_)) is None:
        known = next((name for name, types in _KINDS if issubclass(type_, types)), "no JSON value")
        _KNOWN[type_] = known
    return known


def shortened(text: str, most: int = _QUOTED) -> str:
    """Return `text` in one line, with its middle left out if it is longer than `most`."""
    text = " ".join(text.split())
    half = most // 2
    return text if len(text) <= most else f"{text[: half - 1]}…{text[-half:]}"


def fault(value: Json, key: str | int | None) -> str | None:
    """Return why a step of a path fails; None if it does not."""
    if key is EVERY:
        if isinstance(value, (*LISTS, Mapping)):
            return None
        return f"is {kind(value)}, and [*] needs a list or a mapping"
    if isinstance(key, str):
        if not isinstance(value, Mapping):
            return f"is {kind(value)}, and has no field {shortened(repr(key))}"
        return None if key in value else f"has no field {shortened(repr(key))}"
    if not isinstance(value, LISTS):
        return f"is {kind(value)}, and has no item [{key}]"
    return (
        None if -len(value) <= key < len(value) else f"has no item [{key}], it holds {len(value)}"
    )


def taken(value: Json, key: Any) -> Json:
    """Take one step, of which it is known that it can be taken."""
    return value.item(key) if isinstance(value, RecordStream) else value[key]


def every(value: Json) -> Iterator[Json]:
    """Yield every item of a list, or every value of a mapping."""
    return iter(value.values() if isinstance(value, Mapping) else value)
