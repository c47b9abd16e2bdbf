"""The values of the store interface: what is passed to a store, and what it returns."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple, TypeAlias

from waivern.message import Json, StreamKind


class Receipt(NamedTuple):
    """A staged artifact: enough to publish it and to journal it; small, picklable."""

    key: str
    staged: str
    """The place where the bytes wait until they are published; only the store reads it."""
    size: int
    digest: str
    content_digest: str
    schema: str
    streams: tuple[StreamKind, ...] = ()
    """The record streams that are staged with it."""
    total: int | None = None
    """The bytes of all its files; None if there is one only."""


class ArtifactRef(NamedTuple):
    """A reference to exact bytes of an artifact; with `staged` while it may not be published."""

    key: str
    digest: str
    content_digest: str
    staged: str | None = None
    schema: str = ""
    """As its receipt and the journal say; empty where it is not needed."""
    lists_source: bool = False
    """Whether its content lists a source, whose items its consumers read."""


class AttemptAddress(NamedTuple):
    """The address of an attempt for other processes, which stage artifacts for its holder."""

    url: str
    """The argument of `open_store`, like the two that follow."""
    trust: bool
    working_folder: str
    run_id: str
    attempt: str
    """The name of its staging; only the store reads it."""


class Owner(NamedTuple):
    """The holder of a run: for people to read, never to decide by."""

    host: str
    pid: int
    since: str


class JournalLine(NamedTuple):
    """One durable record and its place in the chain."""

    seq: int
    """From 1."""
    record: dict[str, Json]
    hash: str


class Journal(NamedTuple):
    """The valid lines of a run's journal, and whether a torn tail follows."""

    lines: tuple[JournalLine, ...]
    torn: bool = False


class InitialState(NamedTuple):
    """The initial state of a run: everything it has when it first becomes visible."""

    runbook: bytes
    records: tuple[dict[str, Json], ...]
    """The first journal lines."""
    run: dict[str, Json]
    """`run.json`, without `journal`, which the store fills in."""
    state: dict[str, Json]
    children: Mapping[str, bytes] = MappingProxyType({})


Stamp: TypeAlias = tuple[int, ...]
"""A value that changes whenever a record of a run does."""


RecordName: TypeAlias = Literal["run", "state", "journal", "runbook", "pin"]
"""A record that a run has beside its artifacts: its two projections, its journal, the runbook that
the last attempt ran, and the reason why it must not be removed."""

FileKind: TypeAlias = Literal[
    "artifact",
    "records",
    "items",
    "record",
    "child",
    "earlier runbook",
    "earlier child",
    "staged",
    "uncovered",
    "other",
]
"""The kind of a file of a run. `records` and `items` are the streams of an artifact, which its own
file (`artifact`) describes. No event describes `uncovered` ones (logs, requests, the lock, the
pin); `staged` ones are leftovers that no reader sees."""


class RunFile(NamedTuple):
    """A file of a run, or a folder that is not looked into, whose path then ends with '/'."""

    path: str
    """Below the run's folder, where people find it."""
    kind: FileKind
    name: str = ""
    """The key of an artifact, also of a stream's, a RecordName, the path of a child runbook, or 16
    hex digits of the digest of an earlier one."""


class RunIndex(NamedTuple):
    """The runs of a store, and the retained knowledge of those that have not changed."""

    stamps: dict[str, Stamp | None]
    """The stamp of every run; None if it has none now, so that nothing can be retained of it."""
    entries: dict[str, list[Json]]
    """The entries that `index` stored of unchanged runs; to be checked like any input."""
    moment: int = 0
    """The time before anything was read, in nanoseconds since the epoch."""
