"""The items of a `for_each`, each with a readable name. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import product
from typing import NamedTuple

from waivern.ids import segment_fault
from waivern.message import Json

MOST = 100_000
"""Items of one `for_each`."""
MOST_VALUES = 1_000_000
"""Values that all items of a matrix may have together."""
LONGEST = 60
"""Characters of a label."""
_ODD = "[^A-Za-z0-9_.-]+"


class LoopItem(NamedTuple):
    """One item and the segment of an id that names it."""

    label: str
    value: Json


def items(over: Json) -> tuple[list[LoopItem], str | None]:
    """Return the items of a list, or every combination of a mapping of lists; and what is wrong."""
    if isinstance(over, Mapping):
        count = 1
        for values in over.values():
            count *= len(values)
        if count > MOST or count * len(over) > MOST_VALUES:
            return [], f"has {count:,} items; {MOST:,} are the most"
        combined = (dict(zip(over, each, strict=True)) for each in product(*over.values()))
        named = [("-".join(_word(part) for part in value.values()), value) for value in combined]
    elif len(over) > MOST:
        return [], f"has {len(over):,} items; {MOST:,} are the most"
    else:
        named = [(_word(value), value) for value in over]
    return _labelled(named), None


def _word(value: Json) -> str:
    if isinstance(value, Mapping):
        value = value.get("id", value.get("name", ""))
    if isinstance(value, bool):
        value = str(value).lower()
    text = str(value) if isinstance(value, (str, int, float)) else ""
    return re.sub(_ODD, "-", text).strip("-.")[:LONGEST]


def _labelled(named: list[tuple[str, Json]]) -> list[LoopItem]:
    """Give every item a label of its own, the same each time."""
    taken: set[str] = set()
    found = []
    for number, (word, value) in enumerate(named, 1):
        label = f"item-{number}" if len(word) > 100 or segment_fault(word) else word
        while label.casefold() in taken:
            label = f"{label}-{number}"
        taken.add(label.casefold())
        found.append(LoopItem(label, value))
    return found
