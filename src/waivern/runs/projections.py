"""Projections of a journal, `run.json` and `state.json`, as this and earlier versions wrote them.

Newer versions add keys. A file that an earlier version wrote lacks those, so only the keys that
were there from the beginning must be; what is there must say what the journal says, byte for byte.
A key that this version does not know came from a later one of the same form, which has all of ours.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import NamedTuple

from waivern.message import Json, json_bytes
from waivern.record.fold import RunRecord
from waivern.store.store_values import JournalLine, RecordName


class Projection(NamedTuple):
    """A file that is derived from the journal."""

    time: str
    """The key with the time of the last event that is in it."""
    document: Callable[[RunRecord], dict[str, Json]]
    anchored: bool
    """Whether it names a line of the journal, under `journal`."""
    first: Mapping[str, frozenset[str]]
    """The keys that the first version wrote: of the file (''), and of what is under a key."""

    def keys(self, record: RunRecord) -> set[str]:
        """Return the keys that this version writes."""
        return {*self.document(record), *(("journal",) if self.anchored else ())}

    def read(self, data: bytes) -> dict[str, Json] | None:
        """Return what the file says; None if that is no JSON object."""
        try:
            document = json.loads(data)
        except (ValueError, RecursionError):
            return None
        odd = not isinstance(document, dict) or not isinstance(
            document.get("schema_version", 0), int
        )
        return None if odd else document

    def fits(
        self, record: RunRecord, anchor: JournalLine, written: dict[str, Json], data: bytes
    ) -> bool:
        """Report whether the file says what the journal says, as far as its version wrote it."""
        wanted = self.document(record)
        if self.anchored:
            synced = _synced(written, anchor.seq, record.count)
            wanted["journal"] = {"count": anchor.seq, "head": anchor.hash, "synced": synced}
        expected = self._as_written(wanted, written)
        try:
            return expected is not None and json_bytes(expected) == data
        except ValueError:  # the journal has text that no file can have
            return False

    def _as_written(
        self, wanted: dict[str, Json], written: dict[str, Json], at: str = ""
    ) -> dict[str, Json] | None:
        """Return what is wanted with the keys that were written, in their order.

        None if a key is missing that the version must have written.
        """
        lacking, unknown = wanted.keys() - written.keys(), written.keys() - wanted.keys()
        if lacking and (unknown or lacking & self.first.get(at, wanted.keys())):
            return None
        return {
            key: self._value(wanted[key], value, key) if key in wanted else value
            for key, value in written.items()
        }

    def _value(self, wanted: Json, written: Json, at: str) -> Json:
        if at not in self.first:
            return wanted
        if isinstance(wanted, dict) and isinstance(written, dict):
            found = self._as_written(wanted, written, at)
            return wanted if found is None else found
        if isinstance(wanted, list) and isinstance(written, list) and len(wanted) == len(written):
            return [self._value(*pair, at) for pair in zip(wanted, written, strict=True)]
        return wanted


def _synced(written: dict[str, Json], least: int, most: int) -> int:
    """Return the number of durable lines that a file names, if there can have been so many."""
    head = written.get("journal")
    named = head.get("synced") if isinstance(head, dict) else None
    return named if type(named) is int and least <= named <= most else least


def _keys(names: str) -> frozenset[str]:
    return frozenset(names.split())


PROJECTIONS: Mapping[RecordName, Projection] = {
    "run": Projection(
        "updated_at",
        lambda record: record.metadata.document(),
        anchored=True,
        first={
            "": _keys(
                "schema_version run_id runbook_path runbook_name runbook_version runbook_hash "
                "status started_at completed_at updated_at duration_ms error suspended_at "
                "suspension_reason params children attempts journal"
            ),
            "attempts": _keys("started_at ended_at status reason host pid runbook_hash"),
            "children": _keys("path sha256"),
            "journal": _keys("count head"),
        },
    ),
    "state": Projection(
        "last_checkpoint",
        lambda record: record.state.document(),
        anchored=False,
        first={"": _keys("completed not_started failed skipped suspended last_checkpoint")},
    ),
}
