"""Requests of other processes to a live run: to cancel it, and to annotate it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from waivern.clock import Clock
from waivern.engine.inbox import AnnotationRequested, CancelRequested
from waivern.errors import WaivernError
from waivern.record.fold import RunRecord
from waivern.runs.annotation_requests import AnnotationRequests
from waivern.store.base import RunStore
from waivern.store.writers import Lease


class RunRequests:
    """The requests to a run, as one thread of its holder looks at them from time to time."""

    def __init__(
        self,
        store: RunStore,
        lease: Lease,
        record: RunRecord,
        clock: Clock,
        hide: Callable[[str], str],
    ) -> None:
        self._store = store
        self._lease = lease
        self._record = record
        self._cancelled = False
        self._annotations = AnnotationRequests(record.metadata.metadata, clock, hide)

    def look(self) -> Iterator[CancelRequested | AnnotationRequested]:
        """Yield what is new; a store that cannot be read is asked again later."""
        try:
            self._remove_granted()
            requests = self._store.requests(self._record.metadata.run_id)
        except WaivernError:
            return
        for event in self._annotations.events(requests):
            yield AnnotationRequested(event)
        if not self._cancelled and (request := requests.get("cancel")) is not None:
            self._cancelled = True
            note = request.get("note")
            yield CancelRequested(str(request.get("by")), None if note is None else str(note))

    def _remove_granted(self) -> None:
        """Remove the requests whose events are durable: who made them waits for that."""
        seen = set(self._annotations.seen)
        if seen and self._record.metadata.metadata == self._annotations.metadata:
            self._lease.clear_requests(seen)
            self._annotations.forget(seen)
