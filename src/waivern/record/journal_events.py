"""The events of a run. The journal is the list of them; everything else is a fold of it.

Every event has `at`: when it happened, RFC 3339, for people only. Order is the journal's.
"""

from typing import Any, NamedTuple, TypeAlias

from waivern.errors import IntegrityError
from waivern.message import Json
from waivern.record.json_shape import misfit


class RunStartedRecord(NamedTuple):
    """The first event of a run: everything that a later attempt must find unchanged."""

    at: str
    run_id: str
    artifacts: list[str]
    """In declared order."""
    reuse: dict[str, dict[str, Json]]
    """Artifact id to `{run, artifact, seq, digest, content_digest, schema}`: resolved once."""
    params: dict[str, Json]
    base: str
    """The absolute folder that the runbook's relative paths start from."""
    runbook_name: str
    runbook_version: str
    runbook_path: str | None
    children: list[dict[str, str]] = []
    """`{path, sha256}` of each child runbook."""
    aliases: dict[str, list[str]] = {}
    """Names that resolve to artifacts."""
    sensitive: list[str] = []
    """Artifacts whose content is not shown unless asked for."""
    replay_of: str | None = None
    project: dict[str, Json] = {}
    """What the project's file gave the plan: `components` (type to properties), `on_error` …"""
    sources: list[str] | None = None
    """Artifacts that come from outside the run; null in journals that do not list them."""
    processors: dict[str, list[str]] | None = None
    """The inputs of each artifact that a processor makes; null in journals of earlier versions."""
    metadata: dict[str, Json] = {}
    """The annotations of the run: `name`, `tags`, `note`, `meta`."""


class AttemptStartedRecord(NamedTuple):
    """The first event of an attempt; `artifacts` and `reuse` only if the runbook changed."""

    at: str
    owner: dict[str, Json]
    """`{host, pid}` of the process at work."""
    runbook_hash: str
    artifacts: list[str] | None = None
    reuse: dict[str, dict[str, Json]] | None = None
    invalidated: dict[str, str] = {}
    """Completed artifacts that are invalidated, each with the reason. Part of this event, so that
    no crash can leave the attempt without them."""
    forced: list[str] = []
    """What a person overrode to get here: `allow-changed`, `force`, `ask-again`."""
    children: list[dict[str, str]] | None = None
    aliases: dict[str, list[str]] | None = None
    sensitive: list[str] | None = None
    params: dict[str, Json] | None = None
    given: list[str] = []
    """The names of the data that were handed to what waited."""
    selected: list[str] | None = None
    """The artifacts that this attempt may make; null: all."""
    project: dict[str, Json] | None = None
    base: str = ""
    """The absolute folder that relative paths start from in this attempt; empty where an earlier
    version began it."""
    place: str = ""
    """The same folder, relative to the one that the store lies in; empty if it is not below it."""
    store: str = ""
    """The id of the store in which the attempt began."""
    sources: list[str] | None = None
    """As in RunStartedRecord; always, since an earlier version may have begun the run."""
    processors: dict[str, list[str]] | None = None
    """As `sources`."""
    output: str | None = None
    """The folder that outputs are delivered to when the run ends, absolute or relative to the base
    folder; null: the one that an earlier attempt named, if any."""
    waivern: str = ""
    python: str = ""
    """The versions that the attempt runs with; empty where an earlier version began it."""


class ArtifactStartedRecord(NamedTuple):
    """The work on an artifact begins."""

    at: str
    artifact: str
    step: int
    """Order of starting within the run, from 1; an artifact keeps it over attempts."""
    component: str
    """`connector:<type>`, `processor:<type>` or `reuse:<run>/<artifact>`."""
    inputs: list[str]


