"""The events of a run of another process, as they become durable."""

from __future__ import annotations

from typing import NamedTuple

from waivern.errors import ArtifactNotFoundError, WaivernError
from waivern.plugins.tally import Progress
from waivern.record.fold import RunRecord
from waivern.record.journal_events import Event, from_record
from waivern.store.base import RunStore

LOOK_S = 0.2
"""The interval at which a run in a folder is looked at; a remote store sets a longer one."""


class FollowedNews(NamedTuple):
    """The news of a run since the last look."""

    events: list[tuple[int, Event]]
    """Each with its line in the journal."""
    progress: dict[str, Progress]
    """The last progress of the artifacts at work."""
    live: bool
    """Whether there may be more."""


class RunFollower:
    """The follower of one run, from the last event of a record on."""

    def __init__(self, store: RunStore, record: RunRecord) -> None:
        self._store = store
        self._run_id = record.metadata.run_id
        self._tail = store.tail(self._run_id, record.count)
        self.interval = max(LOOK_S, store.watch_s / 2)

    def look(self) -> FollowedNews:
        """Return the news. Raises IntegrityError, RunNotFoundError of a removed run, StoreError."""
        live = self._store.owner(self._run_id) is not None  # before the journal: it may end between
        lines = self._tail.read()
        events = [(line.seq, from_record(line.record)) for line in lines]
        return FollowedNews(events, self._progress() if live else {}, live or bool(lines))

    def _progress(self) -> dict[str, Progress]:
        try:
            found = self._store.read_json(self._run_id, "progress")
        except (ArtifactNotFoundError, WaivernError):
            return {}  # nothing depends on it
        artifacts = found.get("artifacts")
        known = artifacts.items() if isinstance(artifacts, dict) else ()
        return {str(name): _progress(each) for name, each in known if isinstance(each, dict)}


def _progress(document: dict[str, object]) -> Progress:
    """Return a progress; what is not a number in it is unknown."""
    values = [document.get(name) for name in Progress._fields]
    n, *others = [value if type(value) is int else None for value in values]
    return Progress(n or 0, *others)
