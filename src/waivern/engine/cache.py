"""The cache: results of earlier runs, found by the identity of the work."""

import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from waivern.engine import artifact_identity
from waivern.engine.artifact_identity import ComponentUse, Identity, KeyedHash, UnknownIdentity
from waivern.errors import WaivernError
from waivern.message import Json, Message
from waivern.planning.plan import Node
from waivern.plugins.context import Context
from waivern.record.journal_events import ArtifactCompletedRecord, Event, from_record
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef

if TYPE_CHECKING:
    from waivern.engine.earlier_items import EarlierItems
    from waivern.record_stream import RecordStream

LONG_MS = 10_000
"""Work of which no more is lost when a run is killed and never resumed."""


Readers: TypeAlias = Callable[[KeyedHash], dict[str, Json]]
"""Identifies what reads the inputs that list sources; see `source_reader_identity`."""


class CacheHit(NamedTuple):
    """A cached result that was found intact."""

    message: Message
    ref: ArtifactRef
    origin: dict[str, Json]
    """`{run, artifact, seq, digest}`."""


class _Made(NamedTuple):
    """The record of a result in the journal of the run that produced it."""

    key: str
    seq: int
    size: int
    digest: str
    content_digest: str
    series: str | None
    """The key under which later results take its items."""


class _Earlier(NamedTuple):
    """A result with an index of its items."""

    message: Message
    origin: dict[str, Json]
    """`{run, artifact, seq, digest}`."""
    intact: Callable[[], bool]
    """Returns whether it is still what its journal recorded."""


