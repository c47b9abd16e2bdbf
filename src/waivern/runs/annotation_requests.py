"""Requests to annotate a run, as its holder sees them: applied in order, then journaled."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from waivern.clock import Clock
from waivern.errors import UsageError
from waivern.message import Json
from waivern.record.annotations import AnnotationChange, Annotations
from waivern.record.fold import RunRecord
from waivern.record.journal_events import RunAnnotatedRecord, to_record
from waivern.store.base import RunStore
from waivern.store.writers import Lease

PREFIX = "annotate-"
"""The beginning of the names of such requests."""


def grant(store: RunStore, lease: Lease, record: RunRecord, clock: Clock) -> None:
    """Journal the requests that an earlier holder left behind, durably, and remove them.

    One that it had journaled before it died changes nothing again.
    """
    requests = AnnotationRequests(record.metadata.metadata, clock)
    events = requests.events(store.requests(record.metadata.run_id))
    if events:
        lease.append(map(to_record, events), sync=True)
    for event in events:
        record.apply(event)
    lease.clear_requests(requests.seen)


class AnnotationRequests:
    """The requests of one attempt, each turned into an event once."""

    def __init__(
        self,
        metadata: dict[str, Json],
        clock: Clock,
        hide: Callable[[str], str] = lambda text: text,
    ) -> None:
        self.metadata = metadata
        """The annotations after all events that were returned."""
        self.seen: set[str] = set()
        """The names of the requests that were looked at, granted or refused."""
        self._clock = clock
        self._hide = hide

    def events(self, requests: Mapping[str, Mapping[str, Json]]) -> list[RunAnnotatedRecord]:
        """Return what is to be journaled for new requests."""
        names = (name for name in sorted(requests) if name.startswith(PREFIX))
        new = [name for name in names if name not in self.seen]
        self.seen.update(new)
        return [*filter(None, map(self._event, (requests[name] for name in new)))]

    def forget(self, names: Iterable[str]) -> None:
        """Forget requests that were removed."""
        self.seen.difference_update(names)

    def _event(self, request: Mapping[str, Json]) -> RunAnnotatedRecord | None:
        """Return the event of a request; None if it changes nothing, or cannot be granted."""
        change = request.get("change")
        if not isinstance(change, dict):
            return None
        try:
            wanted = AnnotationChange.of(change).applied(Annotations.recorded(self.metadata))
        except UsageError:
            return None  # `annotate` checks it: this one is of another origin, or came too late
        new = wanted.redacted(self._hide).document
        if new == self.metadata:
            return None
        self.metadata = new
        return RunAnnotatedRecord(self._clock.now(), str(request.get("by")), new)
