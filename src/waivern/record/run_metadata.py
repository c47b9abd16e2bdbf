"""`run.json`: who, what, when, how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

from waivern.errors import IntegrityError
from waivern.ids import SCHEMA_VERSION
from waivern.message import Json
from waivern.record.json_shape import misfit
from waivern.record.status import RunStatus

_FIRST_FORM = (
    "run_id",
    "runbook_path",
    "runbook_hash",
    "started_at",
    "completed_at",
    "status",
)


class NewerVersionError(IntegrityError):
    """A newer version of this program wrote the run: it is read, and never changed."""


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
    """The time."""
    suspended_at_node: str | None = None
    """The artifact that waits; the first in the order of the runbook, if several do."""
    suspension_reason: str | None = None
    params: dict[str, Json] = field(default_factory=dict)
    children: list[dict[str, str]] = field(default_factory=list)
    reuses: list[str] = field(default_factory=list)
    """The runs that artifacts were copied from."""
    replay_of: str | None = None
    cancelled_by: str | None = None
    coverage: dict[str, Json] | None = None
    """How much of the sources was examined when the last attempt ended; see docs/explanation/coverage.md."""
    attempts: list[dict[str, Json]] = field(default_factory=list)
    """`{started_at, ended_at, status, reason, host, pid, runbook_hash, waivern, python}` each."""
    journal: dict[str, Json] = field(default_factory=dict)
    """`{count, head}`: how many lines were durable when this was last synced, and the last hash."""
    schema_version: int = SCHEMA_VERSION

    @property
    def called(self) -> str:
        """The path of the runbook as it was typed, or its name."""
        return self.runbook_path or self.runbook_name

    def document(self) -> dict[str, Json]:
        """Return the content of `run.json`."""
        names = ["schema_version"] + [f.name for f in fields(self) if f.name != "schema_version"]
        if self.coverage is None:  # as in earlier versions, whose files are compared with this
            names.remove("coverage")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_first_form(cls, document: dict[str, Json]) -> RunMetadata:
        """Return the head in a `run.json` of the first form, which had no version and no journal.

        What was running then has been interrupted. Raises IntegrityError if it is not one.
        """
        path = document.get("runbook_path")
        name = str(path).rpartition("/")[2].rpartition(".")[0] if path else "runbook"
        try:
            status = RunStatus(document["status"])
            known = {key: document[key] for key in _FIRST_FORM}
        except (KeyError, ValueError, TypeError) as error:
            raise IntegrityError(f"run.json is incomplete: {error}") from error
        known["status"] = RunStatus.INTERRUPTED if status is RunStatus.RUNNING else status
        known["updated_at"] = document["completed_at"] or document["started_at"]
        if wrong := misfit(cls, known):
            raise IntegrityError(f"run.json is odd: see its '{wrong}'")
        return cls(runbook_name=name, runbook_version="", **known)

    @classmethod
    def from_document(cls, document: dict[str, Json]) -> RunMetadata:
        """Return the head in `run.json`. Raises IntegrityError if it is not one."""
        known = {f.name: document[f.name] for f in fields(cls) if f.name in document}
        try:
            if known["schema_version"] > SCHEMA_VERSION:
                raise NewerVersionError(
                    f"a newer version of waivern wrote it (schema_version "
                    f"{known['schema_version']}; this one writes {SCHEMA_VERSION})",
                    hint="upgrade waivern: this version reads the run, and does not change it",
                )
            known["status"] = RunStatus(known["status"])
            found = cls(**known)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"run.json is incomplete: {error}") from error
        if wrong := misfit(cls, known):
            raise IntegrityError(f"run.json is odd: see its '{wrong}'")
        return found
