"""The content of `run.json`: the user, the runbook, the attempts and the status of a run."""

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


MOST_NAMES = 100
"""The artifacts that `run.json` names at most for one reason; of more, it has the number."""


class NewerVersionError(IntegrityError):
    """Raised to refuse a change of a run that a newer version of waivern wrote; it can be read."""


@dataclass(slots=True)
class RunMetadata:
    """The head of a run, a projection of the journal. Lists of runs read it and not the journal."""

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
    """The time of the suspension."""
    suspended_at_node: str | None = None
    """The artifact that is suspended; of several, the first in the order of the runbook."""
    suspension_reason: str | None = None
    params: dict[str, Json] = field(default_factory=dict)
    children: list[dict[str, str]] = field(default_factory=list)
    reuses: list[str] = field(default_factory=list)
    """The runs that artifacts were copied from."""
    replay_of: str | None = None
    cancelled_by: str | None = None
    coverage: dict[str, Json] | None = None
    """The coverage at the end of the last attempt; see docs/explanation/coverage.md."""
    holds: dict[str, int] = field(default_factory=dict)
    """The first artifacts that hold content of a source, with the bytes of each."""
    holds_count: int = 0
    """The number of all such artifacts."""
    holds_bytes: int = 0
    """The bytes of all of them."""
    redacted: dict[str, str] = field(default_factory=dict)
    """The first artifacts whose content or evidence was destroyed, with the time of each."""
    redacted_count: int = 0
    """The number of all such artifacts."""
    metadata: dict[str, Json] = field(default_factory=dict)
    """The annotations that users recorded: `name`, `tags`, `note`, `meta`, if there are any."""
    attempts: list[dict[str, Json]] = field(default_factory=list)
    """`{started_at, ended_at, status, reason, host, pid, runbook_hash, waivern, python}` each."""
    journal: dict[str, Json] = field(default_factory=dict)
    """`{count, head, synced}`: the number of durable lines at the last sync and the last hash, and
    the number of lines that were durable when it was written."""
    schema_version: int = SCHEMA_VERSION

    @property
    def called(self) -> str:
        """The path of the runbook as it was typed, or its name."""
        return self.runbook_path or self.runbook_name

    def document(self) -> dict[str, Json]:
        """Return the content of `run.json`."""
        names = ["schema_version"] + [f.name for f in fields(self) if f.name != "schema_version"]
        if self.coverage is None:  # as in earlier versions: `verify` compares their files with this
            names.remove("coverage")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_first_form(cls, document: dict[str, Json]) -> "RunMetadata":
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
    def from_document(cls, document: dict[str, Json]) -> "RunMetadata":
        """Return the head from `run.json`. Raises IntegrityError if it is invalid."""
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
