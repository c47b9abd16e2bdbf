"""Calls to an executor, and the outcomes that it reports: small, and picklable."""

from collections.abc import Awaitable, Mapping
from typing import Any, NamedTuple, Self, TypeAlias

from waivern.engine.artifact_identity import ComponentUse, Identity, UnknownIdentity
from waivern.ids import ArtifactId
from waivern.message import Json, Message
from waivern.planning.plan import Node
from waivern.plugins.context import Context
from waivern.record_stream import RecordStream
from waivern.store.store_values import ArtifactRef, Receipt


class Call(NamedTuple):
    """A request to produce one artifact."""

    run_id: str
    node: Node
    inputs: tuple[ArtifactRef, ...]
    statuses: Mapping[str, str] = {}
    """Of the artifacts that the node's conditions ask for, by id: their names for them may meet."""
    results: Mapping[ArtifactId, ArtifactRef] = {}
    """What its tests ask for as `result`."""
    given: Mapping[str, Json] = {}
    """What came from outside for it: the decision on a gate, the data of a resume."""

    @property
    def artifact(self) -> ArtifactId:
        return self.node.id


class Produced(NamedTuple):
    """The artifact is staged."""

    receipt: Receipt
    duration_ms: int
    coverage: dict[str, int] | None = None
    examined: dict[str, Json] | None = None
    """What the journal has of its coverage record in units."""
    identity: Identity | None = None
    """The parts of its fingerprint, if its result may be used again."""
    origin: dict[str, Json] | None = None
    """Where it was copied from: `{run, artifact, seq, digest}`."""
    code: Mapping[str, Json] = {}
    """Digests of the code that produced it."""
    keep: str | None = None
    """`content` if it holds content of a source, `reference` if it lists one, else None."""
    items: dict[str, Json] | None = None
    """`{total, taken, origin}`: its items, and how many results of an earlier run were taken."""


class Failed(NamedTuple):
    """The artifact could not be produced."""

    kind: str
    """The class of the error, or 'timeout'."""
    message: str
    hint: str | None
    duration_ms: int
    store: bool = False
    """The store could not write: nothing else will fare better."""
    kinds: tuple[str, ...] = ()
    """The class and all it derives from: their names, without and with their modules."""

    @property
    def error(self) -> dict[str, Json]:
        return {"kind": self.kind, "message": self.message, "hint": self.hint}


class NotProduced(NamedTuple):
    """The artifact is left out: its condition does not hold, or its part of a result is absent."""

    reason: str


class Suspended(NamedTuple):
    """The artifact waits for something outside."""

    reason: str
    duration_ms: int


class Lost(NamedTuple):
    """The outcome is unknown, because whatever carried the call out is not there any more."""

    reason: str
    blame: bool = False
    """Whether the work itself ended its worker, as a crash or a lack of memory does."""


class Content(NamedTuple):
    """The parts of an artifact before it is staged."""

    value: Json
    records: RecordStream | None = None
    """The list of it that is stored as a stream."""
    items: RecordStream | None = None
    """The index of the items that the records come from."""
    catalogue: dict[str, Json] | None = None
    """Of a listed source: what is needed to read its items again."""

    @classmethod
    def of(cls, message: Message) -> Self:
        """Return the content of another artifact."""
        listed = message.extensions.get("catalogue")
        return cls(message.content, message.records, message.items, listed)


class CacheLookup(NamedTuple):
    """A component about to work, and the identity of what it would produce."""

    tool: ComponentUse
    look: Context
    """A context for asking the component about its result, not for letting it work."""
    identity: Identity | UnknownIdentity

    @property
    def known(self) -> Identity | None:
        return None if isinstance(self.identity, UnknownIdentity) else self.identity


class Working(NamedTuple):
    """A component at work; never leaves the process."""

    call: Call
    ctx: Context
    began: float
    lookup: CacheLookup


class Awaiting(NamedTuple):
    """A component at work that has to be awaited."""

    working: Working
    result: Awaitable[Any]

    @property
    def call(self) -> Call:
        return self.working.call


class LeftBehind(NamedTuple):
    """Work that had not ended when an attempt did, and was left behind."""

    artifact: str
    thread: str | None = None
    """The name of a thread that the component started; None: the component itself."""
    holds_process: bool = True
    """Whether the interpreter would wait for it before the process ends."""

    def __str__(self) -> str:
        what = f"'{self.artifact}'"
        if self.thread is not None:
            what = f"thread '{self.thread}' of {what}"
        return f"{what} was still at work when the run ended, and was left behind"


Outcome: TypeAlias = Produced | Failed | NotProduced | Suspended | Lost
