"""The production of each artifact: its component and its schema. Pure."""

from __future__ import annotations

from typing import TypeAlias, cast

from waivern.ids import ArtifactId
from waivern.language.producer_specs import GateSpec, ProcessSpec, ReuseSpec, SourceSpec
from waivern.message import ANY_JSON, SchemaRef
from waivern.planning import schemas
from waivern.planning.artifact_table import ArtifactTable, FlatArtifact
from waivern.planning.plan import (
    AskPeople,
    DefaultValue,
    Extract,
    LastRound,
    NoValue,
    OutputPart,
    Transform,
    Work,
)
from waivern.planning.plan_codes import PlanCode
from waivern.planning.plan_components import Kind, PlanComponents
from waivern.planning.reuse import Copies, resolved
from waivern.planning.schemas import Inputs
from waivern.plugins.component import Component, Processor

DECISION = SchemaRef("decision")
"""What a gate is: who decided, when, on what."""

Made: TypeAlias = tuple[Work, SchemaRef, Component | None]


class ProductionTable:
    """The work that produces each artifact; one without has a problem, or its inputs have."""

    def __init__(self, table: ArtifactTable, components: PlanComponents, copies: Copies) -> None:
        self._table = table
        self._components = components
        self._copies = copies
        self._empty: set[ArtifactId] = set()

    def made(self, flat: FlatArtifact, inputs: Inputs) -> Made | None:
        """Return what makes the artifact and what it will be; None if a problem forbids it."""
        artifact = flat.artifact
        if flat.work is not None:
            return self._taken(flat, flat.work, inputs)
        match artifact.producer:
            case ReuseSpec() as reuse:
                copy = resolved(self._table, flat, reuse, self._copies)
                return (*copy, None) if copy else None
            case GateSpec() as gate:
                return _asked(gate), DECISION, None
            case SourceSpec() as source:
                return self._by_component(flat, "connectors", source, inputs)
            case ProcessSpec() as process:
                return self._by_component(flat, "processors", process, inputs)
        raise AssertionError(f"{artifact.producer} is taken apart by flatten")

    def without_items(self, flat: FlatArtifact, inputs: Inputs) -> Made | None:
        """Return nothing as what the artifact is, if all that it reads has no items.

        That is a `for_each` over an empty list, or what only reads one.
        """
        if not flat.inputs or self._table.problems or inputs.keys() - self._empty:
            return None
        self._empty.add(flat.id)
        names = " and ".join(f"'{name}'" for _, name in flat.inputs)
        has = "has" if len(flat.inputs) == 1 else "have"
        return (
            NoValue(f"nothing to do: {names} {has} no items"),
            flat.artifact.output_schema or ANY_JSON,
            None,
        )

    def _taken(
        self,
        flat: FlatArtifact,
        work: DefaultValue | NoValue | LastRound | OutputPart,
        inputs: Inputs,
    ) -> Made | None:
        """Return a production without a component: a default, a named output, the last round."""
        if isinstance(work, (DefaultValue, NoValue)):
            return work, flat.artifact.output_schema or ANY_JSON, None
        if isinstance(work, LastRound) and not self._one_each_round(flat, inputs):
            return None
        first = next((schema for schema in inputs.values() if schema is not None), None)
        if first is None:
            return None
        return work, self._part_schema(flat) if isinstance(work, OutputPart) else first, None

    def _one_each_round(self, flat: FlatArtifact, inputs: Inputs) -> bool:
        found = [self._table.resolve(scope, name) for scope, name in flat.inputs]
        if all(found) and (len(inputs) != len(found) or any(len(ids or ()) > 1 for ids in found)):
            fault = "it does not produce one artifact in each round"
            message = f"'{flat.artifact.id}' cannot be repeated: {fault}"
            self._table.record(flat.problem(PlanCode.CHILD, message, ("repeat",), on="key"))
            return False
        return True

    def _by_component(
        self, flat: FlatArtifact, kind: Kind, spec: SourceSpec | ProcessSpec, inputs: Inputs
    ) -> Made | None:
        name, own = spec.type, spec.properties
        component = self._components.find(flat, kind, name)
        properties = self._components.properties(name, own)
        make = Extract if kind == "connectors" else Transform
        if component is None:
            done = self._components.made(flat, kind, name)
            if done is None:
                return None
            return make(name, str(done.version), properties), SchemaRef.parse(done.schema), None
        fit = self._components.fit(flat, kind, name, component, own, properties)
        if kind == "processors":
            fit &= schemas.readable(self._table, flat, cast(Processor, component), inputs)
        schema = schemas.produced(self._table, flat, component, inputs)
        if schema is None or not fit:
            return None
        return make(name, component.version, properties), schema, component

    def _part_schema(self, flat: FlatArtifact) -> SchemaRef:
        producer = flat.artifact.producer
        assert isinstance(producer, ProcessSpec)
        if (done := self._components.output(flat)) is not None:
            return SchemaRef.parse(done.schema)
        component = self._components.find(flat, "processors", producer.type)
        return (component and component.produces) or ANY_JSON


def _asked(gate: GateSpec) -> AskPeople:
    return AskPeople(gate.question, gate.approvers, gate.expires, gate.notify)
