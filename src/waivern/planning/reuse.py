"""Artifacts of other runs: resolved once, when the plan is made. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from waivern.errors import IntegrityError, WaivernError
from waivern.ids import ArtifactId
from waivern.language.producer_specs import ReuseSpec
from waivern.message import SchemaRef
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.plan import Copy
from waivern.planning.plan_codes import PlanCode

Copies: TypeAlias = Mapping[ArtifactId, Copy | WaivernError]
"""The artifacts of other runs by the artifacts that reuse them, or the errors of their lookups."""


class ReuseSource(Protocol):
    """A source of artifacts of other runs that answers at once."""

    def reuse(self, artifact: ArtifactId, source: ReuseSpec) -> Copy:
        """Return another run's artifact. Raises WaivernError if none can be used."""
        ...


class ReuseLookup(Protocol):
    """A lookup of artifacts of other runs that may wait."""

    async def copies(self, wanted: Mapping[ArtifactId, ReuseSpec]) -> Copies:
        """Return each artifact, or the error of its lookup.

        Raises StoreError, which ends planning: it is no fault of the runbook.
        """
        ...


async def look_up(table: ArtifactTable, lookup: ReuseLookup) -> Copies:
    """Return the artifacts that a runbook reuses, all looked up in one batch."""
    wanted = {
        flat.id: producer
        for flat in table.artifacts.values()
        if flat.work is None and isinstance(producer := flat.artifact.producer, ReuseSpec)
    }
    return await lookup.copies(wanted) if wanted else {}


def resolved(
    table: ArtifactTable, flat: FlatArtifact, source: ReuseSpec, copies: Copies
) -> tuple[Copy, SchemaRef] | None:
    """Return another run's artifact with its schema; None if a problem forbids it.

    Raises IntegrityError if the run that is meant, or its artifact, cannot be verified.
    """
    artifact, found = flat.artifact, copies[flat.id]
    if isinstance(found, WaivernError):
        message = f"'{artifact.id}' cannot be reused: {found.message}"
        if isinstance(found, IntegrityError):  # no fault of the runbook: its exit code must stay
            raise IntegrityError(message, hint=found.hint) from found
        table.record(flat.problem(PlanCode.REUSE, message, ("reuse", "from_run"), hint=found.hint))
        return None
    copy = found._replace(asked=(source.from_run, source.artifact))
    schema = SchemaRef.parse(copy.schema)
    if artifact.output_schema not in (None, schema):
        wanted = artifact.output_schema
        message = f"'{artifact.id}' declares the schema {wanted}; in that run it is {schema}"
        table.record(flat.problem(PlanCode.OUTPUT_SCHEMA, message, ("output_schema",)))
        return None
    return copy, schema
