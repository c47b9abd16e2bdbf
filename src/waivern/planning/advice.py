"""Advice: what is likely to fail when a runbook is run, seen without running anything.

A component may know more than its properties say: that a file is not there, that a function does
not take the arguments. It may come later, so that it is no error.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from waivern.diagnostics import Diagnostic
from waivern.errors import WaivernError
from waivern.ids import ArtifactId
from waivern.language import error_names, template
from waivern.language.secrets import Secrets
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.component_properties import configure
from waivern.planning.plan import Extract, Node, Transform
from waivern.planning.plan_codes import PlanCode
from waivern.planning.plan_components import PART, Kind
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.context import Context

MOST = 200
"""Warnings after which no more are looked for."""


def advice(
    table: ArtifactTable,
    nodes: Mapping[ArtifactId, Node],
    catalogue: Catalogue,
    environ: Mapping[str, str],
) -> list[Diagnostic]:
    """Return the warnings about all artifacts, each once for its place in a file."""
    found: dict[object, Diagnostic] = {}
    folder = table.root.runbook.document.folder
    for id_, node in nodes.items():
        context = Context(id_, Path(node.base) if node.base else folder)
        flat = table.artifacts[id_]
        for each in (*_unknown_errors(flat), *_advised(flat, node, catalogue, context, environ)):
            # the items of an inclusion have the same mistake in many artifacts
            found.setdefault(each._replace(path=(), artifact=None), each)
        if len(found) >= MOST:
            break
    return list(found.values())


def _unknown_errors(flat: FlatArtifact) -> list[Diagnostic]:
    """Return a warning for each name in `retry.on` that is probably misspelt."""
    retry = flat.artifact.retry
    return [
        flat.problem(
            PlanCode.ADVICE,
            f"no known error is called {name!r}, so that it is probably never retried",
            ("retry", "on"),
            hint=f"write an error of your own with its module, as in mymodule.{name}",
        )
        for name in (retry.on if retry else ())
        if error_names.unknown(name)
    ]


def _advised(
    flat: FlatArtifact,
    node: Node,
    catalogue: Catalogue,
    context: Context,
    environ: Mapping[str, str],
) -> list[Diagnostic]:
    match node.work:
        case Extract(type_, _, properties):
            kind: Kind = "connectors"
        case Transform(type_, _, properties):
            kind = "processors"
        case _:
            return []
    component = catalogue.load(kind, type_)
    advise = getattr(component, "advise", None)
    if advise is None:
        return []
    try:
        config = configure(component.Config, properties, environ)
        told = list(advise(config, context))
    except (WaivernError, ValidationError, OSError):
        return []  # a value is not known yet
    # What a variable holds may be a secret, and advice about it would show it, whole or in part.
    secret = {name for name, value in properties.items() if template.names(value)}
    hide = Secrets(template.names(properties), environ).hide
    return [
        flat.problem(
            PlanCode.ADVICE,
            hide(message),
            (PART[kind], "properties", name),
            hint=hint and hide(hint),
        )
        for name, message, hint in told
        if name not in secret
    ]
