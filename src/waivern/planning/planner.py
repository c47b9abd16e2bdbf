"""Runbook -> Plan: references, cycles, components, their properties, schemas. Pure.

What must be looked up elsewhere comes in through a `Resolver`. All problems are reported at once;
an artifact with a problem is left out of later checks, so that one mistake is one error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, cast

from waivern.errors import StoreError, WaivernError
from waivern.ids import ArtifactId
from waivern.message import ANY_JSON, SchemaRef
from waivern.planning import graph
from waivern.planning.codes import Code
from waivern.planning.plan import Copy, Extract, Node, Plan, Transform, Work
from waivern.planning.properties import faults
from waivern.plugins import registry
from waivern.plugins.component import Component, Processor
from waivern.plugins.hints import did_you_mean
from waivern.problems import InvalidError, Problem
from waivern.runbook.model import Artifact, Draft, Process, Reuse, Runbook, Source


class Resolver(Protocol):
    """Looks up what lies outside the runbook."""

    def reuse(self, artifact: ArtifactId, source: Reuse) -> Copy:
        """Pin another run's artifact. Raises WaivernError if there is none to be had."""
        ...


def make_plan(draft: Draft | Runbook, resolver: Resolver, environ: Mapping[str, str]) -> Plan:
    """Return the plan of a runbook.

    Raises InvalidError with every problem there is, those that the draft has already among them.
    """
    whole = draft if isinstance(draft, Draft) else Draft(draft)
    return _Planner(whole, resolver, environ).plan()


