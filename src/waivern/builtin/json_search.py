"""The search of JSON: values by record path, keys as names of fields."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import partial

from waivern.builtin.findings import Detector, ItemFindings
from waivern.builtin.table_search import cell_text
from waivern.detection import NamedField, classify
from waivern.detection.field_names import MOST_NAMES
from waivern.errors import ComponentError
from waivern.message import MAX_DEPTH, Json

_INDEX = re.compile(r"\[\d+\]")


class JsonSearch:
    """The search of one content, value by value; `$.people[*].email` is the field of a value."""

    def __init__(self, detector: Detector, key: str) -> None:
        self._detector = detector
        self._key = key
        self._findings = ItemFindings(detector, "")
        self._names: dict[str, tuple[NamedField, str, int]] = {}
        self._first: dict[str, str] = {}
        """The first name of each term: further names count as that one if there are too many."""

    def add(self, content: Json, path: str = "$") -> None:
        """Search content that is at `path`."""
        for at, key, value, beside in self._walk(content, path):
            if value is None:
                self._add_name(key, at)
                continue
            for match in self._detector.scan(value, key or None, beside=beside):
                place = {"input": self._key, "path": at, "start": match.start, "end": match.end}
                self._findings.value(
                    match,
                    match.value,
                    partial(dict, place),
                    name=_INDEX.sub("[*]", at),
                )

    def _add_name(self, key: str, path: str) -> None:
        named = classify(key, self._detector.rules)
        if named is None:
            return
        if len(self._names) >= MOST_NAMES and key not in self._names:
            key = self._first.get(named.term.term, key)
        field, first, count = self._names.get(key, (named, path, 0))
        self._names[key] = (field, first, count + 1)
        self._first.setdefault(named.term.term, key)

    def records(self) -> Iterator[Json]:
        """Yield the findings: values in the order of their first occurrences, then names."""
        certain = any(not field.term.weak for field, _, _ in self._names.values())
        for field, path, count in self._names.values():
            if certain or not field.term.weak:
                place = {"input": self._key, "path": path}
                self._findings.field(field, True, place, total=count)
        yield from self._findings.records()

    def _walk(
        self, content: Json, path: str
    ) -> Iterator[tuple[str, str, str | None, Collection[str]]]:
        """Yield (path, key, None) for each key and (path, governing key, text) for each value.

        The governing key of a neutral key such as `number` includes the key above it. The last
        element has the keys beside that of a value.
        """
        rules, shown = self._detector.rules, self._detector.shown
        stack: list[tuple[str, str, Json, int, Collection[str]]] = [(path, "", content, 0, ())]
        while stack:
            path, key, value, depth, beside = stack.pop()
            if depth > MAX_DEPTH:
                raise ComponentError(
                    f"content is nested deeper than {MAX_DEPTH} levels", hint="flatten it first"
                )
            if isinstance(value, dict):
                below = []
                for name, item in value.items():
                    inner = f"{path}.{shown(name)}"
                    yield inner, name, None, ()
                    for match in self._detector.scan(name):
                        yield inner, "", name[match.start : match.end], ()
                    parent = key if name.lower() in rules.neutral else ""
                    below.append((inner, f"{parent} {name}".strip(), item, depth + 1, value.keys()))
                stack += reversed(below)
            elif isinstance(value, list):
                stack += [
                    (f"{path}[{n}]", key, value[n], depth + 1, beside)
                    for n in reversed(range(len(value)))
                ]
            elif (text := cell_text(value)) is not None:
                yield path, key, text, beside
