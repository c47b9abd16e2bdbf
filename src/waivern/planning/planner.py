"""Runbook -> Plan: references, cycles, components, their properties, schemas.

What must be looked up elsewhere comes in through a `Resolver`; everything else is pure. All
problems are reported at once; an artifact with a problem is left out of later checks, so that one
mistake is one error.
"""

from __future__ import annotations

from collections.abc import Mapping

from waivern.diagnostics import Diagnostic, circle, did_you_mean
from waivern.ids import ArtifactId
from waivern.language.artifact_spec import ArtifactSpec
from waivern.language.loader import collection_paused
from waivern.language.models import Runbook, RunbookDraft
from waivern.language.params import recorded, with_secrets
from waivern.planning import graph, mapping
from waivern.planning.advice import advice
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.defaults import NO_DEFAULTS, ProjectDefaults
from waivern.planning.flatten import flatten
from waivern.planning.plan import Extract, Node, Plan
from waivern.planning.plan_codes import PlanCode
from waivern.planning.plan_components import (
    NOTHING_MADE,
    PlanComponents,
    RecordedComponent,
    own_retry,
)
from waivern.planning.production import ProductionTable
from waivern.planning.references import ReferenceResolver, ResolvedReferences
from waivern.planning.resolver import Resolver, run_to_end
from waivern.planning.reuse import Copies, look_up
from waivern.planning.source_keeping import NOT_A_SOURCE, keeping
from waivern.plugins.catalogue import Catalogue

_TAKEN = ArtifactSpec.model_construct(id=ArtifactId(""))
"""Of what is only taken from elsewhere: there is nothing to try again, or to wait for."""


async def plan_runbook(
    draft: RunbookDraft | Runbook,
    resolver: Resolver,
    environ: Mapping[str, str],
    defaults: ProjectDefaults = NO_DEFAULTS,
    catalogue: Catalogue | None = None,
    recorded_components: Mapping[ArtifactId, RecordedComponent] = NOTHING_MADE,
    warnings: list[Diagnostic] | None = None,
) -> Plan:
    """Return the plan of a runbook; without a catalogue, its components are the installed ones.

    The component of an artifact in `recorded_components` may be missing: it is not needed any more.
    Raises InvalidError with every problem there is, those that the draft has already among them.
    `warnings` is filled with what is likely to fail when the plan is carried out.
    """
    whole = draft if isinstance(draft, RunbookDraft) else RunbookDraft(draft)
    catalogue = catalogue or Catalogue()
    table = await flatten(whole, resolver, environ, catalogue, recorded_components)
    copies = await look_up(table, resolver)
    with collection_paused():  # not around the lookups: other tasks run while they wait
        planner = _Planner(whole, table, copies, environ, defaults, catalogue, recorded_components)
        plan = planner.plan()
        if warnings is not None:
            warnings += planner.warnings()
        return plan


def plan_at_once(
    draft: RunbookDraft | Runbook,
    resolver: Resolver,
    environ: Mapping[str, str],
    defaults: ProjectDefaults = NO_DEFAULTS,
    catalogue: Catalogue | None = None,
    recorded_components: Mapping[ArtifactId, RecordedComponent] = NOTHING_MADE,
    warnings: list[Diagnostic] | None = None,
) -> Plan:
    """Return the plan of a runbook as `plan_runbook` does, without an event loop.

    Raises RuntimeError if the resolver needs one.
    """
    with collection_paused():
        return run_to_end(
            plan_runbook(
                draft, resolver, environ, defaults, catalogue, recorded_components, warnings
            )
        )


