"""Listed sources of other stores' runs: what would be read here is named and confirmed first.

A catalogue names a connector, its properties and a folder. One that comes from another store may
name any file that the person can read, so nothing is read by it before the person agrees.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from waivern.engine.catalogue_origin import CatalogueOrigin, in_another_run
from waivern.engine.rebuilder import Evidence
from waivern.message import Json, Message
from waivern.planning.plan import Copy, Extract, Plan
from waivern.record.fold import RunRecord
from waivern.runs import queries
from waivern.runs.run_options import RunOptions
from waivern.runs.trust import LONGEST, MOST, ForeignRunError, is_foreign
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef


def confirm_sources(
    plan: Plan,
    store: RunStore,
    options: RunOptions,
    record: RunRecord | None = None,
    evidence: Evidence | None = None,
) -> None:
    """Name what foreign catalogues would read; raise ForeignRunError unless that is trusted.

    `evidence` has the completed artifacts of the run `record`, which is resumed. If that run is
    foreign, its own catalogues are named only where they differ from what its runbook says.
    """
    found: dict[str, list[str]] = {}
    if record is not None and is_foreign(record, store):
        lines = list(_own(plan, store, record, evidence or {}))
        if lines:
            found[record.metadata.run_id] = lines
    for run_id, line in _copied(plan, store, evidence or {}):
        found.setdefault(run_id, []).append(line)
    for run_id, lines in found.items():
        if more := lines[MOST:]:
            lines[MOST:] = [f"  and {len(more):,} more sources"]
        said = "\n".join([f"{_whose(run_id)}; it names sources that are read here:", *lines])
        if not options.trust_run:
            raise ForeignRunError(said, run_id)
        options.on_foreign(said)


def refuse_showing(
    origin: CatalogueOrigin, artifact: str, run_id: str, base: Path, options: RunOptions
) -> None:
    """Raise ForeignRunError unless a foreign run is trusted to name what is shown to a person."""
    if not options.trust_run:
        said = f"{_whose(run_id)}; its list names a source that is read here:"
        raise ForeignRunError(f"{said}\n{_line(artifact, origin, base)}", run_id)


def _whose(run_id: str) -> str:
    return f"run {run_id} was begun in another store, or does not record its store"


def _own(plan: Plan, store: RunStore, record: RunRecord, evidence: Evidence) -> Iterator[str]:
    """Yield the catalogues of a run that is resumed, but for what its runbook says itself."""
    base = plan.runbook.document.folder
    declared = [
        (work.type, dict(work.properties), Path(node.base or base))
        for node in plan.nodes.values()
        if isinstance(work := node.work, Extract)
    ]
    for name, done in evidence.items():
        if done.keep == "reference" and not record.steps[name].redacted:
            ref = ArtifactRef(name, done.digest, done.content_digest)
            for origin in CatalogueOrigin.all_of(store.fetch(record.metadata.run_id, ref)):
                source = (origin.connector, dict(origin.properties), origin.folder(base))
                if source not in declared:
                    yield _line(name, origin, base)


def _copied(plan: Plan, store: RunStore, evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Yield the catalogues that are copied from foreign runs, each with the run."""
    foreign: dict[str, bool] = {}
    for name, node in plan.nodes.items():
        copy = node.work
        if not isinstance(copy, Copy) or copy.keep != "reference" or name in evidence:
            continue
        if copy.run not in foreign:
            foreign[copy.run] = is_foreign(queries.load(store, copy.run), store)
        if foreign[copy.run]:
            for origin in CatalogueOrigin.all_of(copied_catalogue(store, copy)):
                yield copy.run, _line(name, origin, Path(origin.base))


def copied_catalogue(store: RunStore, copy: Copy) -> Message:
    """Return a catalogue of another run as a run has it that copies it."""
    from dataclasses import replace

    message = store.fetch(copy.run, ArtifactRef(copy.artifact, copy.digest, copy.content_digest))
    listed: Json = in_another_run(message)
    return replace(message, extensions={**message.extensions, "catalogue": listed})


def _line(artifact: str, origin: CatalogueOrigin, base: Path) -> str:
    what = json.dumps(dict(origin.properties), ensure_ascii=False, default=str)
    more = len(what) - LONGEST
    cut = what if more <= 0 else f"{what[:LONGEST]} … and {more:,} more characters"
    return f"  {artifact}  {origin.connector}  {cut}  in {origin.folder(base)}"
