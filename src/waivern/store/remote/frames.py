"""The form of what a remote store and its server send each other.

A frame is a line of JSON, then the bytes that it refers to by their positions. Both sides use this
module, so that neither can read what the other does not write.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from waivern.errors import IntegrityError, RefusedError, StoreError, UsageError, WaivernError
from waivern.message import Json
from waivern.store.ownership import ForeignOwnerError

FORM = 1
"""The version of the protocol; a server refuses another one."""
PREFIX = "/api/v1/store"
"""The path of the protocol below the address of a server."""
PART_BYTES = 4 << 20
"""The bytes of files that a frame has: more is sent in parts, each of which can be repeated."""
FRAME_BYTES = 16 << 20
"""The largest frame of a client."""
MOST_OPERATIONS = 4000
"""The number of operations in a frame at most."""


class FrameError(ValueError):
    """Bytes that are no frame."""


class Frame(NamedTuple):
    """A document, and the bytes of files that belong to it."""

    head: dict[str, Json]
    blobs: Sequence[bytes] = ()

    def packed(self) -> bytes:
        """Return the bytes of the frame."""
        head = {**self.head, "blobs": [len(blob) for blob in self.blobs]}
        text = json.dumps(head, ensure_ascii=False, separators=(",", ":"))
        # a name of a file that is not UTF-8 keeps its bytes
        return b"\n".join((text.encode(errors="surrogateescape"), b"".join(self.blobs)))


def unpacked(data: bytes) -> Frame:
    """Return the frame in these bytes. Raises FrameError."""
    text, _, rest = data.partition(b"\n")
    try:
        head = json.loads(text.decode(errors="surrogateescape"))
        sizes = head.pop("blobs")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise FrameError("it does not begin with a line of JSON that has 'blobs'") from error
    if not isinstance(head, dict) or not isinstance(sizes, list):
        raise FrameError("its first line is not a JSON object with a list 'blobs'")
    if not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) != len(rest):
        raise FrameError("its bytes are not as many as 'blobs' has")
    blobs, at = [], 0
    for size in sizes:
        blobs.append(rest[at : at + size])
        at += size
    return Frame(head, blobs)


# errors

_KINDS: dict[str, type[WaivernError]] = {
    "foreign": ForeignOwnerError,
    "integrity": IntegrityError,
    "refused": RefusedError,
    "usage": UsageError,
    "store": StoreError,
}


class DisplacedError(Exception):
    """A run that is not in the place in which its holder opened it."""


def error_document(error: Exception) -> dict[str, Json]:
    """Return the document of an error that an operation raised."""
    if isinstance(error, OSError):
        return {
            "kind": "os",
            "errno": errno.errorcode.get(error.errno or 0, "EIO"),
            "message": error.strerror or "",
            "name": error.filename if isinstance(error.filename, str) else None,
        }
    if isinstance(error, DisplacedError):
        return {"kind": "displaced", "message": str(error)}
    assert isinstance(error, WaivernError)
    kind = next((name for name, each in _KINDS.items() if isinstance(error, each)), "store")
    return {"kind": kind, "message": error.message, "hint": error.hint}


def error_of(document: Json) -> Exception:
    """Return the error that a document describes; an unknown one is a failure of the device."""
    found = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    message = str(found.get("message") or "")
    if found.get("kind") == "displaced":
        return DisplacedError(message)
    if (kind := _KINDS.get(str(found.get("kind")))) is not None:
        return kind(message, hint=found.get("hint"))
    number = _NUMBERS.get(str(found.get("errno")), errno.EIO)
    return OSError(number, message or os.strerror(number), found.get("name"))


_NUMBERS = {name: number for number, name in errno.errorcode.items()}
"""The numbers of errors differ between systems; their names do not."""