class _Planner:
    def __init__(
        self,
        draft: RunbookDraft,
        table: ArtifactTable,
        copies: Copies,
        environ: Mapping[str, str],
        defaults: ProjectDefaults,
        catalogue: Catalogue,
        recorded_components: Mapping[ArtifactId, RecordedComponent],
    ) -> None:
        self._draft = draft
        self._catalogue = catalogue
        self._defaults = defaults
        self._table = table
        secret = with_secrets(environ, draft.runbook.params, draft.values)
        self._environ = secret
        components = PlanComponents(self._table, secret, defaults, catalogue, recorded_components)
        components.check_defaults()
        self._works = ProductionTable(self._table, components, copies)
        self._nodes: dict[ArtifactId, Node] = {}
        self._pools = dict(draft.runbook.config.pools)

    def plan(self) -> Plan:
        table, references = self._table, ReferenceResolver(self._table)
        drawn = {id_: references.draw(flat) for id_, flat in table.artifacts.items()}
        for id_ in self._order({id_: each.awaited for id_, each in drawn.items()}):
            self._add(table.artifacts[id_], drawn[id_])
        mapping.check_inputs(table, self._nodes)
        if any(flat.tests or flat.artifact.when for flat in table.artifacts.values()):
            from waivern.planning import condition_shapes  # few runbooks have a condition

            condition_shapes.check(table, self._nodes, self._catalogue)
        if table.problems:
            raise table.invalid()
        for id_ in mapping.sensitive(table):
            self._nodes[id_] = self._nodes[id_]._replace(sensitive=True)
        draft = self._draft
        return Plan(
            draft.runbook,
            self._nodes,
            table.aliases(),
            {key: document.data for key, document in table.documents.items()},
            recorded(draft.runbook.params, draft.values),
            self._pools,
            tuple(table.artifacts),
        )

    def warnings(self) -> list[Diagnostic]:
        """Return what is likely to fail when the plan is carried out."""
        return advice(self._table, self._nodes, self._catalogue, self._environ)

    def _order(self, needs: Mapping[ArtifactId, tuple[ArtifactId, ...]]) -> list[ArtifactId]:
        """Return the artifacts, each after all it needs, but for those on or behind a cycle."""
        order = graph.topological(needs)
        if len(order) < len(needs):
            path = graph.cycle(needs)
            message = f"artifacts need each other in a circle: {circle(path)}"
            hint = "each arrow reads 'needs'; remove one of them"
            flat = self._table.artifacts[path[0]]
            self._table.record(flat.problem(PlanCode.CYCLE, message, ("inputs",), hint=hint))
        return order

    def _add(self, flat: FlatArtifact, drawn: ResolvedReferences) -> None:
        nodes = self._nodes
        inputs = {id_: nodes[id_].schema if id_ in nodes else None for id_ in drawn.inputs}
        made = self._works.without_items(flat, inputs) or self._works.made(flat, inputs)
        if made is None:
            return
        work, schema, component = made
        scope = flat.scope
        own = flat.artifact if flat.work is None else _TAKEN
        on_error = flat.artifact.on_error or scope.on_error or self._defaults.on_error
        missed = flat.artifact.optional or on_error == "continue"
        source_keeping = NOT_A_SOURCE
        if isinstance(work, Extract):
            source_keeping = keeping(self._table, flat, component, self._defaults)
        nodes[flat.id] = Node(
            flat.id,
            work,
            drawn.inputs,
            schema,
            optional=flat.optional or (missed and not flat.round),
            output=flat.exposed,
            names=() if drawn.names == drawn.inputs else drawn.names,
            after=drawn.after,
            tests=drawn.tests,
            retry=own.retry or own_retry(component),
            timeout=own.timeout,
            max_memory=own.max_memory,
            pool=self._pool(flat, own.pool),
            fail_fast=on_error == "fail",
            cache=own.cache if own.cache is not None else scope.cache,
            base=str(scope.runbook.document.folder) if scope.key else "",
            sensitive=flat.sensitive,
            keep=source_keeping.keep,
            on_change=source_keeping.on_change,
            tolerated=scope.tolerated or (missed and flat.round > 0),
            tags=tuple(dict.fromkeys((*own.tags, *scope.tags))),
        )

    def _pool(self, flat: FlatArtifact, pool: str | None) -> str | None:
        if pool is None:
            return None
        own = flat.scope.runbook.config.pools
        if pool in own and pool not in self._draft.runbook.config.pools:
            # several children may share it: what bears least decides
            self._pools[pool] = min(own[pool], self._pools.get(pool, own[pool]))
        if pool not in self._pools:
            message = f"'{flat.artifact.id}' is in the pool '{pool}', which is not declared"
            hint = did_you_mean(pool, self._pools) or f"add `config: {{pools: {{{pool}: 2}}}}`"
            self._table.record(flat.problem(PlanCode.POOL, message, ("pool",), hint=hint))
        return pool
