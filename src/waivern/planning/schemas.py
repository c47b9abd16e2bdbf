"""The check of the schemas of inputs, and the schema of the result. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from waivern.ids import ArtifactId
from waivern.message import ANY_JSON, SchemaRef
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.plan_codes import PlanCode
from waivern.plugins.component import Component, Processor

Inputs: TypeAlias = Mapping[ArtifactId, SchemaRef | None]
"""The inputs of an artifact, each with its schema; None if a problem with it forbids to say."""


def readable(
    table: ArtifactTable, flat: FlatArtifact, component: Processor, inputs: Inputs
) -> bool:
    """Return whether the processor accepts every input, as far as their schemas are known."""
    if component.accepts is None:
        return True
    refused = False
    for n, (name, schema) in enumerate(inputs.items()):
        if schema is not None and schema not in component.accepts:
            message = f"{component.name} cannot read '{name}', which is {schema}"
            hint = "it reads " + ", ".join(map(str, component.accepts))
            at = ("inputs", min(n, len(flat.inputs) - 1))
            table.record(flat.problem(PlanCode.SCHEMA_NOT_ACCEPTED, message, at, hint=hint))
            refused = True
    return not refused


def produced(
    table: ArtifactTable, flat: FlatArtifact, component: Component, inputs: Inputs
) -> SchemaRef | None:
    """Return what the artifact will be, or None if a problem (now or before) forbids it."""
    artifact = flat.artifact
    if None in inputs.values() or (flat.inputs and not inputs):
        return None
    if component.produces is None and len(set(inputs.values())) > 1:
        seen = ", ".join(f"{name} is {schema}" for name, schema in inputs.items())
        message = f"'{artifact.id}' needs inputs of one schema: {seen}"
        table.record(flat.problem(PlanCode.SCHEMAS_DIFFER, message, ("inputs",)))
        return None
    made = component.produces or next(iter(inputs.values()))
    if getattr(component, "outputs", ()):
        made = ANY_JSON  # the whole of them; each is what the component says
    wanted = artifact.output_schema or made
    if wanted != made != ANY_JSON:
        message = f"'{artifact.id}' declares the schema {wanted}; {component.name} produces {made}"
        table.record(flat.problem(PlanCode.OUTPUT_SCHEMA, message, ("output_schema",)))
        return None
    return wanted
