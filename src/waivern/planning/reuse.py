"""Artifacts of other runs: pinned while the plan is made. Pure."""

from __future__ import annotations

from typing import Protocol

from waivern.errors import IntegrityError, StoreError, WaivernError
from waivern.ids import ArtifactId
from waivern.language.models import ReuseSpec
from waivern.message import SchemaRef
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.plan import Copy
from waivern.planning.plan_codes import PlanCode


class ReusedRuns(Protocol):
    """Finds what other runs made."""

    def reuse(self, artifact: ArtifactId, source: ReuseSpec) -> Copy:
        """Pin another run's artifact. Raises WaivernError if there is none to be had."""
        ...


def pinned(
    flats: ArtifactTable, flat: FlatArtifact, source: ReuseSpec, runs: ReusedRuns
) -> tuple[Copy, SchemaRef] | None:
    """Return another run's artifact with its schema; None if a problem forbids it.

    Raises IntegrityError if the run that is meant, or its artifact, cannot be verified.
    """
    artifact = flat.artifact
    try:
        found = runs.reuse(flat.id, source)
        copy = found._replace(asked=(source.from_run, source.artifact))
    except StoreError:  # says nothing about the runbook
        raise
    except IntegrityError as error:  # neither does that, and its exit code must not be hidden
        raise IntegrityError(
            f"'{artifact.id}' cannot be reused: {error.message}", hint=error.hint
        ) from error
    except WaivernError as error:
        message = f"'{artifact.id}' cannot be reused: {error.message}"
        flats.report(flat.problem(PlanCode.REUSE, message, ("reuse", "from_run"), hint=error.hint))
        return None
    schema = SchemaRef.parse(copy.schema)
    if artifact.output_schema not in (None, schema):
        message = f"'{artifact.id}' says it is {artifact.output_schema}; in that run it is {schema}"
        flats.report(flat.problem(PlanCode.OUTPUT_SCHEMA, message, ("output_schema",)))
        return None
    return copy, schema
