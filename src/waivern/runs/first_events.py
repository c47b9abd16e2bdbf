"""The events that begin a run and an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from waivern.clock import Clock
from waivern.ids import ArtifactId
from waivern.message import Json, sha256
from waivern.planning.plan import Copy, Extract, Plan, Transform
from waivern.plugins.fingerprint import runtime
from waivern.record.fold import RunRecord
from waivern.record.journal_events import AttemptStartedRecord, Event, RunStartedRecord
from waivern.runs.reuse_resolver import pins
from waivern.runs.runbook_file import place_of
from waivern.store.base import RunStore
from waivern.store.lock import this_process


def first_events(
    run_id: str,
    plan: Plan,
    clock: Clock,
    store: RunStore,
    *,
    only: Iterable[ArtifactId] | None,
    replay_of: str | None,
    output: str | None,
    metadata: dict[str, Json],
) -> tuple[RunRecord, list[Event]]:
    """Return the first two events of a run, and the record that they fold to."""
    runbook, at = plan.runbook, clock.now()
    first = RunStartedRecord(
        at=at,
        run_id=run_id,
        artifacts=list(plan.declared),
        reuse=pins(plan),
        params=dict(plan.params),
        base=str(runbook.document.folder),
        runbook_name=runbook.name,
        runbook_version=runbook.version,
        runbook_path=runbook.document.path,
        children=children(plan),
        aliases=_aliases(plan),
        sensitive=_sensitive(plan),
        replay_of=replay_of,
        project=dict(plan.project),
        sources=_sources(plan),
        processors=_processors(plan),
        metadata=metadata,
    )
    second = AttemptStartedRecord(
        at,
        _owner(),
        runbook.document.digest,
        selected=selected(plan, only),
        output=_requested(output, plan),
    )
    second = _placed(second, plan, store)
    record = RunRecord(first)
    record.apply(second)
    return record, [first, second]


def attempt_event(
    plan: Plan,
    clock: Clock,
    store: RunStore,
    *,
    renewed: bool,
    invalidated: Mapping[ArtifactId, str],
    forced: Sequence[str],
    supplied: Iterable[str],
    only: Iterable[ArtifactId] | None,
    output: str | None,
) -> AttemptStartedRecord:
    """Return the event that begins another attempt; `renewed`: what is to be run has changed."""
    event = AttemptStartedRecord(
        at=clock.now(),
        owner=_owner(),
        runbook_hash=plan.runbook.document.digest,
        artifacts=list(plan.declared) if renewed else None,
        reuse=pins(plan) if renewed else None,
        invalidated={str(name): why for name, why in invalidated.items()},
        forced=list(forced),
        children=children(plan) if renewed else None,
        aliases=_aliases(plan) if renewed else None,
        sensitive=_sensitive(plan) if renewed else None,
        params=dict(plan.params) if renewed else None,
        given=sorted(supplied),
        selected=selected(plan, only),
        project=dict(plan.project) if renewed else None,
        sources=_sources(plan),
        processors=_processors(plan),
        output=_requested(output, plan),
    )
    return _placed(event, plan, store)


def _placed(event: AttemptStartedRecord, plan: Plan, store: RunStore) -> AttemptStartedRecord:
    """Return the event with the folder, the store and the versions of the attempt in it."""
    folder = str(plan.runbook.document.folder)
    place, store_id = place_of(folder, store) or "", store.identity(make=True) or ""
    versions = runtime()._asdict()
    return event._replace(base=folder, place=place, store=store_id, **versions)


def children(plan: Plan) -> list[dict[str, str]]:
    """Return path and digest of each child runbook."""
    return [{"path": path, "sha256": sha256(data)} for path, data in sorted(plan.children.items())]


def selected(plan: Plan, only: Iterable[ArtifactId] | None) -> list[str] | None:
    """Return what an attempt may make, in declared order; None: everything."""
    if only is None:
        return None
    chosen = frozenset(only)
    return [str(name) for name in plan.declared if name in chosen]


def _aliases(plan: Plan) -> dict[str, list[str]]:
    return {name: [str(id_) for id_ in ids] for name, ids in plan.aliases.items()}


def _sensitive(plan: Plan) -> list[str]:
    return [str(node.id) for node in plan.nodes.values() if node.sensitive]


def _sources(plan: Plan) -> list[str]:
    outside = (Extract, Copy)
    return [str(node.id) for node in plan.nodes.values() if isinstance(node.work, outside)]


def _processors(plan: Plan) -> dict[str, list[str]]:
    nodes = plan.nodes.values()
    return {n.id: [str(i) for i in n.inputs] for n in nodes if isinstance(n.work, Transform)}


def _requested(output: str | None, plan: Plan) -> str | None:
    if output is None:
        return None
    from waivern.runs.output_delivery import requested

    return requested(output, plan.runbook.document.folder)


def _owner() -> dict[str, Json]:
    owner = this_process()
    return {"host": owner.host, "pid": owner.pid}
