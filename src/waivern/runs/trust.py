"""Runs of other stores: reading them is free, the code that they would run is confirmed first."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator

from waivern.errors import RefusedError
from waivern.language import params
from waivern.message import Json
from waivern.planning.plan import AskPeople, Extract, Plan, Transform
from waivern.record.fold import RunRecord
from waivern.runs.run_options import RunOptions
from waivern.store.base import RunStore

INERT = frozenset({"filesystem", "merge", "personal_data", "sqlite"})
"""The shipped components that run nothing of what a runbook says; any other one may."""
LONGEST = 4_000
"""Characters of the properties that are shown for an artifact."""
MOST = 200
"""Artifacts that are shown."""


class ForeignRunError(RefusedError):
    """A run of another store would run code or read sources, and that has not been confirmed."""

    def __init__(self, said: str, run_id: str) -> None:
        super().__init__(
            said,
            hint=f"`wct inspect {run_id} --full` shows the run; if you trust where it comes from, "
            "add --trust-run",
        )
        self.said = said


def is_foreign(record: RunRecord, store: RunStore) -> bool:
    """Return whether the last attempt at a run was in another store, as far as is recorded."""
    return not record.store or record.store != store.identity()


def confirm(
    record: RunRecord,
    store: RunStore,
    plan: Plan,
    options: RunOptions,
    *,
    own: bool,
    supplied: Collection[str] = (),
    project: Json = None,
    output: str | None = None,
) -> None:
    """Name the code that a foreign run would run; raise ForeignRunError unless it is trusted.

    `own`: the runbook and its children are files of the person's project. Then nothing is asked
    unless parameters (other than `supplied` ones), the project's settings or the folder `output`,
    which is replaced by the run's outputs, come from the run.
    """
    if not is_foreign(record, store):
        return
    theirs = _own_params(record, plan, supplied) or project not in (None, record.project)
    if own and not theirs and output is None:
        return
    folder = plan.runbook.document.folder
    lines = list(_code(plan)) if not own or theirs else []
    if not lines and output is None:
        return
    if more := lines[MOST:]:
        lines[MOST:] = [f"  and {len(more):,} more artifacts"]
    if output is not None:
        lines.append(f"  deliver its outputs to {os.path.normpath(folder / output)}")
    run = record.metadata
    whose = (
        "was begun in another store"
        if record.store
        else "does not record its store (an earlier version began it, or it was received)"
    )
    said = "\n".join([f"run {run.run_id} {whose}; it would do this in {folder}:", *lines])
    if not options.trust_run:
        raise ForeignRunError(said, run.run_id)
    options.on_foreign(said)


def _own_params(record: RunRecord, plan: Plan, supplied: Collection[str]) -> list[str]:
    """Return the parameters whose values come from the run alone."""
    recorded = record.metadata.params
    declared = plan.runbook.params
    usual = params.recorded(declared, params.defaults(declared))
    return [
        name
        for name in params.changed(declared, recorded, usual)
        if name in recorded and name not in supplied
    ]


def _code(plan: Plan) -> Iterator[str]:
    for node in plan.nodes.values():
        work = node.work
        if isinstance(work, (Extract, Transform)) and work.type not in INERT:
            what = json.dumps(dict(work.properties), ensure_ascii=False, default=str)
            more = len(what) - LONGEST
            cut = what if more <= 0 else f"{what[:LONGEST]} … and {more:,} more characters"
            yield f"  {node.id}  {work.type}  {cut}"
        elif isinstance(work, AskPeople) and work.notify is not None:
            what = json.dumps(work.notify.model_dump(exclude_none=True), ensure_ascii=False)
            yield f"  {node.id}  notify  {what[:LONGEST]}"