class _Planner:
    def __init__(self, draft: Draft, resolver: Resolver, environ: Mapping[str, str]) -> None:
        self._runbook = draft.runbook
        self._faulty = draft.faulty
        self._resolver = resolver
        self._environ = environ
        self._problems = list(draft.problems)
        self._nodes: dict[ArtifactId, Node] = {}

    def plan(self) -> Plan:
        artifacts = self._runbook.artifacts
        needs = {name: self._known_inputs(artifact) for name, artifact in artifacts.items()}
        order = graph.topological(needs)
        if len(order) < len(needs):
            self._report_cycle(needs)
        for name in order:
            self._add(artifacts[name], needs[name])
        if self._problems:
            raise InvalidError(sorted(self._problems, key=_place))
        return Plan(self._runbook, self._nodes)

    def _add(self, artifact: Artifact, inputs: tuple[ArtifactId, ...]) -> None:
        match artifact.producer:
            case Reuse() as source:
                made = self._copy(artifact, source)
            case Source(type_, properties):
                made = self._component(artifact, "connectors", type_, properties, inputs)
            case Process(type_, properties, _):
                made = self._component(artifact, "processors", type_, properties, inputs)
        if made is not None:
            work, schema = made
            self._nodes[artifact.id] = Node(
                artifact.id, work, inputs, schema, artifact.optional, artifact.output
            )

    # references

    def _known_inputs(self, artifact: Artifact) -> tuple[ArtifactId, ...]:
        if not isinstance(artifact.producer, Process):
            return ()
        known = []
        for n, name in enumerate(artifact.producer.inputs):
            if name in self._runbook.artifacts:
                known.append(name)
            elif name not in self._faulty:
                message = f"artifact '{artifact.id}' reads '{name}', which is not defined"
                hint = did_you_mean(name, self._runbook.artifacts)
                self._report(Code.UNDEFINED_INPUT, message, artifact, ("inputs", n), hint=hint)
        return tuple(known)

    def _report_cycle(self, needs: Mapping[ArtifactId, tuple[ArtifactId, ...]]) -> None:
        path = graph.cycle(needs)
        message = "artifacts need each other in a circle: " + " → ".join([*path, path[0]])
        hint = "each arrow reads 'needs'; one of them has to go"
        first = self._runbook.artifacts[path[0]]
        self._report(Code.CYCLE, message, first, ("inputs",), hint=hint)

    def _copy(self, artifact: Artifact, source: Reuse) -> tuple[Work, SchemaRef] | None:
        try:
            copy = self._resolver.reuse(artifact.id, source)
        except StoreError:  # says nothing about the runbook
            raise
        except WaivernError as error:
            message = f"'{artifact.id}' cannot be reused: {error.message}"
            at = ("reuse", "from_run")
            self._report(Code.REUSE, message, artifact, at, hint=error.hint)
            return None
        schema = SchemaRef.parse(copy.schema)
        if artifact.output_schema not in (None, schema):
            message = (
                f"'{artifact.id}' says it is {artifact.output_schema}; in that run it is {schema}"
            )
            self._report(Code.OUTPUT_SCHEMA, message, artifact, ("output_schema",))
            return None
        return copy, schema

    # components

    def _component(
        self,
        artifact: Artifact,
        kind: Literal["connectors", "processors"],
        name: str,
        properties: Mapping[str, object],
        inputs: tuple[ArtifactId, ...],
    ) -> tuple[Work, SchemaRef] | None:
        part = "source" if kind == "connectors" else "process"
        try:
            component = registry.load(kind, name)
        except WaivernError as error:
            at = (part, "type")
            self._report(Code.UNKNOWN_COMPONENT, error.message, artifact, at, hint=error.hint)
            return None
        fitting = self._configured(artifact, part, component, properties)
        if kind == "processors":
            fitting &= self._accepted(artifact, cast(Processor, component), inputs)
        schema = self._schema(artifact, component, inputs)
        if schema is None or not fitting:
            return None
        make = Extract if kind == "connectors" else Transform
        return make(name, component.version, properties), schema

    def _configured(
        self, artifact: Artifact, part: str, component: Component, properties: Mapping[str, object]
    ) -> bool:
        before = len(self._problems)
        for path, on_key, message, hint in faults(component.Config, properties, self._environ):
            self._report(
                Code.PROPERTY,
                f"{component.name}: {message}",
                artifact,
                (part, "properties", *path),
                on="key" if on_key else "value",
                hint=hint,
            )
        return len(self._problems) == before

    # schemas

    def _schema(
        self, artifact: Artifact, component: Component, inputs: tuple[ArtifactId, ...]
    ) -> SchemaRef | None:
        """Return what the artifact will be, or None if a problem (now or before) forbids it."""
        given = [self._nodes[name].schema for name in inputs if name in self._nodes]
        declared = artifact.producer.inputs if isinstance(artifact.producer, Process) else ()
        if len(given) < len(declared):
            return None
        if component.produces is None and len(set(given)) > 1:
            seen = ", ".join(f"{k} is {s}" for k, s in zip(inputs, given, strict=True))
            message = f"'{artifact.id}' needs inputs of one schema: {seen}"
            self._report(Code.SCHEMAS_DIFFER, message, artifact, ("inputs",))
            return None
        produced = component.produces or given[0]
        wanted = artifact.output_schema or produced
        if wanted != produced != ANY_JSON:
            message = f"'{artifact.id}' says it is {wanted}; {component.name} makes {produced}"
            self._report(Code.OUTPUT_SCHEMA, message, artifact, ("output_schema",))
            return None
        return wanted

    def _accepted(
        self, artifact: Artifact, component: Processor, inputs: tuple[ArtifactId, ...]
    ) -> bool:
        if component.accepts is None:
            return True
        refused = False
        for n, name in enumerate(inputs):
            node = self._nodes.get(name)
            if node is not None and node.schema not in component.accepts:
                message = f"{component.name} cannot read '{name}', which is {node.schema}"
                hint = "it reads " + ", ".join(map(str, component.accepts))
                at = ("inputs", n)
                self._report(Code.SCHEMA_NOT_ACCEPTED, message, artifact, at, hint=hint)
                refused = True
        return not refused

    def _report(
        self,
        code: Code,
        message: str,
        artifact: Artifact,
        at: tuple[str | int, ...],
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> None:
        path = ("artifacts", artifact.id, *at)
        self._problems.append(self._runbook.document.problem(code, message, path, on=on, hint=hint))


def _place(problem: Problem) -> tuple[int, int]:
    at = problem.position
    return (at.line, at.column) if at else (0, 0)
