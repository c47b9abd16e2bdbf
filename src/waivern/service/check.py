"""Checking a runbook without running it: load and plan. Never imports the engine."""

from __future__ import annotations

from collections.abc import Mapping

from waivern.planning.plan import Plan
from waivern.planning.planner import make_plan
from waivern.runbook.loader import examine
from waivern.service.children import ChildFiles
from waivern.service.references import StoreResolver
from waivern.store.base import RunStore


def check(path: str, store: RunStore, environ: Mapping[str, str]) -> Plan:
    """Return the plan of the runbook in a file.

    Raises NotFoundError if there is none, InvalidError with all that is wrong.
    """
    draft = examine(path, environ)
    children = ChildFiles(draft.runbook.document.folder)
    return make_plan(draft, StoreResolver(store, children), environ)
