"""The reasons why an item of a source, or the rest of it, is not read."""

from __future__ import annotations

from waivern.message import Json

TOO_LARGE = "too large"
CHANGED = "changed since it was listed"
PARTLY = ", after a part of it was read"
"""The end of the reason why the rest of an item was not read."""


class Unread(Exception):  # noqa: N818 - not an error: a fact for the coverage record
    """The reason why an item, or the rest of it, is not read.

    `rest` is what was read of it after the parts that have been yielded.
    """

    def __init__(self, reason: str, rest: dict[str, Json] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.rest = rest
