"""Ids of runs and artifacts: parsed or refused here, and nowhere else.

An id becomes a file name below the run folder, so this is also where path safety lives.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NewType

from waivern.errors import UsageError

RunId = NewType("RunId", str)
"""A run's id: one safe path segment, a UUIDv4 unless the caller chose another."""

ArtifactId = NewType("ArtifactId", str)
"""An artifact's id: safe path segments joined by '/', the '/' only from composition."""

MAX_SEGMENT_BYTES = 128
STORE = ".waivern"
PROJECT = "waivern.yaml"
"""The default name of the folder of a store."""
SYSTEM = "_system"
SCHEMA_VERSION = 1
"""The form of the run folders that this version writes; `run.json` has it."""
_SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", re.ASCII)
_RESERVED_ENDINGS = (".json", ".jsonl", ".log", ".tmp")
RULE = (
    "letters, digits, '_', '-' and '.' (not first), at most 128 bytes, "
    "not '_system', not ending in .json, .jsonl, .log or .tmp"
)


@lru_cache(maxsize=4096)  # a run checks the same ids at every step
def segment_fault(text: str) -> str | None:
    """Return why `text` cannot be one segment of an id, or None if it can."""
    if not _SEGMENT.fullmatch(text):
        return "has a character that is not allowed" if text else "is empty"
    if len(text) > MAX_SEGMENT_BYTES:
        return f"is longer than {MAX_SEGMENT_BYTES} bytes"
    if text.casefold() == SYSTEM:
        return f"is reserved ('{SYSTEM}' holds the run's own records)"
    if text.casefold().endswith(_RESERVED_ENDINGS):
        return "ends like a file name (.json, .jsonl, .log, .tmp)"
    return None


def new_run_id() -> RunId:
    """Return a fresh random id."""
    from uuid import uuid4

    return RunId(str(uuid4()))


def parse_run_id(text: str) -> RunId:
    """Return `text` as a run id. Raises UsageError if it is not a safe path segment."""
    if fault := segment_fault(text):
        raise UsageError(f"run id {text[:200]!r} {fault}", hint=f"a run id has {RULE}")
    return RunId(text)


def parse_artifact_id(text: str) -> ArtifactId:
    """Return `text` as an artifact id. Raises UsageError if a segment is not safe."""
    for segment in text.split("/"):
        if fault := segment_fault(segment):
            raise UsageError(f"artifact id {text[:200]!r} {fault}", hint=f"an id has {RULE}")
    return ArtifactId(text)


def folded(text: str) -> str:
    """Return the form in which ids must differ: some file systems fold names so."""
    import unicodedata

    return unicodedata.normalize("NFC", text).casefold()


def collisions(ids: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs (earlier, later) of different ids that a file system may treat as equal."""
    seen: dict[str, str] = {}
    found = []
    for name in ids:
        earlier = seen.setdefault(folded(name), name)
        if earlier != name:
            found.append((earlier, name))
    return found


def is_text(name: str) -> bool:
    """Return whether a name from the system is text: it has no bytes that are not UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