class ArtifactCompletedRecord(NamedTuple):
    """An artifact is published, durably."""

    at: str
    artifact: str
    how: str
    size: int
    digest: str
    content_digest: str
    schema: str
    component: str
    version: str | None
    """The component's version; null for a copy."""
    inputs: dict[str, str]
    """The inputs it really used, each with its content digest."""
    duration_ms: int
    origin: dict[str, Json] | None = None
    """Of a copy: `{run, artifact, seq, digest}`; of a decision: `{runbook_hash, decisions}`."""
    coverage: dict[str, int] | None = None
    """`{seen, read, skipped, left_out}`, if the component counted."""
    identity: dict[str, Json] | None = None
    """The parts of its fingerprint, if it may be taken for the same work another time."""
    statuses: dict[str, str] = {}
    """The statuses that its condition reads, by artifact."""
    examined: dict[str, Json] | None = None
    """What its coverage record says in units, as `waivern.record.measure` reads it."""
    code: dict[str, Json] = {}
    """Digests of the code that produced it: `component`, and `called` if that runs a user's code;
    or `unknown`, the reason why there is none."""
    keep: str | None = None
    """`content`: it holds content of a source; `reference`: it lists a source that is read again;
    null: it holds results only, or an earlier version completed it."""
    items: dict[str, Json] | None = None
    """`{total, taken, origin}`: the items of its inputs, if they were searched one by one, and how
    many results were taken from the artifact `origin` of an earlier run."""
    total: int | None = None
    """The bytes of all its files, if there are others beside the one of `size` and `digest`."""


class ArtifactRedactedRecord(NamedTuple):
    """The content of a completed artifact is destroyed, or the evidence of its findings.

    It is in the journal before anything is destroyed: the next holder of the run completes what a
    crash cuts off, and readers treat the artifact as redacted from this line on.
    """

    at: str
    artifact: str
    destroyed: str
    """`content` or `evidence`."""
    reason: str | None
    by: str
    """`user@host`."""
    before: dict[str, Json]
    """`{size, digest, content_digest}` of the artifact until then."""
    size: int
    digest: str
    content_digest: str
    """Of the file that takes the place of the artifact's, and of the content in it."""
    copy_of: dict[str, Json] | None = None
    """`{run, artifact}` whose redaction this copy follows; null: it was redacted itself."""
    items: dict[str, Json] | None = None
    """`{total, taken, origin}`: the items of its inputs, if they were searched one by one, and how
    many results were taken from the artifact `origin` of an earlier run."""


class ArtifactFailedRecord(NamedTuple):
    """An artifact could not be produced; `error` is `{kind, message, hint}`."""

    at: str
    artifact: str
    error: dict[str, Json]
    duration_ms: int


class ArtifactRetriedRecord(NamedTuple):
    """A call has failed, and there will be another one."""

    at: str
    artifact: str
    error: dict[str, Json]
    duration_ms: int
    delay_ms: int
    attempt: int = 0
    """The number of the try that failed, from 1; 0 where an earlier version recorded it."""
    max_attempts: int = 0
    """The tries that the runbook allows: one, and its retries; 0 as `attempt`."""


class ArtifactSkippedRecord(NamedTuple):
    """An artifact is not produced: because of another one, or because its condition is false."""

    at: str
    artifact: str
    cause: str
    """The artifact that failed or was skipped before it; itself if it was decided here."""
    reason: str
    more_causes: list[str] = []
    """Further artifacts that alone would be reason enough; at most so many as are worth naming."""


class ArtifactSuspendedRecord(NamedTuple):
    """An artifact waits for people, or for something outside."""

    at: str
    artifact: str
    reason: str
    """Of a gate, its question."""
    gate: bool
    shown: dict[str, str] = {}
    """Of a gate: the artifacts to decide on, each with the digest of its file."""
    asked: str = ""
    """Of a gate: the digest of what people are asked."""


