"""The item of a `for_each` in its places. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from waivern.diagnostics import Diagnostic, shown
from waivern.ids import RULE, ArtifactId, segment_fault
from waivern.language import template
from waivern.language.models import (
    ArtifactSpec,
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
    producer, terms = binder.producer(artifact.producer), artifact.terms
    if terms.after:
        terms = terms._replace(after=binder.names(terms.after, "after"))
    if binder.faults:
        return None, binder.faults
    return artifact._replace(producer=producer, terms=terms), []


class _Binder:
    def __init__(self, each: Mapping[str, Json], environ: Mapping[str, str]) -> None:
        self.faults: list[Diagnostic] = []
        self._each = each
        self._environ = environ

    def producer(self, producer: Producer) -> Producer:
        match producer:
            case SourceSpec(_, properties):
                return producer._replace(properties=self._put(properties, "source", "properties"))
            case ProcessSpec(_, properties, inputs):
                own = self._put(properties, "process", "properties")
                return producer._replace(properties=own, inputs=self.names(inputs, "inputs"))
            case ReuseSpec(run, artifact):
                run = self._name(run, "reuse", "from_run")
                return ReuseSpec(run, self._id(artifact, "reuse", "artifact"))
            case ChildSpec(path, mapping, _, inputs, params):
                at = ("child_runbook", "input_mapping")
                return producer._replace(
                    params=self._put(params, "child_runbook", "params"),
                    path=self._name(path, "child_runbook", "path"),
                    input_mapping={k: self._name(name, *at, k) for k, name in mapping.items()},
                    inputs=self.names(inputs, "inputs"),
                )
            case GateSpec(question, inputs, _, _):
                asked = str(self._put(question, "gate", "question"))
                if not template.references(asked):
                    asked = str(template.expand(asked, {}))
                return producer._replace(question=asked, inputs=self.names(inputs, "gate", "show"))

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
        if isinstance(value, bool | int):
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
