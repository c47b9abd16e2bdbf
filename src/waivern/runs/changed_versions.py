"""Versions that differ between what a run completed and what would run now."""

from __future__ import annotations

import shlex
from collections import Counter

from waivern.planning.plan import Plan
from waivern.plugins.fingerprint import runtime
from waivern.record.fold import RunRecord


def changed_since(record: RunRecord, plan: Plan) -> list[str]:
    """Return, for people, the versions that differ from those that the run recorded."""
    return [*_runtime(record), *_components(record, plan)]


def _runtime(record: RunRecord) -> list[str]:
    attempts, now = record.metadata.attempts, runtime()
    if not attempts:
        return []
    then = attempts[-1]
    if "waivern" not in then:
        return [f"an earlier version of waivern began the run; this is {now.waivern}"]
    pairs = (("waivern", then["waivern"], now.waivern), ("Python", then["python"], now.python))
    differing = [f"{name} {old}, now {new}" for name, old, new in pairs if old != new]
    return [f"the last attempt ran with {each}" for each in differing]


def _components(record: RunRecord, plan: Plan) -> list[str]:
    found: Counter[tuple[str, str | None, str | None]] = Counter()
    for name, node in plan.nodes.items():
        step = record.steps.get(name)
        done = step.completed if step else None
        if done is None or done.component != node.work.label or done.version == node.work.version:
            continue
        found[done.component, done.version, node.work.version] += 1
    return [
        f"{count:,} completed artifact{'s were' if count > 1 else ' was'} produced by version "
        f"{old} of {label.replace(':', ' ')}, which is {new} now{_hint(record)}"
        for (label, old, new), count in found.items()
    ]


def _hint(record: RunRecord) -> str:
    """Return the command that shows what is restored; nothing for a runbook without a file."""
    path, run_id = record.metadata.runbook_path, record.metadata.run_id
    return (
        f"; `wct plan {shlex.quote(path)} --resume {run_id}` shows what is restored" if path else ""
    )
