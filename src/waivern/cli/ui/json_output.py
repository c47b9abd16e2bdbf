"""The JSON document of `--json`, with the name and version of its schema."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from waivern.record.text_forms import clean_lines

if TYPE_CHECKING:
    from waivern.message import Json, Message


def print_document(what: str, data: Json) -> None:
    """Write `{"schema": "wct.<what>/1", "data": ...}`."""
    print_json(_document(what, data))


def _document(what: str, data: Json) -> Json:
    return {"schema": f"wct.{what}/1", "data": data}


def print_json(value: Json, *, indent: int | None = 2) -> None:
    """Write a value on lines of its own."""
    sys.stdout.write(json_text(value, indent=indent) + "\n")


def print_content(message: Message, what: str = "", data: dict[str, Json] | None = None) -> None:
    """Write the whole content of an artifact; with `data`, as its key `content` in a document.

    Of a record stream, no more than one record is held.
    """
    from waivern.whole_artifact import document_pieces  # only `--full` needs it

    def written(content: Json) -> bytes:
        about = None if data is None else _document(what, {**data, "content": content})
        return json_text(about or content).encode()

    if message.records is None:
        pieces = iter([written(message.content)])
    else:
        pieces = document_pieces(written, message.content, message.records, _shown_line)
    for piece in pieces:
        sys.stdout.write(piece.decode())
    sys.stdout.write("\n")


def _shown_line(line: bytes) -> bytes:
    """Return the JSON of a record as `json_text` does."""
    if _plain():
        return json_text(json.loads(line), indent=None).encode()
    return clean_lines(line.decode()).encode()


def json_text(value: Json, *, indent: int | None = 2) -> str:
    """Return a value as JSON, without characters that a terminal would interpret."""
    return clean_lines(json.dumps(value, indent=indent, ensure_ascii=_plain()))


def _plain() -> bool:
    """Return whether stdout can write nothing but ASCII."""
    return not (sys.stdout.encoding or "").lower().startswith("utf")
