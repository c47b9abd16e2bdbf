"""A forecast: the decisions of a run, with its cache lookups, and nothing written or produced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from waivern.engine.artifact_identity import Identity, UnknownIdentity
from waivern.engine.cache import Cache
from waivern.engine.calls import CacheLookup
from waivern.engine.component_lookups import ComponentLookups
from waivern.engine.decision_walk import Action, ArtifactDecision, DecisionWalk, ItemCount
from waivern.engine.differences import differences
from waivern.engine.producer import Producer
from waivern.errors import WaivernError
from waivern.ids import ArtifactId
from waivern.message import Json, content_digest
from waivern.planning.plan import Copy, Extract, Node, OutputPart, Transform
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.runs.duration_history import DurationHistory
from waivern.runs.prepare import PreparedRun
from waivern.runs.resume_plan import REFRESHED
from waivern.runs.run_options import RunOptions
from waivern.runs.session import secrets_of
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef

if TYPE_CHECKING:
    from waivern.engine.catalogue_origin import CatalogueOrigin, ListedPart
    from waivern.engine.source_listing import SourceMarks
    from waivern.engine.source_reader_identity import ListedInputs


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of one artifact, provided that no component fails or waits."""

    artifact: ArtifactId
    action: Action
    reason: str
    component: str
    """As in a StepRecord: `connector:<type>`, `processor:<type>`, `gate` and the like."""
    expected_ms: int | None
    """The usual duration; None if it was never produced."""
    work: bool
    """Whether a component or a person has something to do for it, as far as that is known."""
    keep: str | None = None
    """What is stored of a source: 'reference' or 'content'; None for other artifacts."""
    items: ItemCount | None = None
    """The items of its inputs, if the results of some of them are known; None: of none."""

    def document(self) -> dict[str, Json]:
        """Return it for programs."""
        return {
            "artifact": self.artifact,
            "action": str(self.action),
            "reason": self.reason,
            "component": self.component,
            "expected_ms": self.expected_ms,
            "work": self.work,
            "keep": self.keep,
            "items": self.items._asdict() if self.items else None,
        }


