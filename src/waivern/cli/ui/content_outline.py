"""The outline of content: its shape, its counts and its beginning."""

from __future__ import annotations

import json

from waivern.message import Json
from waivern.record.text_forms import clean, clip, counted
from waivern.record_stream import RecordStream

LINES = 8
"""The number of lines of content in an outline."""
KEYS = 6
HIDDEN = "sensitive: not shown without --reveal"


def shape(content: Json, *, texts: bool = True) -> str:
    """Return the shape of content on one line: 'findings: 218 items, summary: 3 keys'.

    Short texts are shown with `texts`: those of a source are content of it.
    """
    match content:
        case dict():
            parts = [
                f"{clip(clean(k), 40)}: {_kind(v, texts)}" for k, v in list(content.items())[:KEYS]
            ]
            more = len(content) - KEYS
            return ", ".join(parts) + (f", and {counted(more, 'key')} more" if more > 0 else "")
        case _:
            return _kind(content, texts)


def _kind(value: Json, texts: bool) -> str:
    match value:
        case dict():
            return counted(len(value), "key")
        case list() | RecordStream():
            return counted(len(value), "item")
        case str():
            return (
                counted(len(value), "character")
                if len(value) > 30 or not texts
                else clean(json.dumps(value, ensure_ascii=False))
            )
        case _:
            return json.dumps(value)


def beginning(text: str, width: int) -> list[str]:
    """Return the first lines of formatted content, and the number of those that follow."""
    lines = text.split("\n")
    shown = [clip(line, width) for line in lines[:LINES]]
    if (more := len(lines) - LINES) > 0:
        shown.append(f"… {counted(more, 'more line')}; --full shows them")
    return shown
