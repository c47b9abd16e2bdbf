"""Runbook -> Plan: references, cycles, components, their properties, schemas. Pure.

What must be looked up elsewhere comes in through a `Resolver`. All problems are reported at once;
an artifact with a problem is left out of later checks, so that one mistake is one error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, cast

from waivern.errors import StoreError, WaivernError
from waivern.ids import ArtifactId
from waivern.message import ANY_JSON, Json, SchemaRef
from waivern.planning import graph
from waivern.planning.codes import Code
from waivern.planning.flatten import Children, Flat, Flattener, Scope
from waivern.planning.plan import (
    Absent,
    Ask,
    Copy,
    Extract,
    Given,
    Last,
    Node,
    Part,
    Plan,
    Test,
    Transform,
    Work,
)
from waivern.planning.properties import faults
from waivern.plugins import registry
from waivern.plugins.component import Component, Processor
from waivern.plugins.hints import did_you_mean
from waivern.problems import InvalidError
from waivern.runbook.env import names
from waivern.runbook.model import (
    Child,
    Draft,
    Gate,
    OnError,
    Process,
    Retry,
    Reuse,
    Runbook,
    Source,
)
from waivern.runbook.params import recorded, with_secrets
from waivern.runbook.project import laid_over

DECISION = SchemaRef("decision")
"""What a gate is: who decided, when, on what."""


class Resolver(Children, Protocol):
    """Looks up what lies outside the runbook."""

    def reuse(self, artifact: ArtifactId, source: Reuse) -> Copy:
        """Pin another run's artifact. Raises WaivernError if there is none to be had."""
        ...


@dataclass(frozen=True, slots=True)
class Defaults:
    """What a project says for all its runbooks."""

    components: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Properties by component type, over which a runbook's own are laid."""
    on_error: OnError | None = None


NO_DEFAULTS = Defaults()


def make_plan(
    draft: Draft | Runbook,
    resolver: Resolver,
    environ: Mapping[str, str],
    defaults: Defaults = NO_DEFAULTS,
) -> Plan:
    """Return the plan of a runbook.

    Raises InvalidError with every problem there is, those that the draft has already among them.
    """
    whole = draft if isinstance(draft, Draft) else Draft(draft)
    return _Planner(whole, resolver, environ, defaults).plan()


