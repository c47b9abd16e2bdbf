"""Whole artifacts: JSON text with the records of a stream in place, written piece by piece."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from waivern.message import Json, Message, encode
from waivern.record_stream import RecordStream

PIECE_BYTES = 1 << 18
"""The size from which bytes are passed on."""


def file_pieces(message: Message) -> Iterator[bytes]:
    """Yield the bytes of an artifact's file in which nothing is left to another file."""
    alone = replace(message, records=None, items=None)
    if message.records is None:
        yield encode(alone).data
        return
    yield from document_pieces(
        lambda content: encode(replace(alone, content=content)).data,
        message.content,
        message.records,
        lambda line: line,
    )


def document_pieces(
    written: Callable[[Json], bytes],
    content: Json,
    records: RecordStream,
    line: Callable[[bytes], bytes],
) -> Iterator[bytes]:
    """Yield what `written` returns of a content whose list is in a record stream.

    Each record has a line of its own, which `line` returns of its canonical JSON. One record at a
    time is held.
    """
    if not records.count:
        yield written({**content, records.name: []})
        return
    # a text that occurs nowhere else marks the place
    mark = os.urandom(16).hex()
    before, after = written({**content, records.name: [mark]}).split(json.dumps(mark).encode())
    indent = before[before.rindex(b"\n") :]
    yield from _pieces(_elements(before, map(line, records.lines()), b"," + indent, after))


def _elements(
    before: bytes, elements: Iterable[bytes], between: bytes, after: bytes
) -> Iterator[bytes]:
    separator = before
    for element in elements:
        yield separator
        yield element
        separator = between
    yield after


def _pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts, since each write of one would cost a system call."""
    held, size = list[bytes](), 0
    for part in parts:
        held.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)
