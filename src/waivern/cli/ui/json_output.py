"""The JSON document of `--json`, with the name and version of its schema."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from waivern.cli.ui.text import clean_lines

if TYPE_CHECKING:
    from waivern.message import Json


def print_document(what: str, data: Json) -> None:
    """Write `{"schema": "wct.<what>/1", "data": ...}`."""
    sys.stdout.write(json_text({"schema": f"wct.{what}/1", "data": data}) + "\n")


def json_text(value: Json) -> str:
    """Return a value as JSON, without characters that a terminal would interpret."""
    plain = not (sys.stdout.encoding or "").lower().startswith("utf")
    return clean_lines(json.dumps(value, indent=2, ensure_ascii=plain))
