"""The list that an artifact mainly consists of: its first elements, and what it is of a source."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from waivern.cli.ui.json_output import print_json
from waivern.cli.ui.screen import Screen
from waivern.message import Json, Message
from waivern.record.text_forms import clean, clip, size
from waivern.record_stream import RecordStream

HEAD = 10
"""The elements that a terminal shows of a long list."""


class ArtifactList(NamedTuple):
    """A list in an artifact's content, stored inline or as a record stream."""

    name: str
    elements: RecordStream | list[Json]

    @classmethod
    def of(cls, message: Message) -> ArtifactList | None:
        """Return the records of an artifact, or else the longest list that it has by name."""
        if message.records is not None:
            return cls(message.records.name, message.records)
        content = message.content if isinstance(message.content, dict) else {"": message.content}
        lists = [cls(name, value) for name, value in content.items() if isinstance(value, list)]
        return max(lists, key=lambda each: len(each.elements), default=None)

    def head(self, count: int) -> list[Json]:
        """Return the first elements."""
        return [*islice(self.elements, count)]


def storage_text(message: Message, stored: str | None) -> str | None:
    """Return what an artifact keeps of a source, in words; `stored` is what the journal says."""
    if "catalogue" not in message.extensions:
        return "content: it holds the data of its source" if stored == "content" else None
    entries = ArtifactList.of(message)
    what = f"{len(entries.elements):,} {clean(entries.name)}" if entries else "no items"
    parts = [f"reference: catalogue of {what}", *_amounts(message)]
    return f"{', '.join(parts)}; nothing of their content is stored"


def _amounts(message: Message) -> Iterator[str]:
    units = (message.extensions.get("coverage") or {}).get("units", {})
    for unit, counts in units.items():
        amount = counts.get("examined", 0)
        yield size(amount) if unit == "bytes" else f"{amount:,} {unit}"


def stream_facts(message: Message) -> list[tuple[str, object]]:
    """Return the facts about records in a file of their own."""
    if (records := message.records) is None:
        return []
    digest = records.digest.removeprefix("sha256:")
    about = f"{len(records):,} of '{records.name}' in a file of {size(records.size)}"
    return [("records", f"{about}, sha256 {digest}")]


def head_lines(out: Screen, found: ArtifactList, count: int) -> Iterator[str]:
    """Yield the first elements for a terminal, a line for each."""
    for element in found.head(count):
        text = json.dumps(element, ensure_ascii=not out.unicode)
        yield "  " + clip(clean(text), max(20, out.width - 2))
    if (more := len(found.elements) - count) > 0:
        yield f"… {more:,} more; --head N shows more of them, --full all"


def print_head(found: ArtifactList | None, count: int) -> None:
    """Write the first elements as JSON, a line for each."""
    for element in found.head(count) if found else ():
        print_json(element, indent=None)
