"""The position of each value and key in the text, computed only for diagnostics."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from waivern.diagnostics import Span
from waivern.yamldoc.yaml_events import YamlStop, events, span

MAX_PLACES = 1_000_000
"""What lies beyond them is placed at the nearest thing around it that is known."""


@dataclass(slots=True)
class PositionedValue:
    """A value's stretch, that of its key if it has one, and the places within it."""

    value: Span
    key: Span | None
    inside: dict[str | int, PositionedValue] | None = None


class Positions:
    """The places of one text, as far as it can be read."""

    def __init__(self, text: str) -> None:
        self.first_of: dict[int, Span] = {}
        """For each key that is there twice: where the later starts -> where the first is."""
        self._root: dict[str | int, PositionedValue] = {}
        with suppress(YamlStop):
            self._walk(text)

    def find(self, path: Sequence[str | int]) -> PositionedValue | None:
        """Return the place of `path`, or of the nearest thing around it; None in an empty text."""
        place = self._root.get(0)
        for step in path:
            inner = place.inside.get(step) if place and place.inside else None
            if inner is None:
                break
            place = inner
        return place

    def _walk(self, text: str) -> None:
        inside, key, count = self._root, None, 0
        mapping, skipped = False, 0
        outer: list[tuple[dict[str | int, PositionedValue], bool]] = []
        for event in events(text):
            kind = type(event)
            if skipped:  # within a key that is a list or a mapping
                skipped += (kind in _STARTS) - (kind in _ENDS)
                continue
            if kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                inside, mapping = outer.pop()
                continue
            if kind not in _NODES:
                continue
            if mapping and key is None:
                key, skipped = event, int(kind in _STARTS)
                continue
            count += 1
            place = PositionedValue(span(event), span(key) if key is not None else None)
            if count <= MAX_PLACES:
                self._keep(inside, key, place)
            key = None
            if kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                outer.append((inside, mapping))
                place.inside = inside = {}
                mapping = kind is yaml.MappingStartEvent

    def _keep(
        self, inside: dict[str | int, PositionedValue], key: Any, place: PositionedValue
    ) -> None:
        name = len(inside) if key is None else getattr(key, "value", "")
        first = inside.setdefault(name, place)
        if first is not place and first.key and place.key:
            self.first_of[place.key.start] = first.key


_STARTS = frozenset([yaml.MappingStartEvent, yaml.SequenceStartEvent])
_ENDS = frozenset([yaml.MappingEndEvent, yaml.SequenceEndEvent])
_NODES = frozenset(
    [yaml.ScalarEvent, yaml.MappingStartEvent, yaml.SequenceStartEvent, yaml.AliasEvent]
)
