"""Listed sources of earlier runs: whether their items can be read here, before anything runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from waivern.engine.catalogue_origin import CatalogueOrigin, connector_of
from waivern.engine.rebuilder import Evidence
from waivern.errors import NotFoundError, WaivernError
from waivern.ids import ArtifactId
from waivern.language import template
from waivern.message import Message
from waivern.planning.plan import Copy, Plan
from waivern.plugins.context import Context
from waivern.runs.foreign_sources import copied_catalogue
from waivern.runs.prepare import PreparedRun
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef


def refuse_unreadable(
    prepared: PreparedRun, store: RunStore, run_id: str | None, evidence: Evidence
) -> None:
    """Raise NotFoundError if a source that was listed before cannot be read by what is to be done.

    `evidence` has the completed artifacts of the run `run_id`, which is resumed.
    """
    faults = []
    for name, message in _listed(prepared.plan, store, run_id, evidence):
        faults += [f"'{name}': {fault}" for fault in _faults(message, prepared)]
    if faults:
        raise NotFoundError(
            "a source that an earlier run listed cannot be read here: " + "; ".join(faults),
            hint="make it available here, or list it in a new run",
        )


def _listed(
    plan: Plan, store: RunStore, run_id: str | None, evidence: Evidence
) -> Iterator[tuple[ArtifactId, Message]]:
    """Yield the catalogues of earlier runs that something reads which is still to be produced."""
    for name, node in plan.nodes.items():
        if all(each in evidence for each in plan.dependents.get(name, ())):
            continue
        done = evidence.get(name)
        if done is not None and run_id is not None and done.keep == "reference":
            ref = ArtifactRef(name, done.digest, done.content_digest)
            yield name, store.fetch(run_id, ref)
        elif done is None and isinstance(node.work, Copy) and node.work.keep == "reference":
            yield name, copied_catalogue(store, node.work)


def _faults(message: Message, prepared: PreparedRun) -> Iterator[str]:
    for origin in CatalogueOrigin.all_of(message):
        yield from _faults_of(origin, message.id, prepared)


def _faults_of(origin: CatalogueOrigin, artifact: str, prepared: PreparedRun) -> Iterator[str]:
    unset = [name for name in template.names(origin.properties) if name not in prepared.environ]
    if unset:
        yield f"the variable {', '.join(unset)} is not set"
        return
    folder = origin.folder(Path(prepared.plan.runbook.document.folder))
    try:
        connector, config = connector_of(origin, prepared.catalogue, prepared.environ)
    except WaivernError as error:
        yield error.message
        return
    advise = getattr(connector, "advise", None)
    for _, fault, _ in advise(config, Context(artifact, folder)) if advise else ():
        yield fault