class Cache:
    """The results of a store's runs, by identity. Thread-safe.

    It can only miss: if anything is wrong with it, the artifact is produced. An entry is no more
    than a hint where to look: only the journal of a run says which identity its results have.
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
        self.refresh = refresh
        """Artifacts that are rebuilt although a cached result may exist."""
        self._lock = threading.Lock()
        self._secret: KeyedHash | None = None
        self._runs: dict[str, Mapping[str, _Made]] = {}
        self.trouble: str | None = None
        """Why the cache cannot be used at all, once that is known."""

    def identify(
        self,
        node: Node,
        tool: ComponentUse,
        refs: tuple[ArtifactRef, ...],
        ctx: Context,
        source: dict[str, Json] | None = None,
        readers: Readers | None = None,
    ) -> Identity | UnknownIdentity:
        """Return the identity of an artifact, if a cached result of it may be used."""
        if (unsure := artifact_identity.unfit(node, tool.component)) is not None:
            return unsure  # without a look at the store
        secret = self._own_secret()
        if secret is None:
            return UnknownIdentity(self.trouble or "")
        read_by = None if readers is None else partial(readers, secret)
        return artifact_identity.identify(
            node, tool, refs, ctx, self._environ, secret, source, read_by
        )

    def confirm(
        self,
        node: Node,
        tool: ComponentUse,
        refs: tuple[ArtifactRef, ...],
        ctx: Context,
        before: Identity,
        readers: Readers | None = None,
    ) -> Identity | None:
        """Return the identity from before the work if it is still the one.

        A source that was written to meanwhile may have been read half old, half new.
        """
        same = (
            artifact_identity.settled(node, before)
            or self.identify(node, tool, refs, ctx, readers=readers) == before
        )
        return before if same else None

    def find(self, artifact: str, identity: Identity) -> CacheHit | None:
        """Return the cached result of an identity, if it is there and intact."""
        if artifact in self.refresh:
            return None
        try:
            entry = self._store.recall(identity["key"]) or {}
        except WaivernError:
            return None
        source = entry.get("origin")
        places = (entry, source) if isinstance(source, dict) else (entry,)
        return next(filter(None, (self._taken(place, identity["key"]) for place in places)), None)

    def _taken(self, place: Mapping[str, Json], key: str) -> CacheHit | None:
        """Return the result at a place, if its run recorded it under the same key."""
        run_id, name = str(place.get("run")), str(place.get("artifact"))
        try:
            made = self._made_in(run_id).get(name)
            if made is None or made.key != key:
                return None
            ref = ArtifactRef(name, made.digest, made.content_digest)
            message = self._store.fetch(run_id, ref)
            ref = ref._replace(lists_source="catalogue" in message.extensions)
        except WaivernError:
            return None
        origin = {"run": run_id, "artifact": name, "seq": made.seq, "digest": made.digest}
        return CacheHit(message, ref, origin)

    def earlier_items(
        self, node: Node, identity: Identity, list_name: str | None = None
    ) -> "EarlierItems | None":
        """Return the latest result of an artifact that differs in its inputs only, item by item.

        `list_name` is the key of its list of records.
        """
        from waivern.engine.earlier_items import EarlierItems  # most components need none

        found = self._earlier(node, identity)
        try:
            if found is None or not found.intact():
                return None
            return EarlierItems(found.message, list_name, found.origin, found.intact)
        except WaivernError:
            return None

    def earlier_index(self, node: Node, identity: Identity) -> "RecordStream | None":
        """Return the index of the items of that result, unchecked."""
        found = self._earlier(node, identity)
        return None if found is None else found.message.items

    def _earlier(self, node: Node, identity: Identity) -> _Earlier | None:
        """Return the latest result of an artifact that has an index of its items."""
        if node.id in self.refresh:
            return None
        key = artifact_identity.series(identity, node.id)
        try:
            place = self._store.recall(key) or {}
            run_id, name = str(place.get("run")), str(place.get("artifact"))
            made = self._made_in(run_id).get(name)
            if made is None or made.series != key:
                return None
            ref = ArtifactRef(name, made.digest, made.content_digest)
            message = self._store.fetch(run_id, ref)
            if message.items is None:
                return None
        except WaivernError:
            return None
        verify = partial(self._store.verify, run_id, name, size=made.size, digest=made.digest)
        origin = {"run": run_id, "artifact": name, "seq": made.seq, "digest": made.digest}
        return _Earlier(message, origin, lambda: verify() is None)

    def knows(self, identity: Identity) -> bool:
        """Report whether any result has this identity but for its inputs: else nothing is found."""
        try:
            return self._store.recall(artifact_identity.kind(identity)) is not None
        except WaivernError:
            return False

    def remember(self, run_id: str, completed: Iterable[ArtifactCompletedRecord]) -> None:
        """Let artifacts be found that are durable by now. Raises StoreError, IntegrityError."""
        entries: dict[str, dict[str, Json]] = {}
        for done in completed:
            identity = done.identity
            if identity and (key := artifact_identity.key(identity)):
                entries[key] = {"run": run_id, "artifact": done.artifact}
                if done.origin:  # where it is still, when this run is not there any more
                    source = {name: done.origin.get(name) for name in ("run", "artifact")}
                    entries[key]["origin"] = source
                if identity.get("inputs"):
                    entries[artifact_identity.kind(identity)] = entries[key]
                if done.items:
                    entries[artifact_identity.series(identity, done.artifact)] = entries[key]
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
    """Adds results that took long during the run, so that they survive a crash of it.

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
    found: dict[str, _Made] = {}
    lines = store.read_journal(run_id).lines
    if not lines or lines[0].record.get("run_id") != run_id:
        return {}  # a copy of another run, which does not say who made it
    own, here = False, store.identity()
    for line in lines:
        if line.record.get("type") == "attempt_started":
            own = here is not None and line.record.get("store") == here
        if line.record.get("type") == "artifact_redacted":  # from this line on, whatever lies there
            found.pop(str(line.record.get("artifact")), None)
        if line.record.get("type") != "artifact_completed":
            continue
        if not own:  # another store's attempt may claim anything of its results
            found.pop(str(line.record.get("artifact")), None)
            continue
        done = from_record(line.record)
        assert isinstance(done, ArtifactCompletedRecord)
        if key := artifact_identity.key(done.identity):
            series = done.items and artifact_identity.series(done.identity or {}, done.artifact)
            found[done.artifact] = _Made(
                key, line.seq, done.size, done.digest, done.content_digest, series or None
            )
        else:
            found.pop(done.artifact, None)
    return found
