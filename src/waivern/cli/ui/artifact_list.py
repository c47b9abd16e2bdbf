"""The list that an artifact mainly consists of: its first elements, and the facts about it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from waivern.cli.ui.json_output import print_json
from waivern.cli.ui.screen import Screen
from waivern.message import Message
from waivern.record.text_forms import clean, clip, size
from waivern.runs.recorded_artifacts import ArtifactList

HEAD = 10
"""The elements that a terminal shows of a long list."""


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
