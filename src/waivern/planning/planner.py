"""Runbook -> Plan: references, cycles, components, their properties, schemas. Pure.

What must be looked up elsewhere comes in through a `Resolver`. All problems are reported at once;
an artifact with a problem is left out of later checks, so that one mistake is one error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, cast

from waivern.errors import StoreError, WaivernError
from waivern.ids import ArtifactId
from waivern.message import ANY_JSON, Json, SchemaRef
from waivern.planning import graph
from waivern.planning.children import Children
from waivern.planning.codes import Code
from waivern.planning.flatten import Flattener
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
from waivern.planning.scope import Asked, Flat, Scope
from waivern.plugins import registry
from waivern.plugins.component import Component, Processor
from waivern.problems import InvalidError, did_you_mean
from waivern.runbook.env import names
from waivern.runbook.loader import collection_paused
from waivern.runbook.model import (
    Draft,
    Gate,
    OnError,
    Process,
    Retry,
    Reuse,
    Runbook,
    Source,
    Terms,
)
from waivern.runbook.params import recorded, with_secrets
from waivern.runbook.project import laid_over

if TYPE_CHECKING:
    from waivern.runbook.conditions import Condition

DECISION = SchemaRef("decision")
"""What a gate is: who decided, when, on what."""


MOST_EDGES = 2_000_000
"""Inputs that all artifacts of a plan may have together."""


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
_TAKEN = Terms()
"""Of what is only taken from elsewhere: there is nothing to try again, or to wait for."""


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
    with collection_paused():
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
        self._tests: dict[int, Test] = {}
        self._components: dict[tuple[str, str], Component] = {}
        self._edges = 0

    def plan(self) -> Plan:
        drawn = {id_: self._drawn(flat) for id_, flat in self._flats.items()}
        needs = {id_: each.awaited for id_, each in drawn.items()}
        order = graph.topological(needs)
        if len(order) < len(needs):
            self._report_cycle(needs)
        for id_ in order:
            self._add(self._flats[id_], drawn[id_])
        self._check_mapped()
        if self._problems:
            raise InvalidError(list(self._problems))
        draft, flattener = self._draft, self._flattener
        hidden = {
            id_
            for _, _, inside, need in flattener.mapped
            if need.sensitive
            for id_ in flattener.resolve(inside, need.name) or ()
        }
        for id_ in hidden:
            self._nodes[id_] = self._nodes[id_]._replace(sensitive=True)
        return Plan(
            draft.runbook,
            self._nodes,
            flattener.aliases(),
            {key: document.data for key, document in flattener.documents.items()},
            recorded(draft.runbook.params, draft.values),
            self._pools,
            tuple(self._flats),
        )

    def _add(self, flat: Flat, drawn: _Drawn) -> None:
        made = self._made(flat, drawn.inputs)
        if made is None:
            return
        work, schema, component = made
        scope = flat.scope
        terms = flat.artifact.terms if flat.work is None else _TAKEN
        on_error = flat.artifact.terms.on_error or scope.on_error or self._defaults.on_error
        missed = flat.artifact.optional or on_error == "continue"
        self._nodes[flat.id] = Node(
            flat.id,
            work,
            drawn.inputs,
            schema,
            optional=flat.optional or (missed and not flat.round),
            output=flat.exposed,
            names=() if drawn.names == drawn.inputs else drawn.names,
            after=drawn.after,
            tests=drawn.tests,
            spare=flat.spare,
            retry=terms.retry or _own_retry(component),
            timeout=terms.timeout,
            pool=self._pool(flat),
            fail_fast=on_error == "fail",
            cache=terms.cache if terms.cache is not None else scope.cache,
            base=str(scope.runbook.document.folder) if scope.key else "",
            sensitive=flat.sensitive,
            tolerated=scope.tolerated or (missed and flat.round > 0),
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
            case Part() as work:
                return (work, self._part_schema(flat), None) if given else None
            case Last() as work:
                if not self._one_each_round(flat, inputs):
                    return None
                return (work, given[0], None) if given else None
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

    def _one_each_round(self, flat: Flat, inputs: tuple[ArtifactId, ...]) -> bool:
        found = [self._flattener.resolve(scope, name) for scope, name in flat.inputs]
        if all(found) and (len(inputs) != len(found) or any(len(ids or ()) > 1 for ids in found)):
            message = f"'{flat.artifact.id}' repeats what does not give one new artifact each round"
            self._report(Code.CHILD, message, flat, ("repeat",), on="key")
            return False
        return True

    def _part_schema(self, flat: Flat) -> SchemaRef:
        producer = flat.artifact.producer
        assert isinstance(producer, Process)
        return registry.load("processors", producer.type).produces or ANY_JSON

    def _pool(self, flat: Flat) -> str | None:
        pool = flat.artifact.terms.pool
        if pool is None or flat.work is not None:
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
        inputs = self._inputs(flat) if flat.inputs else {}
        ids, names, terms = tuple(inputs), tuple(inputs.values()), flat.artifact.terms
        if not (flat.after or flat.tests or terms.after or terms.when):
            return _Drawn(ids, names, (), ())
        after: list[ArtifactId] = []
        for scope, name in flat.after:
            after += self._flattener.resolve(scope, name) or ()
        tests = [self._tested(asked) for asked in flat.tests]
        if flat.work is None:
            for n, name in enumerate(terms.after):
                after += self._resolved(flat, flat.scope, name, ("after", n))
            if terms.when is not None and flat.round < 2:
                tests.append(self._test(flat, terms.when))
        after += [test.result for test in tests if test.result is not None]
        return _Drawn(ids, names, tuple(dict.fromkeys(after)), tuple(tests))

    def _inputs(self, flat: Flat) -> dict[ArtifactId, str]:
        """Return the inputs, each with what it is called."""
        inputs: dict[ArtifactId, str] = {}
        gate = isinstance(flat.artifact.producer, Gate)
        for n, (scope, name) in enumerate(flat.inputs):
            ids = self._resolved(flat, scope, name, ("gate", "show", n) if gate else ("inputs", n))
            if len(ids) != 1:
                inputs |= {id_: id_.removeprefix(scope.prefix) for id_ in ids if id_ not in inputs}
            else:
                inputs.setdefault(ids[0], name)
        if flat.round > 1:  # the round before stands for the first input
            assert isinstance(flat.artifact.producer, Process)
            before = next(iter(inputs), None)
            if before is not None:
                inputs[before] = flat.artifact.producer.inputs[0]
        self._edges += len(inputs)
        if self._edges > MOST_EDGES:
            message = f"artifacts read each other more than {MOST_EDGES:,} times"
            self._report(Code.ITEMS, message, flat, ("inputs",))
            raise InvalidError(list(self._problems))
        return inputs

    def _tested(self, asked: Asked) -> Test:
        """Return a test; one that many artifacts have is looked at once."""
        if id(asked) not in self._tests:
            self._tests[id(asked)] = self._flattener.test(asked)
        return self._tests[id(asked)]

    def _resolved(
        self, flat: Flat, scope: Scope, name: str, at: tuple[str | int, ...]
    ) -> tuple[ArtifactId, ...]:
        ids = self._flattener.resolve(scope, name)
        if ids is None:
            self._flattener.undefined(scope, flat.artifact.id, name, at)
        return ids or ()

    def _refuse_group(self, flat: Flat, name: str) -> None:
        """A condition reads one artifact: a name for several has no content."""
        ids = self._flattener.resolve(flat.scope, name) or ()
        if len(ids) > 1:
            message = f"the condition of '{flat.artifact.id}' reads '{name}', which is several"
            hint = f"one of them is '{ids[0].removeprefix(flat.scope.prefix)}'"
            self._report(Code.CONDITION, message, flat, ("when",), hint=hint)

    def _test(self, flat: Flat, condition: Condition) -> Test:
        names = {name for _, name in flat.inputs}
        for root, name in sorted(condition.references):
            if root == "inputs" and name not in names:
                message = f"the condition of '{flat.artifact.id}' reads '{name}', which is no input"
                known = f"its inputs are {', '.join(sorted(names))}" if names else "it has none"
                hint = did_you_mean(name, names) or known
                self._report(Code.CONDITION, message, flat, ("when",), hint=hint)
            elif root == "inputs":
                self._refuse_group(flat, name)
        asked = self._flattener.asked(flat.scope, flat.artifact, condition, flat.each)
        return self._flattener.test(asked)

    def _check_mapped(self) -> None:
        """See that what a child is given is what it says that it takes."""
        for scope, directive, inside, need in self._flattener.mapped:
            name = inside.names[need.name][0][1]
            at = ("artifacts", directive.id, "child_runbook", "input_mapping", need.name)
            ids = self._flattener.resolve(inside, need.name)
            if ids is None:
                self._flattener.undefined(scope, directive.id, name, at[2:])
                if not self._problems:
                    message = f"'{directive.id}' is given what it gives itself: '{name}'"
                    self._problems[scope.problem(Code.CYCLE, message, at)] = None
            for id_ in ids or ():
                schema = self._nodes[id_].schema if id_ in self._nodes else need.schema
                if need.schema not in (schema, ANY_JSON):
                    message = f"input '{need.name}' takes {need.schema}; '{name}' is {schema}"
                    self._problems[scope.problem(Code.SCHEMA_NOT_ACCEPTED, message, at)] = None

    def _report_cycle(self, needs: Mapping[ArtifactId, tuple[ArtifactId, ...]]) -> None:
        path = graph.cycle(needs)
        message = "artifacts need each other in a circle: " + " → ".join([*path, path[0]])
        hint = "each arrow reads 'needs'; one of them has to go"
        self._report(Code.CYCLE, message, self._flats[path[0]], ("inputs",), hint=hint)

    def _copy(self, flat: Flat, source: Reuse) -> tuple[Work, SchemaRef] | None:
        artifact = flat.artifact
        try:
            found = self._resolver.reuse(flat.id, source)
            copy = found._replace(asked=(source.from_run, source.artifact))
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
            component = self._components.get((kind, name)) or registry.load(kind, name)
            self._components[kind, name] = component
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
        if flat.scope.runbook.params and any(
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
        self._problems[problem] = None  # a declaration may stand for many artifacts


class _Drawn(NamedTuple):
    """What one artifact refers to, by flat ids."""

    inputs: tuple[ArtifactId, ...]
    names: tuple[str, ...]
    after: tuple[ArtifactId, ...]
    tests: tuple[Test, ...]

    @property
    def awaited(self) -> tuple[ArtifactId, ...]:
        """All that has to be settled before it."""
        if not self.tests:
            return tuple(dict.fromkeys(self.inputs + self.after)) if self.after else self.inputs
        asked = (id_ for test in self.tests for id_ in test.statuses.values())
        return tuple(dict.fromkeys((*self.inputs, *self.after, *asked)))


def _own_retry(component: Component | None) -> Retry | None:
    """Return the retry terms that a component declares for itself."""
    declared: Mapping[str, Any] | None = getattr(component, "retry", None)
    if not declared:
        return None
    on = declared.get("on", ())
    return Retry(**{**declared, "on": (on,) if isinstance(on, str) else tuple(on)})
