"""An artifact of a recorded run: the name that finds it, its message, and its main list."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from waivern.diagnostics import did_you_mean
from waivern.errors import ArtifactNotFoundError, IntegrityError, WaivernError
from waivern.message import Json, Message
from waivern.record.fold import RunRecord
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean, listed, size
from waivern.record_stream import RecordStream
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef


class ArtifactList(NamedTuple):
    """A list in an artifact's content, stored inline or as a record stream."""

    name: str
    elements: RecordStream | list[Json]

    @classmethod
    def of(cls, message: Message) -> ArtifactList | None:
        """Return the records of an artifact, or else the longest list that it has by name."""
        if message.records is not None:
            return cls(message.records.name, message.records)
        content = message.content if isinstance(message.content, dict) else {"": message.content}
        lists = [cls(name, value) for name, value in content.items() if isinstance(value, list)]
        return max(lists, key=lambda each: len(each.elements), default=None)

    def head(self, count: int) -> list[Json]:
        """Return the first elements."""
        return [*islice(self.elements, count)]


def meant(record: RunRecord, name: str) -> str:
    """Return the artifact of that name, or the one that the alias resolves to."""
    if name in record.steps:
        return name
    behind = record.aliases.get(name, [])
    if len(behind) > 1:
        raise ArtifactNotFoundError(
            f"'{name}' resolves to {len(behind):,} artifacts", hint=f"name one: {listed(behind)}"
        )
    if not behind:
        raise _unknown(record, name)
    return behind[0]


def _unknown(record: RunRecord, name: str) -> ArtifactNotFoundError:
    run_id = record.metadata.run_id
    return ArtifactNotFoundError(
        f"run {run_id} has no artifact {name[:200]!r}",
        hint=did_you_mean(name, [*record.steps, *record.aliases])
        or f"it has {listed(list(record.steps))}",
    )


def fetched(store: RunStore, record: RunRecord, step: StepRecord) -> Message | None:
    """Return the artifact of a step, if it was completed. Raises IntegrityError if it is lost."""
    done = step.completed
    if done is None:
        return None
    run_id = record.metadata.run_id
    ref = ArtifactRef(step.artifact, done.digest, done.content_digest)
    if step.redacted:
        try:
            return store.fetch(run_id, ref, redacted=True)
        except WaivernError:  # a crash came before it was destroyed: it is not shown any more
            return None
    try:
        return store.fetch(run_id, ref)
    except ArtifactNotFoundError as error:
        raise IntegrityError(
            f"artifact '{step.artifact}' of run {run_id} was completed, but its file is missing",
            hint=f"`wct runs resume {run_id}` rebuilds it",
        ) from error


def storage_text(message: Message, stored: str | None) -> str | None:
    """Return in words what an artifact holds of a source; `stored` is what the journal records."""
    if "catalogue" not in message.extensions:
        return "content: it holds the data of its source" if stored == "content" else None
    entries = ArtifactList.of(message)
    what = f"{len(entries.elements):,} {clean(entries.name)}" if entries else "no items"
    parts = [f"reference: catalogue of {what}", *_amounts(message)]
    return f"{', '.join(parts)}; nothing of their content is stored"


def _amounts(message: Message) -> Iterator[str]:
    units = (message.extensions.get("coverage") or {}).get("units", {})
    for unit, counts in units.items():
        amount = counts.get("examined", 0)
        yield size(amount) if unit == "bytes" else f"{amount:,} {unit}"