class GateDecidedRecord(NamedTuple):
    """A person has decided; counts only while question, files and runbook stay as they are."""

    at: str
    artifact: str
    approved: bool
    by: str
    note: str | None
    data: dict[str, Json]
    shown: dict[str, str]
    runbook_hash: str
    asked: str = ""
    """As in the ArtifactSuspendedRecord that it answers."""


class GateNotifiedRecord(NamedTuple):
    """People were notified that a gate waits, or could not be."""

    at: str
    artifact: str
    by: str
    """`command` or `webhook`."""
    asked: str
    """As in the ArtifactSuspendedRecord that it is about."""
    shown: dict[str, str]
    error: str | None = None
    """Why they could not be."""


class RunCancelledRecord(NamedTuple):
    """A person requested that the run be cancelled."""

    at: str
    by: str
    note: str | None


class RunAnnotatedRecord(NamedTuple):
    """A person changed the annotations of the run while no attempt was at work on it."""

    at: str
    by: str
    metadata: dict[str, Json]
    """All annotations from now on."""


class AttemptEndedRecord(NamedTuple):
    """An attempt has ended; `status` is that of the run until another attempt starts."""

    at: str
    status: str
    reason: str | None
    """`timeout`, `SIGINT`, `SIGTERM`, `SIGHUP`, `store`, `cancel`, `fail_fast`, or null."""
    error: str | None
    duration_ms: int


Event: TypeAlias = (
    RunStartedRecord
    | AttemptStartedRecord
    | ArtifactStartedRecord
    | ArtifactCompletedRecord
    | ArtifactRedactedRecord
    | ArtifactFailedRecord
    | ArtifactRetriedRecord
    | ArtifactSkippedRecord
    | ArtifactSuspendedRecord
    | GateDecidedRecord
    | GateNotifiedRecord
    | RunCancelledRecord
    | RunAnnotatedRecord
    | AttemptEndedRecord
)

_KINDS: dict[str, type[Any]] = {
    "run_started": RunStartedRecord,
    "attempt_started": AttemptStartedRecord,
    "artifact_started": ArtifactStartedRecord,
    "artifact_completed": ArtifactCompletedRecord,
    "artifact_redacted": ArtifactRedactedRecord,
    "artifact_failed": ArtifactFailedRecord,
    "artifact_retried": ArtifactRetriedRecord,
    "artifact_skipped": ArtifactSkippedRecord,
    "artifact_suspended": ArtifactSuspendedRecord,
    "gate_decided": GateDecidedRecord,
    "gate_notified": GateNotifiedRecord,
    "run_cancelled": RunCancelledRecord,
    "run_annotated": RunAnnotatedRecord,
    "attempt_ended": AttemptEndedRecord,
}
EVENT_TYPES = tuple(_KINDS)
"""The types of events, as the journal has them."""
_NAMES = {kind: name for name, kind in _KINDS.items()}
_FIELDS: dict[type[Any], tuple[str, ...]] = {kind: kind._fields for kind in _KINDS.values()}


def to_record(event: Event) -> dict[str, Json]:
    """Return the event as a journal record: `type` first, then its fields in order."""
    return {"type": _NAMES[type(event)], **event._asdict()}


def from_record(record: dict[str, Json]) -> Event:
    """Return the event in a journal record. Raises IntegrityError if it is not one.

    Fields that this version does not know are left out, so that an older program can read a newer
    journal; a type that it does not know is refused, because the fold would be wrong.
    """
    kind = _KINDS.get(str(record.get("type")))
    if kind is None:
        raise IntegrityError(
            f"the journal has an event of unknown type {record.get('type')!r}",
            hint="a newer version of waivern may have written it: upgrade",
        )
    known = {name: record[name] for name in _FIELDS[kind] if name in record}
    if wrong := misfit(kind, known):
        raise IntegrityError(f"the journal has an odd {record['type']} event: see its '{wrong}'")
    try:
        event: Event = kind(**known)
    except TypeError as error:
        raise IntegrityError(f"the journal has an incomplete {record['type']} event") from error
    return event
