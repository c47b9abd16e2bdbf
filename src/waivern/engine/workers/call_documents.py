"""Calls and outcomes as JSON documents, which travel between the coordinator and its workers.

They have only what differs from a default, or from what the other side has sent: a small artifact
takes less time than a document of all there is.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Self

from waivern.engine.artifact_identity import Identity, UnknownIdentity
from waivern.engine.calls import Call, Failed, NotProduced, Outcome, Produced, Suspended
from waivern.engine.workers.channel import Document, GarbageError
from waivern.ids import ArtifactId
from waivern.message import Json, SchemaRef
from waivern.planning.plan import Extract, Node, Transform
from waivern.store.store_values import ArtifactRef, Receipt

_OPTIONS = ("names", "cache", "base", "sensitive", "keep", "on_change", "max_memory")
"""The fields of a node that a worker needs beside those that each node has."""
_AS_SENT = True
"""Stands in an outcome for the identity and the code of its call."""


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

    def document(self, *, follows: bool) -> Document:
        """Return it for the channel, without what only the coordinator needs."""
        node, work = self.call.node, self.call.node.work
        document: Document = {
            "artifact": node.id,
            "kind": "connectors" if isinstance(work, Extract) else "processors",
            "work": [work.type, work.version, dict(work.properties)],  # type: ignore[union-attr]
            "needs": node.inputs,
            "schema": node.schema,
            "options": _differing(node, _OPTIONS),
            "inputs": self.call.inputs,
            "given": dict(self.call.given),
            "code": self.code,
            "splits": self.splits,
            "follows": follows,
        }
        unknown = isinstance(self.identity, UnknownIdentity)
        document["unknown" if unknown else "identity"] = self.identity
        return document

    @classmethod
    def of(cls, document: Document, run_id: str) -> Self:
        """Return the call of a document that the coordinator sent."""
        kind, version, properties = document["work"]
        work = Extract if document["kind"] == "connectors" else Transform
        options = document["options"]
        if "names" in options:
            options["names"] = tuple(options["names"])
        node = Node(
            ArtifactId(document["artifact"]),
            work(kind, version, properties),
            tuple(document["needs"]),
            SchemaRef(*document["schema"]),
            **options,
        )
        inputs = tuple(ArtifactRef(*ref) for ref in document["inputs"])
        unknown = document.get("unknown")
        return cls(
            Call(run_id, node, inputs, given=document["given"]),
            document["identity"] if unknown is None else UnknownIdentity(*unknown),
            document["code"],
            document["splits"],
            document["follows"],
        )

    def outcome_document(self, outcome: Outcome) -> Document:
        """Return the outcome of this call for the channel."""
        fields = _differing(outcome, outcome._fields)
        for name, sent in (("identity", self.identity), ("code", self.code)):
            if fields.get(name) == sent and name in fields:
                fields[name] = _AS_SENT
        return {"outcome": type(outcome).__name__, **fields}

    def outcome_of(self, document: Document) -> Outcome:
        """Return the outcome of this call from a document. Raises GarbageError if it is none."""
        fields = dict(document)
        try:
            kind = _OUTCOMES[fields.pop("outcome")]
            for name, sent in (("identity", self.identity), ("code", self.code)):
                if fields.get(name) is _AS_SENT:
                    fields[name] = sent
            if kind is Produced:
                fields["receipt"] = receipt_of(fields["receipt"])
            if "kinds" in fields:
                fields["kinds"] = tuple(fields["kinds"])
            outcome: Outcome = kind(**fields)
        except (KeyError, TypeError, ValueError):
            raise GarbageError from None
        return outcome


_OUTCOMES = {each.__name__: each for each in (Produced, Failed, NotProduced, Suspended)}


def receipt_of(values: list[Json]) -> Receipt:
    """Return a receipt from its values, in their order."""
    receipt = Receipt(*values)
    return receipt._replace(streams=tuple(receipt.streams))


def _differing(values: Any, names: tuple[str, ...]) -> dict[str, Json]:
    """Return the named fields of a tuple that do not have their default."""
    defaults, missing = values._field_defaults, object()
    return {
        name: value
        for name in names
        if (value := getattr(values, name)) != defaults.get(name, missing)
    }
