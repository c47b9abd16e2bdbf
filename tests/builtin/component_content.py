"""The content that the engine makes of what a generator yields and returns."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from waivern.message import Json


def collected(name: str, records: Generator[Json, None, Json]) -> Any:
    """Return the content of an artifact: the rest, and the records in the list `name`."""
    found = []
    while True:
        try:
            found.append(next(records))
        except StopIteration as end:
            return {**end.value, name: found}
