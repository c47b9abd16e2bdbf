"""The part of listed sources that has no result in an earlier run, estimated before any work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from waivern.engine.artifact_identity import Identity
from waivern.engine.call_tests import named_inputs
from waivern.engine.calls import Call
from waivern.engine.catalogue_origin import entries_of
from waivern.engine.earlier_items import entry_digest, item_digest
from waivern.engine.source_reader_identity import reader_digests
from waivern.message import Json, Message
from waivern.record_stream import RecordStream, parsed
from waivern.store.base import RunStore

SAMPLED = 1_000
"""The entries of each input that are looked up: not all, for the estimate must cost next to nothing
beside the work."""
_DIGEST = re.compile(rb'"digest":"(sha256:[0-9a-f]{64})"')


def share_of_new(store: RunStore, call: Call, identity: Identity, index: RecordStream) -> float:
    """Return the part of the bytes of the inputs whose items are not in the index of a result.

    From 0 to 1, by a sample of the items; 1 if an input lists no source. Raises WaivernError.
    """
    readers = reader_digests(identity.get("readers", {}))
    sizes: dict[bytes, int] = {}
    for name, ref in named_inputs(call):
        if name not in readers:
            return 1.0
        for entry in _sample(store.fetch(call.run_id, ref)):
            digest = item_digest(entry_digest(entry), readers[name])
            sizes[digest.encode()] = _size(entry)
    total = sum(sizes.values())
    for line in index.lines():
        if (found := _DIGEST.search(line)) is not None:
            sizes.pop(found[1], None)
    return sum(sizes.values()) / total if total else 1.0


def _sample(message: Message) -> Iterator[Json]:
    _, entries = entries_of(message)
    step = max(1, len(entries) // SAMPLED)
    if isinstance(entries, RecordStream):
        yield from map(parsed, islice(entries.lines(), 0, None, step))
    else:
        yield from entries[::step]


def _size(entry: Json) -> int:
    size = entry.get("size") if isinstance(entry, dict) else None
    return size if type(size) is int and size > 0 else 1
