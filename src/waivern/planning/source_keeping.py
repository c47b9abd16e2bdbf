"""The storing of sources: by reference or as content, as runbooks and the project say. Pure."""

from __future__ import annotations

from typing import Literal, NamedTuple

from waivern.diagnostics import Diagnostic
from waivern.language.artifact_spec import Keep, OnChange
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.defaults import ProjectDefaults
from waivern.planning.plan_codes import PlanCode
from waivern.plugins.component import Component, rereadable

Key = Literal["keep", "on_change"]


class SourceKeeping(NamedTuple):
    """The form in which a source is stored, and the effect of an item that has changed."""

    keep: Keep | None = None
    """None: it is no source, or its connector is missing and nothing says so."""
    on_change: OnChange = "skip"


NOT_A_SOURCE = SourceKeeping()


def keeping(
    table: ArtifactTable, flat: FlatArtifact, component: Component | None, defaults: ProjectDefaults
) -> SourceKeeping:
    """Return how a source is kept; report what its connector cannot do.

    The artifact's own keys decide, then the `config` of its runbook and of those that include it,
    then the project's file, then what the connector can do.
    """
    own, scope = flat.artifact, flat.scope
    keep = own.keep or scope.keep or defaults.keep
    on_change = own.on_change or scope.on_change or defaults.on_change or "skip"
    if component is None:
        return SourceKeeping(keep, on_change)
    able = rereadable(component)
    if keep == "reference" and not able:
        connector = f"the connector '{component.name}' cannot read its source again"
        message = f"'{own.id}' cannot be kept by reference: {connector}"
        hint = (
            "write `keep: content` beside its `source`: the data is then stored in the run folder"
        )
        table.record(_problem(flat, "keep", message, hint, defaults))
    keep = keep or ("reference" if able else "content")
    if own.on_change and keep == "content" and own.keep is None:
        message = f"'on_change' of '{own.id}' has no effect: its data is stored when it is read"
        hint = "remove 'on_change', or write `keep: reference`" if able else "take it away"
        table.record(_problem(flat, "on_change", message, hint, defaults))
    return SourceKeeping(keep, on_change)


def _problem(
    flat: FlatArtifact, key: Key, message: str, hint: str, defaults: ProjectDefaults
) -> Diagnostic:
    """Return a problem at the place that sets the key for an artifact."""
    if getattr(flat.artifact, key):
        return flat.problem(PlanCode.KEEP, message, (key,), hint=hint)
    scope = flat.scope
    while True:
        if getattr(scope.runbook.config, key):
            return scope.problem(PlanCode.KEEP, message, ("config", key), hint=hint)
        if scope.by is None:
            break
        scope = scope.by[0]
    if (file := defaults.document) is not None:
        return file.problem(PlanCode.KEEP, message, (key,), hint=hint)
    message = f"{message} (in waivern.yaml)"
    return flat.problem(PlanCode.KEEP, message, ("source", "type"), hint=hint)
