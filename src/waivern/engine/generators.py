"""Generator components: their records are written while they are yielded."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import Any

from waivern.engine.calls import Content
from waivern.errors import ComponentError
from waivern.message import Json
from waivern.record_stream import RecordStream
from waivern.store.writers import RecordSink


class AbandonedError(Exception):
    """The work is not wanted any more; raised where a generator yields."""


def drained(
    generator: Any, sink: RecordSink, name: str, wanted: Callable[[], bool]
) -> Content | Awaitable[Content]:
    """Return the content that a generator yields, or an awaitable of it."""
    drain_it: Callable[..., Content | Awaitable[Content]]
    drain_it = drain_async if inspect.isasyncgen(generator) else drain
    return drain_it(generator, sink, name, wanted)


def drain(
    generator: Generator[Json, None, Json], sink: RecordSink, name: str, wanted: Callable[[], bool]
) -> Content:
    """Write all records of a generator; return the content with what it returned at its end."""
    try:
        while True:
            try:
                record = next(generator)
            except StopIteration as end:
                return streamed(end.value, sink, name)
            write(record, sink, wanted)
    finally:
        generator.close()


async def drain_async(
    generator: AsyncGenerator[Json, None], sink: RecordSink, name: str, wanted: Callable[[], bool]
) -> Content:
    """Write all records of an asynchronous generator, which can return nothing else."""
    try:
        async for record in generator:
            write(record, sink, wanted)
        return streamed(None, sink, name)
    finally:
        await generator.aclose()


def write(record: Json, sink: RecordSink, wanted: Callable[[], bool]) -> None:
    """Write a record. Raises AbandonedError if the work is not wanted any more."""
    if not wanted():
        raise AbandonedError
    sink.write(record)


def streamed(rest: Json, sink: RecordSink, name: str) -> Content:
    """Return the content that consists of `rest` and of the records in a sink.

    Raises ComponentError if `rest` is no object, or has a list of that name itself.
    """
    rest = {} if rest is None else rest
    if not isinstance(rest, dict) or name in rest:
        fault = f"an object with the key {name!r}" if isinstance(rest, dict) else "no object"
        raise ComponentError(
            f"a generator returned {fault} beside its records",
            hint=f"return an object without {name!r}, or nothing",
        )
    records = sink.finish()
    if isinstance(records, RecordStream):
        return Content(rest, records)
    return Content({**rest, name: records})
