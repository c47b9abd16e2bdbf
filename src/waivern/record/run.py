"""`run.json`: who, what, when, how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.record.shape import misfit
from waivern.record.status import RunStatus

SCHEMA_VERSION = 1


@dataclass(slots=True)
class RunMetadata:
    """The head of a run. A projection of the journal, except that it is what lists are made of."""

    run_id: str
    runbook_path: str | None
    runbook_name: str
    runbook_version: str
    runbook_hash: str
    status: RunStatus
    started_at: str
    completed_at: str | None = None
    updated_at: str = ""
    duration_ms: int = 0
    error: str | None = None
    suspended_at: str | None = None
    suspension_reason: str | None = None
    params: dict[str, Json] = field(default_factory=dict)
    children: list[dict[str, str]] = field(default_factory=list)
    reuses: list[str] = field(default_factory=list)
    """The runs that artifacts were copied from."""
    replay_of: str | None = None
    cancelled_by: str | None = None
    coverage: dict[str, Json] | None = None
    """How much of the sources was examined when the last attempt ended; see docs/coverage.md."""
    attempts: list[dict[str, Json]] = field(default_factory=list)
    """`{started_at, ended_at, status, reason, host, pid, runbook_hash}` each."""
    journal: dict[str, Json] = field(default_factory=dict)
    """`{count, head}`: how many lines were durable when this was last synced, and the last hash."""
    schema_version: int = SCHEMA_VERSION

    def document(self) -> dict[str, Json]:
        """Return the content of `run.json`."""
        names = ["schema_version"] + [f.name for f in fields(self) if f.name != "schema_version"]
        if self.coverage is None:  # as in earlier versions, whose files are compared with this
            names.remove("coverage")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_document(cls, document: dict[str, Json]) -> RunMetadata:
        """Return the head in `run.json`. Raises IntegrityError if it is not one."""
        known = {f.name: document[f.name] for f in fields(cls) if f.name in document}
        try:
            if known["schema_version"] > SCHEMA_VERSION:
                raise IntegrityError(
                    f"run.json has schema_version {known['schema_version']}; "
                    f"this program knows {SCHEMA_VERSION}",
                    hint="a newer version of waivern wrote it: upgrade",
                )
            known["status"] = RunStatus(known["status"])
            found = cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"run.json is incomplete: {error}") from error
        if wrong := misfit(cls, known):
            raise IntegrityError(f"run.json is odd: see its '{wrong}'")
        return found
