"""The content that a connector extracts, with the parts of large items joined."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from waivern.builtin.filesystem import Filesystem
from waivern.builtin.sqlite import Sqlite
from waivern.plugins.context import Context
from waivern.plugins.inputs import joined_parts, listed_items


def extracted(
    connector: Filesystem | Sqlite, config: BaseModel, ctx: Context
) -> dict[str, list[Any]]:
    """Return the content, read to its end."""
    records = connector.extract(config, ctx)  # type: ignore[arg-type]
    return {connector.streams: [joined_parts(item.read()) for item in listed_items(records)]}