class Forecaster:
    """A runner that looks up in the cache what a run would carry out.

    `notes` says why artifacts of the resumed run `run_id` are invalid; `skipped` are those that its
    last attempt skipped because of a condition; `only` what may be produced (None: everything).
    """

    def __init__(
        self,
        prepared: PreparedRun,
        store: RunStore,
        options: RunOptions,
        evidence: Mapping[str, ArtifactCompletedRecord],
        notes: Mapping[str, str],
        skipped: frozenset[str],
        run_id: str | None = None,
        only: frozenset[ArtifactId] | None = None,
    ) -> None:
        plan, environ = prepared.plan, prepared.environ
        self._plan = plan
        self._store = store
        self._notes = notes
        self._refresh = options.refresh
        self._decisions = DecisionWalk(plan, evidence, only, skipped)
        self._history = DurationHistory(store, plan.runbook.document.path, plan.runbook.name)
        self._secrets = secrets_of(plan, environ)
        cache = Cache(store, environ, options.refresh, make=False)
        self._cache = cache if options.uses_cache else None
        producer = Producer(
            store,
            plan.runbook.document.folder,
            environ,
            self._secrets,
            options.clock,
            cache=self._cache,
            catalogue=prepared.catalogue,
        )
        self._components: ComponentLookups = producer.components
        self._listed: dict[ArtifactId, SourceMarks] = {}
        """The sources that a run would list: listed now, so that what follows is known."""
        self._origins: dict[ArtifactId, CatalogueOrigin] = {}
        """How the items of these sources are read."""
        self._stored: dict[ArtifactId, tuple[str, ArtifactRef]] = {}
        """The artifacts that a run has: that run, and the reference there."""
        self._run = run_id

    def all(self) -> dict[ArtifactId, Forecast]:
        """Return the forecast of every artifact that is selected or restored."""
        found: dict[ArtifactId, Forecast] = {}
        while self._decisions.ready:
            node = self._decisions.take()
            decision = self._decisions.decide(node)
            if decision is None:
                continue  # it stays as it is, and what needs it waits
            if decision.action is Action.PRODUCE:
                decision = self._look_up(node, decision)
            self._note_place(node, decision)
            found[node.id] = self._forecast(node, decision)
            for skip in self._decisions.expect(node, decision):
                follows = ArtifactDecision(Action.SKIP, skip.reason, work=False)
                found[skip.artifact] = self._forecast(self._plan.nodes[skip.artifact], follows)
        return found

    def _forecast(self, node: Node, decision: ArtifactDecision) -> Forecast:
        idle = decision.action in (Action.KEEP, Action.GATE, Action.SKIP)
        expected = None if idle else self._history.took_ms(node.id)
        reason = self._secrets.hide(decision.reason)
        return Forecast(
            node.id,
            decision.action,
            reason,
            node.work.label,
            expected,
            decision.work,
            node.keep,
            decision.items,
        )

    # what the cache has

    def _look_up(self, node: Node, decision: ArtifactDecision) -> ArtifactDecision:
        """Return the decision on an artifact to produce, in view of the cache."""
        unknown = self._decisions.unknown(node)
        match node.work:
            case Extract() | Transform() as work if unknown:
                return self._without_inputs(node, work, decision)
            case Extract() | Transform() as work:
                return self._with_inputs(node, work, decision)
            case OutputPart() as part:
                return self._part(node, part, decision)
        known = unknown or decision.ref is not None
        reason = decision.reason if known else "taken from its inputs"
        return decision._replace(reason=reason, work=False)

    def _with_inputs(
        self, node: Node, work: Extract | Transform, decision: ArtifactDecision
    ) -> ArtifactDecision:
        lookup = self._identify(node, work)
        if (marks := self._listed.get(node.id)) is not None:
            digest = marks.content_digest()
            ref = ArtifactRef(node.id, "", digest, schema=str(node.schema), lists_source=True)
            decision = decision._replace(ref=ref)
        if isinstance(lookup, UnknownIdentity):
            produced_before = self._history.made(node.id)
            reason = lookup.reason if produced_before else "never produced"
            return self._produce(node, decision, reason)
        if (hit := self._components.find(node, lookup)) is not None:
            run = hit.origin["run"]
            self._stored[node.id] = (run, hit.ref)
            ref = hit.ref._replace(key=node.id, schema=str(node.schema))
            return ArtifactDecision(Action.CACHED, f"from run {run}", work=False, ref=ref)
        then = self._history.identity(node.id)
        if then is None:
            return self._produce(node, decision, "never produced")
        now = cast(Identity, lookup.identity)
        items = self._items(node, lookup)
        reasons = [*([str(items)] if items else []), *differences(then, now)]
        decision = decision._replace(items=items)
        return self._produce(node, decision, "; ".join(reasons) or "its earlier result is gone")

    def _items(self, node: Node, lookup: CacheLookup) -> ItemCount | None:
        """Return the number of items without a cached result, if there is any such result."""
        marks = {
            called: self._listed[name].items
            for name, called in zip(node.inputs, node.called, strict=True)
            if name in self._listed
        }
        if self._cache is None or not marks or None in marks.values():
            return None
        from waivern.engine.earlier_items import item_digest
        from waivern.engine.source_reader_identity import reader_digests

        identity = cast(Identity, lookup.identity)
        earlier = self._cache.earlier_items(node, identity)
        if earlier is None:
            return None
        readers = reader_digests(identity.get("readers", {}))
        items = (
            (called, name, item_digest(digest, readers[called]))
            for called, digests in marks.items()
            for name, digest in (digests or {}).items()
        )
        return ItemCount(*earlier.changed(items))

    def _without_inputs(
        self, node: Node, work: Extract | Transform, decision: ArtifactDecision
    ) -> ArtifactDecision:
        """Decide by all of an identity but the inputs, which are going to be produced."""
        lookup = self._identify(node, work)
        if isinstance(lookup, UnknownIdentity):
            produced_before = self._history.made(node.id)
            reason = decision.reason if produced_before else "never produced"
            return self._produce(node, decision, reason)
        then, now = self._history.identity(node.id), cast(Identity, lookup.identity)
        changed = ""
        if then:
            changed = "; ".join(differences(then, {**now, "inputs": then.get("inputs")}))
        if self._cache and self._cache.knows(now) and node.id not in self._refresh:
            reason = changed or self._decisions.perhaps(node)
            return decision._replace(action=Action.OPEN, reason=reason)
        reason = changed or decision.reason if then else "never produced"
        return self._produce(node, decision, reason)

    def _part(self, node: Node, part: OutputPart, decision: ArtifactDecision) -> ArtifactDecision:
        """Decide on a named output, by the cached result if there is one."""
        (whole,) = node.inputs
        reason = f"an output of '{whole}'"
        expected = decision._replace(reason=reason, work=False)
        if whole not in self._stored:
            return expected
        try:
            message = self._store.fetch(*self._stored[whole])
        except WaivernError:
            return expected
        content, records = message.content, message.records
        if not isinstance(content, dict) or (records and records.name == part.output):
            return expected
        if (value := content.get(part.output)) is None:
            return ArtifactDecision(Action.SKIP, f"'{whole}' yielded nothing for it", work=False)
        ref = ArtifactRef(node.id, "", content_digest(value), schema=str(node.schema))
        return expected._replace(ref=ref)

    def _identify(self, node: Node, work: Extract | Transform) -> CacheLookup | UnknownIdentity:
        """Return the lookup of an artifact, by those of its inputs whose content is known."""
        unknown = self._decisions.unknown(node)
        inputs = () if unknown else self._decisions.inputs(node)
        try:
            tool = self._components.tool(work)
            if (ahead := self._components.list_ahead(node, work, tool)) is not None:
                self._origins[node.id], self._listed[node.id], lookup = ahead
            else:
                lists = any(ref.lists_source for ref in inputs)
                sources = partial(self._listed_inputs, node) if lists else None
                lookup = self._components.identify(node, tool, inputs, sources=sources)
        except WaivernError as error:
            return UnknownIdentity(error.message)
        return lookup.identity if isinstance(lookup.identity, UnknownIdentity) else lookup

    def _note_place(self, node: Node, decision: ArtifactDecision) -> None:
        """Note the run that has an artifact already."""
        if decision.action is Action.KEEP and self._run is not None and decision.ref is not None:
            self._stored[node.id] = (self._run, decision.ref)
        elif isinstance(copy := node.work, Copy):
            ref = ArtifactRef(copy.artifact, copy.digest, copy.content_digest)
            self._stored[node.id] = (copy.run, ref)

    def _listed_inputs(self, node: Node) -> ListedInputs:
        called = dict(zip(node.inputs, node.called, strict=True))
        refs = self._decisions.inputs(node)
        names = [ArtifactId(ref.key) for ref in refs if ref.lists_source]
        return {called[name]: list(self._parts_of(name)) for name in names}

    def _parts_of(self, name: ArtifactId) -> Iterator[ListedPart]:
        """Yield the parts of a catalogue as a run would record them.

        A joined one that is cached has those of its inputs as they are now.
        """
        from waivern.engine.catalogue_origin import ListedPart, parts_of

        node = self._plan.nodes[name]
        if (origin := self._origins.get(name)) is not None:
            yield ListedPart(origin, tuple)  # listed now: there is nothing to check
        elif isinstance(node.work, Transform) and self._stored[name][0] != self._run:
            for each in self._decisions.inputs(node):
                yield from self._parts_of(ArtifactId(each.key))
        else:
            yield from parts_of(self._store.fetch(*self._stored[name]))

    def _produce(self, node: Node, decision: ArtifactDecision, otherwise: str) -> ArtifactDecision:
        """Return the decision to produce, with the first reason that applies."""
        refreshed = REFRESHED if node.id in self._refresh else None
        return decision._replace(reason=self._notes.get(node.id) or refreshed or otherwise)
