"""The item of a `for_each` in its places. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from waivern.diagnostics import Diagnostic, shown
from waivern.ids import RULE, ArtifactId, segment_fault
from waivern.language import template
from waivern.language.artifact_spec import ArtifactSpec
from waivern.language.producer_specs import (
    ChildSpec,
    GateSpec,
    ProcessSpec,
    Producer,
    ReuseSpec,
    SourceSpec,
)
from waivern.message import Json
from waivern.planning.plan_codes import PlanCode


def with_item(
    artifact: ArtifactSpec, item: Json, environ: Mapping[str, str]
) -> tuple[ArtifactSpec | None, list[Diagnostic]]:
    """Return the declaration for one item, names in it expanded; None if there are problems.

    The paths of the problems begin below the artifact.
    """
    binder = _Binder({"each": item}, environ)
    bound = artifact.model_copy(update=binder.bound(artifact))
    return (None, binder.faults) if binder.faults else (bound, [])


class _Binder:
    def __init__(self, each: Mapping[str, Json], environ: Mapping[str, str]) -> None:
        self.faults: list[Diagnostic] = []
        self._each = each
        self._environ = environ

    def bound(self, artifact: ArtifactSpec) -> dict[str, object]:
        """Return the parts of an artifact that may refer to the item, with it in its places."""
        return {
            **self._producer(artifact.producer),
            "inputs": self.names(artifact.inputs, "inputs"),
            "after": self.names(artifact.after, "after"),
        }

    def _producer(self, producer: Producer) -> dict[str, object]:
        match producer:
            case SourceSpec():
                properties = self._put(producer.properties, "source", "properties")
                return {"source": producer.model_copy(update={"properties": properties})}
            case ProcessSpec():
                properties = self._put(producer.properties, "process", "properties")
                return {"process": producer.model_copy(update={"properties": properties})}
            case ReuseSpec():
                return {"reuse": producer.model_copy(update=self._reuse(producer))}
            case ChildSpec():
                return {"child_runbook": producer.model_copy(update=self._child(producer))}
            case GateSpec():
                return {"gate": producer.model_copy(update=self._gate(producer))}

    def _reuse(self, reuse: ReuseSpec) -> dict[str, object]:
        return {
            "from_run": self._name(reuse.from_run, "reuse", "from_run"),
            "artifact": self._id(reuse.artifact, "reuse", "artifact"),
        }

    def _child(self, child: ChildSpec) -> dict[str, object]:
        at = ("child_runbook", "input_mapping")
        return {
            "params": self._put(child.params, "child_runbook", "params"),
            "path": self._name(child.path, "child_runbook", "path"),
            "input_mapping": {
                key: self._name(name, *at, key) for key, name in child.input_mapping.items()
            },
        }

    def _gate(self, gate: GateSpec) -> dict[str, object]:
        question = str(self._put(gate.question, "gate", "question"))
        if not template.references(question):
            question = str(template.expand(question, {}))
        return {"question": question, "show": self.names(gate.show, "gate", "show")}

    def names(self, texts: Sequence[str], *path: str | int) -> tuple[ArtifactId, ...]:
        return tuple(ArtifactId(self._name(text, *path, n)) for n, text in enumerate(texts))

    def _put(self, value: Json, *path: str | int) -> Json:
        found = list(template.unbound(value, self._each))
        for below, code, message, hint in found:
            self.faults.append(Diagnostic(code, message, (*path, *below), hint))
        return value if found else template.bind(value, self._each)

    def _name(self, text: str, *path: str | int) -> str:
        if not template.references(text):
            return text
        value = self._put(text, *path)
        if value == text:
            return text  # there was a fault
        if isinstance(value, (bool, int)):
            value = json.dumps(value)  # as it stands within a longer text, and in a label
        plain = template.expand(value, self._environ) if isinstance(value, str) else ""
        if not (plain and plain.isprintable()):
            message = f"the item gives no name for {shown(text)}"
            hint = "it has to be one line of text"
            self.faults.append(Diagnostic(PlanCode.ITEMS, message, path, hint))
        return plain

    def _id(self, text: str, *path: str | int) -> str:
        plain = self._name(text, *path)
        if not self.faults and any(map(segment_fault, plain.split("/"))):
            message = f"the item gives no id of an artifact: {shown(plain)}"
            hint = f"an id has {RULE}"
            self.faults.append(Diagnostic(PlanCode.ITEMS, message, path, hint))
        return plain
