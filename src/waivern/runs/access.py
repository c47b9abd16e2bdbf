"""Source content that is shown to a person: recorded before it is shown, and read from the source.

The operating system decides who may read a source: it is read with the person's own permissions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from waivern.clock import Clock
from waivern.engine.catalogue_origin import entries_of, origin_at
from waivern.engine.source_reading import reader_of
from waivern.errors import ArtifactNotFoundError, ComponentError, UsageError
from waivern.message import Json, Message
from waivern.plugins.context import Context
from waivern.plugins.inputs import InputItem, name_of
from waivern.record.fold import RunRecord
from waivern.runs.base_folder import base_of
from waivern.runs.foreign_sources import refuse_showing
from waivern.runs.prepare import catalogue_of
from waivern.runs.run_options import RunOptions
from waivern.runs.trust import is_foreign
from waivern.store.base import RunStore

SHOWN = "content_shown"
"""The type of the events in an access log."""


class Viewer(NamedTuple):
    """The person who is shown something."""

    by: str
    clock: Clock


def note(
    store: RunStore,
    record: RunRecord,
    artifact: str,
    viewer: Viewer,
    item: str | None = None,
    digest: str | None = None,
) -> None:
    """Record that a person is shown source content: an artifact, or one item of a source.

    Raises StoreError or IntegrityError if it cannot be recorded: nothing may be shown then.
    """
    done = record.steps[artifact].completed
    store.append_access(
        {
            "type": SHOWN,
            "at": viewer.clock.now(),
            "by": viewer.by,
            "run_id": record.metadata.run_id,
            "artifact": artifact,
            "item": item,
            "digest": digest or (done.content_digest if done else None),
        }
    )


def shown(
    store: RunStore,
    record: RunRecord,
    message: Message,
    wanted: str,
    options: RunOptions,
    viewer: Viewer,
) -> Iterator[Json]:
    """Yield one item of a source in its parts, read and checked again.

    `wanted` is its number in the list, from 1, or its path or name. The access is recorded before
    the source is read. Raises UsageError if the artifact lists no source that can be read again,
    ArtifactNotFoundError if it has no such item, ComponentError if the item cannot be read, and
    ForeignRunError if a run of another store names what would be read.
    """
    done = record.steps[message.id].completed
    if done is None or done.keep != "reference":
        raise UsageError(
            f"'{message.id}' does not list a source that is read again",
            hint=f"`wct inspect {record.metadata.run_id}/{message.id} --full` shows its content",
        )
    number, entry = _found(message, wanted)
    origin = origin_at(message, number)
    foreign = is_foreign(record, store)
    base = base_of(record, store, options, foreign=foreign).folder
    if foreign:
        refuse_showing(origin, message.id, record.metadata.run_id, base, options)
    ctx = Context(message.id, base)
    components = catalogue_of(options.project)
    reader = reader_of(origin, message.id, ctx, base, components, options.environ)
    (item,) = reader.items([entry])
    note(store, record, message.id, viewer, item.name, item.digest)
    return _parts(item, ctx)


def _parts(item: InputItem, ctx: Context) -> Iterator[Json]:
    yield from item.read()
    for name, reason, _ in ctx.coverage.skipped:
        raise ComponentError(
            f"{name!r} is not shown: {reason}", hint="run its runbook again to list it as it is now"
        )


def _found(message: Message, wanted: str) -> tuple[int, Json]:
    """Return the entry with this number, path or name, and its number."""
    _, entries = entries_of(message)
    for number, entry in enumerate(entries, 1):
        if name_of(entry) == wanted or str(number) == wanted:
            return number, entry
    raise ArtifactNotFoundError(
        f"'{message.id}' lists no item {wanted[:200]!r}, but {len(entries):,} others",
        hint=f"`wct inspect {message.run_id}/{message.id} --head 20` lists the first ones",
    )
