"""YAML text as plain dicts, lists and scalars, with everything a runbook may not hold refused."""

from __future__ import annotations

from typing import Any

from yaml import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from waivern.diagnostics import Diagnostic, shown
from waivern.message import Json
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.scalars import FIRST, ScalarError, is_core_tag, resolve, tag_error, tagged
from waivern.yamldoc.yaml_events import ENOUGH, MAX_DEPTH, YamlStop, events, problem_at, span

MAX_ALIAS_NODES = 1_000_000
"""Values that all aliases together may repeat."""

_ITEM = ""
"""The key under which a list takes its items."""

_MERGE_HINT = "write the keys out; an anchor and an alias of a whole value are allowed"


def read(text: str) -> tuple[Json, list[Diagnostic]]:
    """Return the value of the text's one document and what is wrong with it, in one pass.

    The value is None if the text cannot be parsed. Of a repeated key, the first value is
    used. A number under the top-level key `version` stays text, as written.
    """
    reader = _Reader()
    try:
        take = reader.take
        for event in events(text):
            take(event)
    except YamlStop as stop:
        return None, [*reader.faults, stop.problem]
    return (reader.root[0] if reader.root else None), reader.faults


class _Reader:
    """Builds the value event by event; what it is inside of is on a stack, not in recursion."""

    def __init__(self) -> None:
        self.root: list[Json] = []
        self.faults: list[Diagnostic] = []
        self._container: Any = self.root
        self._key: str | None = _ITEM
        """The key that waits for its value; None where a mapping waits for a key."""
        self._outer: list[Any] = []
        self._anchors: dict[str, Json] = {}
        self._alias_nodes = 0

    def take(self, event: Any) -> None:
        kind = type(event)
        if kind is ScalarEvent:
            if self._key is None:
                self._begin_pair(event)
            else:
                self._place(self._scalar(event), event.anchor)
        elif kind is MappingStartEvent:
            self._open({}, event, "map")
        elif kind is SequenceStartEvent:
            self._open([], event, "seq")
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._container = self._outer.pop()
            self._key = _ITEM if type(self._container) is list else None
        elif kind is AliasEvent:
            if self._key is None:
                self._begin_pair(event)
            else:
                self._place(self._alias(event), None)

    def _place(self, value: Json, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value
        if type(self._container) is list:
            self._container.append(value)
        else:
            self._container.setdefault(self._key, value)
            self._key = None

    def _open(self, value: Json, event: Any, kind: str) -> None:
        if self._key is None:
            raise YamlStop(_key_fault(event, "a key must be one text, not a list or a mapping"))
        if not is_core_tag(event.tag, kind):
            self._scalar_fault(event, tag_error(event.tag))
        self._place(value, event.anchor)
        self._outer.append(self._container)
        self._container = value
        self._key = None if kind == "map" else _ITEM

    def _begin_pair(self, event: Any) -> None:
        if type(event) is AliasEvent:
            self._refuse(_key_fault(event, "an alias cannot be a key"))
            self._key = f"*{event.anchor}"
            return
        self._key = key = event.value
        if event.anchor is not None:
            self._anchors[event.anchor] = key
        if event.implicit[0] and key == "<<":
            message = "merge keys ('<<') are not part of a runbook"
            self._refuse(problem_at(RunbookCode.FEATURE, message, span(event), _MERGE_HINT))
        elif key[:1] in FIRST and type(self._scalar(event)) is not str:
            message = "a key must be text" if key else "a key is missing before the ':'"
            self._refuse(_key_fault(event, message))
        elif key in self._container:
            message = f"the key {shown(key)} is given twice"
            self._refuse(problem_at(RunbookCode.DUPLICATE_KEY, message, span(event)))

    def _scalar(self, event: Any) -> Json:
        text = event.value
        try:
            if event.tag is not None:
                value = tagged(event.tag, text)
            elif event.implicit[0] and text[:1] in FIRST:
                value = resolve(text)
            else:
                value = text
        except ScalarError as error:
            self._scalar_fault(event, error)
            return text
        if self._key == "version" and type(value) in (int, float) and len(self._outer) == 1:
            return text
        return value

    def _refuse(self, fault: Diagnostic) -> None:
        if len(self.faults) >= ENOUGH:
            raise YamlStop(fault)
        self.faults.append(fault)

    def _scalar_fault(self, event: Any, error: ScalarError) -> None:
        self._refuse(problem_at(error.code, error.message, span(event), error.hint))

    def _alias(self, event: Any) -> Json:
        name = event.anchor
        if name not in self._anchors:
            message = f"the alias {shown('*' + name)} has no anchor before it"
            hint = "quote the text if it is meant to begin with '*'"
            raise YamlStop(problem_at(RunbookCode.ALIAS, message, span(event), hint))
        value = self._anchors[name]
        if isinstance(value, (dict, list)) and any(
            value is open_ for open_ in (self._container, *self._outer)
        ):
            message = f"the alias {shown('*' + name)} is within the value that it repeats"
            raise YamlStop(problem_at(RunbookCode.ALIAS, message, span(event)))
        nodes, depth = measure(value, MAX_ALIAS_NODES - self._alias_nodes)
        self._alias_nodes += nodes
        if self._alias_nodes > MAX_ALIAS_NODES:
            message = f"aliases repeat more than {MAX_ALIAS_NODES:,} values"
        elif len(self._outer) + depth > MAX_DEPTH:
            message = f"an alias makes it nested deeper than {MAX_DEPTH} levels"
        else:
            return value
        raise YamlStop(problem_at(RunbookCode.LIMIT, message, span(event)))


def measure(value: Json, most: int) -> tuple[int, int]:
    """Return how many values `value` holds, itself included, and its depth; stops after `most`."""
    nodes = deepest = 0
    waiting = [(value, 0)]
    while waiting and nodes <= most:
        item, depth = waiting.pop()
        nodes += 1
        if isinstance(item, (dict, list)):
            deepest = max(deepest, depth + 1)
            inner = item.values() if isinstance(item, dict) else item
            waiting.extend((each, depth + 1) for each in inner)
    return nodes, deepest


def _key_fault(event: Any, message: str) -> Diagnostic:
    return problem_at(RunbookCode.KEY, message, span(event), "quote it, if it is meant as text")
