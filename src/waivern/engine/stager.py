"""Staging: an artifact's content becomes a message in the store, to be published by the ledger."""

from __future__ import annotations

from collections.abc import Mapping

from waivern.clock import Clock
from waivern.engine.artifact_identity import Identity
from waivern.engine.calls import Call, Content, Produced
from waivern.message import Json, Message
from waivern.planning.plan import Extract, Transform
from waivern.plugins.tally import PLANTED
from waivern.record.measure import measured
from waivern.store.base import RunStore

SOURCE_SCHEMAS = ("file_set", "database")
"""The schemas of sources' data. A processor whose result has one, as a merge of two listed folders
has, stores such data."""
_COUNTS = ("seen", "read", "skipped", "left_out")
"""What the journal has of a coverage record."""


class Stager:
    """Stages the artifacts of one run. Thread-safe."""

    def __init__(self, store: RunStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def stage(
        self,
        call: Call,
        content: Content,
        coverage: dict[str, Json] | None,
        began: float,
        *,
        identity: Identity | None = None,
        origin: dict[str, Json] | None = None,
        code: Mapping[str, Json] | None = None,
        items: dict[str, Json] | None = None,
        holds: bool = False,
    ) -> Produced:
        """Stage the content of a call that began at `began`, with its coverage record.

        The rest is what the journal has of it beside that, as in `Produced`; with `holds`, the
        component says that the content has content of a source in it.
        """
        duration = self.ms_since(began)
        if coverage and PLANTED in coverage:
            # a cached or copied result has the date of the scan that it comes from
            coverage = {**coverage, PLANTED: {"at": self._clock.now(), **coverage[PLANTED]}}
        execution = {
            "status": "success",
            "error": None,
            "duration_seconds": duration / 1000,
            "origin": "child" if call.node.base else "parent",
            "alias": None,
        }
        extensions: dict[str, Json] = {"execution": execution, "coverage": coverage}
        if content.catalogue is not None:
            extensions["catalogue"] = content.catalogue
        message = Message(
            id=call.artifact,
            content=content.value,
            schema=call.node.schema,
            run_id=call.run_id,
            source=call.node.work.label,
            timestamp=self._clock.now(),
            extensions=extensions,
            records=content.records,
            items=content.items,
        )
        receipt = self._store.stage(call.run_id, call.artifact, message)
        counts = {name: coverage.get(name, 0) for name in _COUNTS} if coverage else None
        examined = _examined(call, coverage)
        took, keep = self.ms_since(began), _keep(call, content, holds=holds)
        return Produced(receipt, took, counts, examined, identity, origin, code or {}, keep, items)

    def now(self) -> str:
        """Return the time, for people and for files: RFC 3339, UTC."""
        return self._clock.now()

    def ms_since(self, began: float) -> int:
        """Return the milliseconds since a moment of the clock."""
        return round((self._clock.monotonic() - began) * 1000)


def _keep(call: Call, content: Content, *, holds: bool) -> str | None:
    """Return what the artifact has of a source, for the journal."""
    if content.catalogue is not None:
        return "reference"
    holds = holds or isinstance(call.node.work, Extract) or call.node.schema.name in SOURCE_SCHEMAS
    return "content" if holds else None


def _examined(call: Call, coverage: dict[str, Json] | None) -> dict[str, Json] | None:
    """Return what the journal keeps of a coverage record; a connector has one in any case."""
    work = call.node.work
    if not isinstance(work, (Extract, Transform)):
        return None
    if coverage is None:
        return None if isinstance(work, Transform) else measured(None, work.label, {})
    names = {key: str(id_) for id_, key in zip(call.node.inputs, call.node.called, strict=True)}
    return measured(coverage, work.label, names)
