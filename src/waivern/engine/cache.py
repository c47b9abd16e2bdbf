"""Finding what was made before, by what it was made of; and what is found later."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from waivern.engine import identity
from waivern.engine.identity import Secret, Tool
from waivern.errors import WaivernError
from waivern.message import Json, Message
from waivern.planning.plan import Extract, Node
from waivern.plugins.context import Context
from waivern.record.step import StepRecord
from waivern.store.base import ArtifactRef, RunStore


class Hit(NamedTuple):
    """An artifact that was made of the same, found intact."""

    message: Message
    origin: dict[str, Json]
    """`{run, artifact, seq, digest}`."""
    content_digest: str


class Cache:
    """What the runs of a store have made, by what it was made of. Thread-safe.

    It can only miss: whatever is wrong with it, the artifact is made.
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
        self._secret: Secret | None = None

    def identify(
        self, node: Node, tool: Tool, refs: tuple[ArtifactRef, ...], ctx: Context
    ) -> dict[str, Json] | None:
        """Return what the artifact is made of; None if it may not be taken from here."""
        if node.cache is False or (
            node.cache is None and not getattr(tool.component, "repeatable", False)
        ):
            return None  # without a look at the store
        try:
            self._secret = self._secret or Secret(self._store.pepper(make=self._make))
        except WaivernError:
            return None
        return identity.parts(node, tool, refs, ctx, self._environ, self._secret)

    def confirm(
        self,
        node: Node,
        tool: Tool,
        refs: tuple[ArtifactRef, ...],
        ctx: Context,
        before: dict[str, Json] | None,
    ) -> dict[str, Json] | None:
        """Return the identity from before the work if it is still the one: else something changed.

        A source that was written to meanwhile may have been read half old, half new.
        """
        if before is None or not (isinstance(node.work, Extract) or before["rulesets"]):
            return before
        return before if self.identify(node, tool, refs, ctx) == before else None

    def find(self, artifact: str, made_of: Mapping[str, Json]) -> Hit | None:
        """Return what was made of the same before, if it is there and intact."""
        if artifact in self._refresh:
            return None
        try:
            entry = self._store.recall(identity.key(made_of))
            if entry is None:
                return None
            origin = {name: entry[name] for name in ("run", "artifact", "seq", "digest")}
            ref = ArtifactRef(entry["artifact"], entry["digest"], entry["content_digest"])
            message = self._store.fetch(str(entry["run"]), ref)
        except (WaivernError, KeyError, TypeError):
            return None
        return Hit(message, origin, ref.content_digest)

    def remember(self, run_id: str, steps: Iterable[StepRecord]) -> None:
        """Let artifacts be found that are durable by now. Raises StoreError."""
        entries = {
            identity.key(done.identity): {
                "run": run_id,
                "artifact": step.artifact,
                "seq": step.seq,
                "digest": done.digest,
                "content_digest": done.content_digest,
                "size": done.size,
                "schema": done.schema,
            }
            for step in steps
            if (done := step.completed) is not None and done.identity is not None
        }
        if entries:
            self._store.remember(entries)
