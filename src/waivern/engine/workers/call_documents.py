"""Calls and outcomes as JSON documents, which travel between the coordinator and its workers."""

from __future__ import annotations

from typing import NamedTuple, Self

from waivern.engine.artifact_identity import Identity, UnknownIdentity
from waivern.engine.calls import Call, Failed, NotProduced, Outcome, Produced, Suspended
from waivern.engine.workers.channel import Document, GarbageError
from waivern.ids import ArtifactId
from waivern.message import Json, SchemaRef
from waivern.planning.plan import Extract, Node, Transform
from waivern.store.store_values import ArtifactRef, Receipt


class WorkerCall(NamedTuple):
    """A call as a worker gets it: its conditions hold, and no earlier result can be taken."""

    call: Call
    identity: Identity | UnknownIdentity | None
    """What the coordinator has found; None where the worker lists a source, and finds it itself."""
    code: dict[str, Json]
    """The digests of the code that the coordinator knows; the worker refuses to run another."""
    splits: bool = False
    """Whether the items of its inputs may be distributed among several workers."""
    follows: bool = False
    """Whether only such items are worked on, for the worker that has the call."""

    def document(self) -> Document:
        """Return it for the channel, without what only the coordinator needs."""
        node = self.call.node
        unknown = isinstance(self.identity, UnknownIdentity)
        return {
            "artifact": node.id,
            "kind": "connectors" if isinstance(node.work, Extract) else "processors",
            "work": [node.work.type, node.work.version, dict(node.work.properties)],  # type: ignore[union-attr]
            "needs": node.inputs,
            "schema": list(node.schema),
            "names": node.names,
            "cache": node.cache,
            "base": node.base,
            "sensitive": node.sensitive,
            "keep": node.keep,
            "on_change": node.on_change,
            "max_memory": node.max_memory,
            "inputs": self.call.inputs,
            "given": dict(self.call.given),
            "unknown" if unknown else "identity": self.identity,
            "code": self.code,
            "splits": self.splits,
            "follows": self.follows,
        }

    @classmethod
    def of(cls, document: Document, run_id: str) -> Self:
        """Return the call of a document that the coordinator sent."""
        kind, version, properties = document["work"]
        work = Extract if document["kind"] == "connectors" else Transform
        node = Node(
            ArtifactId(document["artifact"]),
            work(kind, version, properties),
            tuple(document["needs"]),
            SchemaRef(*document["schema"]),
            names=tuple(document["names"]),
            cache=document["cache"],
            base=document["base"],
            sensitive=document["sensitive"],
            keep=document["keep"],
            on_change=document["on_change"],
            max_memory=document["max_memory"],
        )
        inputs = tuple(ArtifactRef(*ref) for ref in document["inputs"])
        identity = document.get("identity")
        if "unknown" in document:
            identity = UnknownIdentity(*document["unknown"])
        return cls(
            Call(run_id, node, inputs, given=document["given"]),
            identity,
            document["code"],
            document["splits"],
            document["follows"],
        )


_OUTCOMES = {each.__name__: each for each in (Produced, Failed, NotProduced, Suspended)}


def outcome_document(outcome: Outcome) -> Document:
    """Return an outcome for the channel."""
    return {"outcome": type(outcome).__name__, **outcome._asdict()}


def outcome_of(document: Document) -> Outcome:
    """Return the outcome of a document. Raises GarbageError if it is none."""
    fields = dict(document)
    try:
        kind = _OUTCOMES[fields.pop("outcome")]
        if kind is Produced:
            fields["receipt"] = receipt_of(fields["receipt"])
        if kind is Failed:
            fields["kinds"] = tuple(fields["kinds"])
        outcome: Outcome = kind(**fields)
    except (KeyError, TypeError, ValueError):
        raise GarbageError from None
    return outcome


def receipt_of(values: list[Json]) -> Receipt:
    """Return a receipt from its values, in their order."""
    receipt = Receipt(*values)
    return receipt._replace(streams=tuple(receipt.streams))
