"""Variables of the environment that differ between a run and now.

Values are never kept. An artifact that can be cached has a hash of each, made with the store's own
key; of the variables that only other artifacts use, nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping

from waivern.engine.artifact_identity import KeyedHash
from waivern.errors import WaivernError
from waivern.language import template
from waivern.message import Json
from waivern.planning.plan import Extract, Plan, Transform
from waivern.record.fold import RunRecord
from waivern.store.base import RunStore


def changed_since(
    record: RunRecord,
    plan: Plan,
    environ: Mapping[str, str],
    store: RunStore,
    *,
    unknown_too: bool = True,
) -> list[str]:
    """Return a text about the variables that have other values than in a run, as far as is known.

    With `unknown_too` there is another about those of which that is not known.
    """
    used: dict[str, None] = {}
    for node in plan.nodes.values():
        if isinstance(node.work, (Extract, Transform)):
            used |= dict.fromkeys(name for name in template.names(node.work.properties))
    if not used:
        return []
    hashes, run_id = _hashes(record), record.metadata.run_id
    try:
        secret = KeyedHash(store.cache_secret(make=False))
    except WaivernError:
        hashes = {}
    differing = [
        name
        for name in used
        if name in hashes and (name not in environ or secret.hash(environ[name]) != hashes[name])
    ]
    unknown = [name for name in used if name not in hashes and not name.startswith(template.PARAMS)]
    notes = []
    if differing:
        notes.append(f"variables have values that differ from run {run_id}: {', '.join(differing)}")
    if unknown and unknown_too:
        names = ", ".join(unknown)
        notes.append(
            f"values of variables are not recorded; these may differ from run {run_id}: {names}"
        )
    return notes


def _hashes(record: RunRecord) -> dict[str, Json]:
    """Return the recorded hash of each variable, by name."""
    found: dict[str, Json] = {}
    for step in record.steps.values():
        identity = step.completed.identity if step.completed else None
        known = (identity or {}).get("environment")
        found |= known if isinstance(known, dict) else {}
    return found
