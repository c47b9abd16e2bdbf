"""JSON pointers (RFC 6901) into the content of an artifact, whose list may be a stream."""

from __future__ import annotations

import re

from waivern.diagnostics import did_you_mean
from waivern.errors import NotFoundError, UsageError
from waivern.message import Json, Message
from waivern.record_stream import RecordStream

_INDEX = re.compile("0|[1-9][0-9]{0,15}")
_ESCAPES = {"~0": "~", "~1": "/"}


def resolve_pointer(message: Message, pointer: str) -> Json:
    """Return the value that a pointer refers to; a stream is read up to the element only.

    Raises UsageError for a text that is no pointer, NotFoundError where it leads nowhere.
    """
    if pointer and not pointer.startswith("/"):
        raise UsageError(
            f"{pointer[:80]!r} is not a JSON pointer", hint="write it as --pointer /findings/0/type"
        )
    value: Json = message.complete_content
    at = ""
    for part in pointer.split("/")[1:]:
        if re.search("~(?![01])", part):
            raise UsageError(f"{part[:80]!r} has a '~' that is no escape", hint="write ~0 for '~'")
        key = re.sub("~[01]", lambda found: _ESCAPES[found[0]], part)
        value = _step(value, key, at)
        at += f"/{part}"
    return [*value] if isinstance(value, RecordStream) else value


def _step(value: Json, key: str, at: str) -> Json:
    where = at or "the content"
    if isinstance(value, dict):
        if key in value:
            return value[key]
        hint = did_you_mean(key, value) or f"it has {', '.join(list(value)[:10])}"
        raise NotFoundError(f"{where} has no key {key[:80]!r}", hint=hint)
    if isinstance(value, list | RecordStream):
        if not _INDEX.fullmatch(key):
            raise NotFoundError(f"{where} is a list, and {key[:80]!r} is no index")
        if int(key) >= len(value):
            raise NotFoundError(f"{where} has {len(value):,} items, the first is 0")
        return value.item(int(key)) if isinstance(value, RecordStream) else value[int(key)]
    raise NotFoundError(f"{where} is neither a list nor an object: nothing is in it")