class _Planner:
    def __init__(
        self, draft: Draft, resolver: Resolver, environ: Mapping[str, str], defaults: Defaults
    ) -> None:
        self._draft = draft
        self._resolver = resolver
        self._environ = with_secrets(environ, draft.runbook.params, draft.values)
        self._defaults = defaults
        self._flattener = Flattener(draft, resolver, environ)
        self._flats = self._flattener.flats
        self._problems = self._flattener.problems
        self._nodes: dict[ArtifactId, Node] = {}
        self._pools = dict(draft.runbook.settings.pools)

    def plan(self) -> Plan:
        self._refuse_needs()
        drawn = {id_: self._drawn(flat) for id_, flat in self._flats.items()}
        needs = {id_: each.awaited for id_, each in drawn.items()}
        order = graph.topological(needs)
        if len(order) < len(needs):
            self._report_cycle(needs)
        for id_ in order:
            self._add(self._flats[id_], drawn[id_])
        self._check_mapped()
        if self._problems:
            raise InvalidError(self._problems)
        draft, flattener = self._draft, self._flattener
        hidden = {
            id_
            for scope, _, inside, need in flattener.mapped
            if need.sensitive
            for id_ in flattener.resolve(inside, need.name) or ()
        }
        nodes = {
            id_: replace(node, sensitive=True) if id_ in hidden else node
            for id_, node in self._nodes.items()
        }
        return Plan(
            draft.runbook,
            nodes,
            flattener.aliases(),
            {key: document.data for key, document in flattener.documents.items()},
            recorded(draft.runbook.params, draft.values),
            self._pools,
            tuple(self._flats),
        )

    def _refuse_needs(self) -> None:
        """A runbook that must be given inputs has nobody to give them if it is run itself."""
        root = self._flattener.root
        for need in root.runbook.inputs.values():
            if not need.optional:
                message = f"this runbook needs the input '{need.name}': it is part of another"
                hint = "include it with child_runbook, or make the input optional"
                self._problems.append(
                    root.problem(Code.CHILD, message, ("inputs", need.name), on="key", hint=hint)
                )
            else:
                root.names[need.name] = []

    def _add(self, flat: Flat, drawn: _Drawn) -> None:
        made = self._made(flat, drawn.inputs)
        if made is None:
            return
        work, schema, component = made
        artifact, settings = flat.artifact, flat.scope.runbook.settings
        on_error = artifact.terms.on_error or settings.on_error or self._defaults.on_error
        terms = artifact.terms
        self._nodes[flat.id] = Node(
            flat.id,
            work,
            drawn.inputs,
            schema,
            optional=flat.optional or on_error == "continue",
            output=flat.exposed,
            names=drawn.names if drawn.names != drawn.inputs else (),
            after=drawn.after,
            tests=drawn.tests,
            spare=flat.spare,
            retry=terms.retry or _own_retry(component),
            timeout=terms.timeout,
            pool=self._pool(flat),
            fail_fast=on_error == "fail",
            cache=terms.cache if terms.cache is not None else settings.cache,
            base=str(flat.scope.runbook.document.folder) if flat.scope.key else "",
            sensitive=flat.sensitive,
            tolerated=flat.scope.tolerated,
        )

    def _made(
        self, flat: Flat, inputs: tuple[ArtifactId, ...]
    ) -> tuple[Work, SchemaRef, Component | None] | None:
        """Return what makes the artifact and what it will be; None if a problem forbids it."""
        artifact = flat.artifact
        given = [self._nodes[name].schema for name in inputs if name in self._nodes]
        match flat.work:
            case Given() | Absent() as work:
                return work, artifact.output_schema or ANY_JSON, None
            case Part() | Last() as work:
                if not given:
                    return None
                schema = self._part_schema(flat) if isinstance(work, Part) else given[0]
                return work, schema, None
        match artifact.producer:
            case Reuse() as source:
                made = self._copy(flat, source)
                return (*made, None) if made else None
            case Gate(question, _, approvers, expires):
                return Ask(question, approvers, expires), DECISION, None
            case Source(type_, properties):
                return self._component(flat, "connectors", type_, properties, inputs)
            case Process(type_, properties, _):
                return self._component(flat, "processors", type_, properties, inputs)
        raise AssertionError(f"{artifact.producer} is taken apart by the flattener")

    def _part_schema(self, flat: Flat) -> SchemaRef:
        producer = flat.artifact.producer
        assert isinstance(producer, Process)
        return registry.load("processors", producer.type).produces or ANY_JSON

    def _pool(self, flat: Flat) -> str | None:
        pool = flat.artifact.terms.pool
        if pool is None:
            return None
        own = flat.scope.runbook.settings.pools
        if pool in own:
            self._pools.setdefault(pool, own[pool])
        if pool not in self._pools:
            message = f"'{flat.artifact.id}' is in the pool '{pool}', which is not declared"
            hint = did_you_mean(pool, self._pools) or f"add `config: {{pools: {{{pool}: 2}}}}`"
            self._report(Code.POOL, message, flat, ("pool",), hint=hint)
        return pool

    # references

    def _drawn(self, flat: Flat) -> _Drawn:
        """Resolve all that an artifact refers to."""
        inputs: dict[ArtifactId, str] = {}
        for n, (scope, name) in enumerate(flat.inputs):
            ids = self._resolved(flat, scope, name, self._input_place(flat, n))
            for id_ in ids:
                local = name if len(ids) == 1 else id_.removeprefix(scope.prefix)
                inputs.setdefault(id_, local)
        after = [id_ for scope, name in flat.after for id_ in self._resolved(flat, scope, name, ())]
        if flat.work is None:
            for n, name in enumerate(flat.artifact.terms.after):
                after += self._resolved(flat, flat.scope, name, ("after", n))
        tests = flat.tests
        if flat.work is None and flat.artifact.terms.when is not None:
            tests = (*tests, self._test(flat))
        tests = tuple(self._known_statuses(flat, test) for test in tests)
        results = [test.result for test in tests if test.result is not None]
        ordered = tuple(dict.fromkeys([*after, *results]))
        return _Drawn(tuple(inputs), tuple(inputs.values()), ordered, tests)

    def _input_place(self, flat: Flat, n: int) -> tuple[str | int, ...]:
        return ("gate", "show", n) if isinstance(flat.artifact.producer, Gate) else ("inputs", n)

    def _resolved(
        self, flat: Flat, scope: Scope, name: str, at: tuple[str | int, ...]
    ) -> tuple[ArtifactId, ...]:
        ids = self._flattener.resolve(scope, name)
        if ids is None and name not in scope.faulty:
            message = f"artifact '{flat.artifact.id}' reads '{name}', which is not defined"
            hint = did_you_mean(name, self._flattener.known(scope))
            self._problems.append(
                scope.problem(
                    Code.UNDEFINED_INPUT, message, ("artifacts", flat.artifact.id, *at), hint=hint
                )
            )
        return ids or ()

    def _test(self, flat: Flat) -> Test:
        condition = flat.artifact.terms.when
        assert condition is not None
        names = {name for scope, name in flat.inputs}
        for root, name in sorted(condition.references):
            if root == "inputs" and name not in names:
                message = f"the condition of '{flat.artifact.id}' reads '{name}', which is no input"
                known = f"its inputs are {', '.join(sorted(names))}" if names else "it has none"
                hint = did_you_mean(name, names) or known
                self._report(Code.CONDITION, message, flat, ("when",), hint=hint)
        return self._flattener.test(flat.scope, flat.artifact, condition, flat.each)

    def _known_statuses(self, flat: Flat, test: Test) -> Test:
        known = {name: id_ for name, id_ in test.statuses.items() if id_ in self._flats}
        for name in test.statuses.keys() - known.keys():
            message = f"the condition of '{flat.artifact.id}' asks for '{name}', which is not there"
            hint = did_you_mean(name, self._flattener.known(flat.scope))
            self._report(Code.CONDITION, message, flat, ("when",), hint=hint)
        return replace(test, statuses=known)

    def _check_mapped(self) -> None:
        """See that what a child is given is what it says that it takes."""
        for scope, directive, _, need in self._flattener.mapped:
            child = scope.runbook.artifacts[ArtifactId(directive)].producer
            assert isinstance(child, Child)
            name = child.input_mapping[need.name]
            at = ("artifacts", directive, "child_runbook", "input_mapping", need.name)
            ids = self._flattener.resolve(scope, name)
            if ids is None and name not in scope.faulty:
                message = f"'{directive}' maps '{name}', which is not defined"
                hint = did_you_mean(name, self._flattener.known(scope))
                problem = scope.problem(Code.UNDEFINED_INPUT, message, at, hint=hint)
                self._problems.append(problem)
            for id_ in ids or ():
                schema = self._nodes[id_].schema if id_ in self._nodes else need.schema
                if need.schema not in (schema, ANY_JSON):
                    message = f"input '{need.name}' takes {need.schema}; '{name}' is {schema}"
                    self._problems.append(scope.problem(Code.SCHEMA_NOT_ACCEPTED, message, at))

    def _report_cycle(self, needs: Mapping[ArtifactId, tuple[ArtifactId, ...]]) -> None:
        path = graph.cycle(needs)
        message = "artifacts need each other in a circle: " + " → ".join([*path, path[0]])
        hint = "each arrow reads 'needs'; one of them has to go"
        self._report(Code.CYCLE, message, self._flats[path[0]], ("inputs",), hint=hint)

    def _copy(self, flat: Flat, source: Reuse) -> tuple[Work, SchemaRef] | None:
        artifact = flat.artifact
        try:
            found = self._resolver.reuse(flat.id, source)
            copy = replace(found, asked=(source.from_run, source.artifact))
        except StoreError:  # says nothing about the runbook
            raise
        except WaivernError as error:
            message = f"'{artifact.id}' cannot be reused: {error.message}"
            at = ("reuse", "from_run")
            self._report(Code.REUSE, message, flat, at, hint=error.hint)
            return None
        schema = SchemaRef.parse(copy.schema)
        if artifact.output_schema not in (None, schema):
            message = (
                f"'{artifact.id}' says it is {artifact.output_schema}; in that run it is {schema}"
            )
            self._report(Code.OUTPUT_SCHEMA, message, flat, ("output_schema",))
            return None
        return copy, schema

    # components

    def _component(
        self,
        flat: Flat,
        kind: Literal["connectors", "processors"],
        name: str,
        own: Mapping[str, Json],
        inputs: tuple[ArtifactId, ...],
    ) -> tuple[Work, SchemaRef, Component] | None:
        part = "source" if kind == "connectors" else "process"
        try:
            component = registry.load(kind, name)
        except WaivernError as error:
            at = (part, "type")
            self._report(Code.UNKNOWN_COMPONENT, error.message, flat, at, hint=error.hint)
            return None
        base = self._defaults.components.get(name)
        properties = laid_over(base, own) if base else own
        fitting = self._configured(flat, part, component, properties)
        if kind == "processors":
            fitting &= self._accepted(flat, cast(Processor, component), inputs)
        schema = self._schema(flat, component, inputs)
        if schema is None or not fitting:
            return None
        make = Extract if kind == "connectors" else Transform
        return make(name, component.version, properties), schema, component

    def _configured(
        self, flat: Flat, part: str, component: Component, properties: Mapping[str, Json]
    ) -> bool:
        if any(
            name not in self._environ for name in names(properties) if name.startswith("params.")
        ):
            return True  # the runbook is only looked at: what a secret will be is not known
        before = len(self._problems)
        for path, on_key, message, hint in faults(component.Config, properties, self._environ):
            self._report(
                Code.PROPERTY,
                f"{component.name}: {message}",
                flat,
                (part, "properties", *path),
                on="key" if on_key else "value",
                hint=hint,
            )
        return len(self._problems) == before

    # schemas

    def _schema(
        self, flat: Flat, component: Component, inputs: tuple[ArtifactId, ...]
    ) -> SchemaRef | None:
        """Return what the artifact will be, or None if a problem (now or before) forbids it."""
        artifact = flat.artifact
        given = [self._nodes[name].schema for name in inputs if name in self._nodes]
        if len(given) < max(len(inputs), len(flat.inputs) and 1):
            return None
        if component.produces is None and len(set(given)) > 1:
            seen = ", ".join(f"{k} is {s}" for k, s in zip(inputs, given, strict=True))
            message = f"'{artifact.id}' needs inputs of one schema: {seen}"
            self._report(Code.SCHEMAS_DIFFER, message, flat, ("inputs",))
            return None
        produced = component.produces or given[0]
        if getattr(component, "outputs", ()):
            produced = ANY_JSON  # the whole of them; each is what the component says
        wanted = artifact.output_schema or produced
        if wanted != produced != ANY_JSON:
            message = f"'{artifact.id}' says it is {wanted}; {component.name} makes {produced}"
            self._report(Code.OUTPUT_SCHEMA, message, flat, ("output_schema",))
            return None
        return wanted

    def _accepted(self, flat: Flat, component: Processor, inputs: tuple[ArtifactId, ...]) -> bool:
        if component.accepts is None:
            return True
        refused = False
        for n, name in enumerate(inputs):
            node = self._nodes.get(name)
            if node is not None and node.schema not in component.accepts:
                message = f"{component.name} cannot read '{name}', which is {node.schema}"
                hint = "it reads " + ", ".join(map(str, component.accepts))
                at = ("inputs", min(n, len(flat.inputs) - 1))
                self._report(Code.SCHEMA_NOT_ACCEPTED, message, flat, at, hint=hint)
                refused = True
        return not refused

    def _report(
        self,
        code: Code,
        message: str,
        flat: Flat,
        at: tuple[str | int, ...],
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> None:
        path = ("artifacts", flat.artifact.id, *at)
        problem = flat.scope.problem(code, message, path, on=on, hint=hint)
        if problem not in self._problems:  # a declaration that stands for many artifacts
            self._problems.append(problem)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What one artifact refers to, by flat ids."""

    inputs: tuple[ArtifactId, ...]
    names: tuple[str, ...]
    after: tuple[ArtifactId, ...]
    tests: tuple[Test, ...]

    @property
    def awaited(self) -> tuple[ArtifactId, ...]:
        """All that has to be settled before it."""
        asked = (id_ for test in self.tests for id_ in test.statuses.values())
        return tuple(dict.fromkeys((*self.inputs, *self.after, *asked)))


def _own_retry(component: Component | None) -> Retry | None:
    """Return the retry terms that a component declares for itself."""
    declared: Mapping[str, Any] | None = getattr(component, "retry", None)
    if not declared:
        return None
    on = declared.get("on", ())
    return Retry(**{**declared, "on": (on,) if isinstance(on, str) else tuple(on)})
