"""Finding what was made before, by what it was made of; and what is found later."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from waivern.engine import artifact_identity
from waivern.engine.artifact_identity import ComponentUse, Identity, KeyedHash, UnknownIdentity
from waivern.errors import WaivernError
from waivern.message import Json, Message
from waivern.planning.plan import Node
from waivern.plugins.context import Context
from waivern.record.journal_events import ArtifactCompletedRecord, Event, from_record
from waivern.store.base import ArtifactRef, RunStore

LONG_MS = 10_000
"""Work of which no more is lost when a run is killed and never resumed."""


class CacheHit(NamedTuple):
    """An artifact that was made of the same, found intact."""

    message: Message
    ref: ArtifactRef
    origin: dict[str, Json]
    """`{run, artifact, seq, digest}`."""


class _Made(NamedTuple):
    """What a run's journal says of an artifact that may be taken."""

    key: str
    seq: int
    digest: str
    content_digest: str


class Cache:
    """What the runs of a store have made, by what it was made of. Thread-safe.

    It can only miss: whatever is wrong with it, the artifact is made. An entry is no more than a
    hint where to look: what was made of what, a run's own journal has to say.
    """

    def __init__(
        self,
        store: RunStore,
        environ: Mapping[str, str],
        refresh: frozenset[str] = frozenset(),
        *,
        make: bool = True,
    ) -> None:
        self._make = make
        """Whether the store may be written to: else nothing is found in one that has no cache."""
        self._store = store
        self._environ = environ
        self._refresh = refresh
        """Artifacts that are made again although they were made before."""
        self._lock = threading.Lock()
        self._secret: KeyedHash | None = None
        self._runs: dict[str, Mapping[str, _Made]] = {}
        self.trouble: str | None = None
        """Why the cache cannot be used at all, once that is known."""

    def identify(
        self, node: Node, tool: ComponentUse, refs: tuple[ArtifactRef, ...], ctx: Context
    ) -> Identity | UnknownIdentity:
        """Return what the artifact is made of, if it may be taken from here."""
        if (unsure := artifact_identity.unfit(node, tool.component)) is not None:
            return unsure  # without a look at the store
        secret = self._own_secret()
        if secret is None:
            return UnknownIdentity(self.trouble or "")
        return artifact_identity.identify(node, tool, refs, ctx, self._environ, secret)

    def confirm(
        self,
        node: Node,
        tool: ComponentUse,
        refs: tuple[ArtifactRef, ...],
        ctx: Context,
        before: Identity,
    ) -> Identity | None:
        """Return the identity from before the work if it is still the one.

        A source that was written to meanwhile may have been read half old, half new.
        """
        same = (
            artifact_identity.settled(node, before)
            or self.identify(node, tool, refs, ctx) == before
        )
        return before if same else None

    def find(self, artifact: str, made_of: Identity) -> CacheHit | None:
        """Return what was made of the same before, if it is there and intact."""
        if artifact in self._refresh:
            return None
        try:
            entry = self._store.recall(made_of["key"]) or {}
        except WaivernError:
            return None
        source = entry.get("origin")
        places = (entry, source) if isinstance(source, dict) else (entry,)
        return next(filter(None, (self._taken(place, made_of["key"]) for place in places)), None)

    def _taken(self, place: Mapping[str, Json], key: str) -> CacheHit | None:
        """Return what lies in a place if its run says that it was made of the same."""
        run_id, name = str(place.get("run")), str(place.get("artifact"))
        try:
            made = self._made_in(run_id).get(name)
            if made is None or made.key != key:
                return None
            ref = ArtifactRef(name, made.digest, made.content_digest)
            message = self._store.fetch(run_id, ref)
        except WaivernError:
            return None
        origin = {"run": run_id, "artifact": name, "seq": made.seq, "digest": made.digest}
        return CacheHit(message, ref, origin)

    def knows(self, made_of: Identity) -> bool:
        """Say whether anything was made of the same but for its inputs: else nothing is found."""
        try:
            return self._store.recall(artifact_identity.kind(made_of)) is not None
        except WaivernError:
            return False

    def remember(self, run_id: str, completed: Iterable[ArtifactCompletedRecord]) -> None:
        """Let artifacts be found that are durable by now. Raises StoreError, IntegrityError."""
        entries: dict[str, dict[str, Json]] = {}
        for done in completed:
            made_of = done.identity
            if made_of and (key := artifact_identity.key(made_of)):
                entries[key] = {"run": run_id, "artifact": done.artifact}
                if done.origin:  # where it is still, when this run is not there any more
                    source = {name: done.origin.get(name) for name in ("run", "artifact")}
                    entries[key]["origin"] = source
                if made_of.get("inputs"):
                    entries[artifact_identity.kind(made_of)] = entries[key]
        if entries:
            self._store.remember(entries)

    def _own_secret(self) -> KeyedHash | None:
        with self._lock:
            if self._secret is None and self.trouble is None:
                try:
                    self._secret = KeyedHash(self._store.cache_secret(make=self._make))
                except WaivernError as error:
                    self.trouble = error.message
            return self._secret

    def _made_in(self, run_id: str) -> Mapping[str, _Made]:
        """Return what a run has made, read once; nothing if it cannot be read."""
        with self._lock:
            if run_id not in self._runs:
                try:
                    self._runs[run_id] = _made_in(self._store, run_id)
                except WaivernError:
                    self._runs[run_id] = {}
            return self._runs[run_id]


class CacheRecorder:
    """Remembers what took long to make while the run goes on: whatever ends it, that is found.

    An observer of the run's events. The rest is remembered when the attempt is over.
    """

    def __init__(self, cache: Cache, run_id: str) -> None:
        self._cache = cache
        self._run_id = run_id
        self._made: list[ArtifactCompletedRecord] = []
        self._ms = 0

    def __call__(self, _seq: int, event: Event) -> None:
        if isinstance(event, ArtifactCompletedRecord) and event.identity:
            self._made.append(event)
            self._ms += event.duration_ms
            if self._ms >= LONG_MS:
                made, self._made, self._ms = self._made, [], 0
                self._cache.remember(self._run_id, made)


def _made_in(store: RunStore, run_id: str) -> dict[str, _Made]:
    found = {}
    lines = store.read_journal(run_id).lines
    if not lines or lines[0].record.get("run_id") != run_id:
        return {}  # a copy of another run, which does not say who made it
    for line in lines:
        if line.record.get("type") != "artifact_completed":
            continue
        done = from_record(line.record)
        assert isinstance(done, ArtifactCompletedRecord)
        if key := artifact_identity.key(done.identity):
            found[done.artifact] = _Made(key, line.seq, done.digest, done.content_digest)
        else:
            found.pop(done.artifact, None)
    return found
