"""The inputs and outputs of a child, mapped to the names of its parent. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from waivern.diagnostics import did_you_mean
from waivern.ids import ArtifactId
from waivern.language.artifact_spec import ArtifactSpec
from waivern.language.models import ChildInput
from waivern.language.producer_specs import SourceSpec
from waivern.message import ANY_JSON
from waivern.planning.artifact_table import ArtifactTable
from waivern.planning.plan import DefaultValue, LastRound, Node, NoValue
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ChildInclusion, InputBinding, Meaning, Name, Scope


def bind_inputs(
    table: ArtifactTable, directive: ChildInclusion, inside: Scope, fed: Mapping[str, Name]
) -> None:
    """Bind the inputs of a child: to what is fed or mapped, else to their defaults."""
    scope, mapped = directive.scope, directive.child.input_mapping
    needs = inside.runbook.inputs
    _check_mapping(table, directive, inside)
    for name, need in needs.items():
        if name in inside.runbook.artifacts:
            message = f"'{name}' is an input and an artifact"
            table.report(inside.problem(PlanCode.CHILD, message, ("inputs", name), on="key"))
        if name in fed:
            inside.names[name] = [fed[name]]
            table.bindings.append(InputBinding(directive, inside, need, fed[name][1], fed=True))
        elif name in mapped:
            inside.names[name] = [(scope, mapped[name])]
            table.bindings.append(InputBinding(directive, inside, need, mapped[name], fed=False))
        elif need.optional:
            bind_default(table, inside, need)
        else:
            message = f"input '{name}' of {directive.child.path} is not mapped"
            hint = f"add `{name}: <an artifact here>` to input_mapping: it is {need.input_schema}"
            table.report(scope.problem(PlanCode.CHILD, message, directive.at, on="key", hint=hint))
            inside.names[name] = []


def _check_mapping(table: ArtifactTable, directive: ChildInclusion, inside: Scope) -> None:
    """Check that the child has the inputs that are mapped."""
    needs = inside.runbook.inputs
    for name in directive.child.input_mapping:
        if name not in needs and inside.sound:
            message = f"{directive.child.path} has no input '{name}'"
            hint = did_you_mean(name, needs) or _known(needs)
            at = (*directive.at, "input_mapping", name)
            table.report(directive.scope.problem(PlanCode.CHILD, message, at, on="key", hint=hint))


def bind_default(table: ArtifactTable, inside: Scope, need: ChildInput) -> None:
    """Bind an input to which nothing is mapped to its default."""
    if not need.optional:  # of the root runbook, which has no parent
        message = f"this runbook requires the input '{need.name}', which only a parent can supply"
        hint = "include it with child_runbook, or make the input optional"
        at = ("inputs", need.name)
        table.report(inside.problem(PlanCode.CHILD, message, at, on="key", hint=hint))
        inside.names[need.name] = []
        return
    id_ = ArtifactId(inside.prefix + need.name)
    work = DefaultValue(need.default) if need.default is not None else NoValue()
    nobody = ArtifactSpec.model_construct(
        id=ArtifactId(need.name),
        source=SourceSpec.model_construct(type="default", properties={}),
        optional=isinstance(work, NoValue),
        output_schema=need.input_schema,
    )
    table.add(inside, nobody, id_, (), work=work, sensitive=need.sensitive)


def offered(table: ArtifactTable, directive: ChildInclusion, inside: Scope) -> dict[str, str]:
    """Return the outputs that are asked for and there, with their names here."""
    offers = inside.runbook.outputs
    found = {}
    for out, name in directive.child.outputs(directive.artifact.id).items():
        if out in offers:
            found[out] = name
        elif inside.sound:
            message = f"{directive.child.path} has no output '{out}'"
            hint = did_you_mean(out, offers) or _known(offers)
            own = name == directive.artifact.id
            at = (*directive.at, *(("output",) if own else ("output_mapping", out)))
            table.report(directive.scope.problem(PlanCode.CHILD, message, at, on="key", hint=hint))
    return found


def _known(names: Mapping[str, object]) -> str:
    return f"it has {', '.join(names)}" if names else "it has none"


def name_outputs(
    table: ArtifactTable, directive: ChildInclusion, offers: Mapping[str, list[Meaning]]
) -> list[Meaning]:
    """Name the outputs of a child in its parent; return what the directive's id resolves to."""
    scope, id_ = directive.scope, directive.artifact.id
    outputs = directive.child.outputs(id_)
    own: list[Meaning] = []
    every: list[Meaning] = []
    for out, name in outputs.items():
        meaning = offers.get(out, [])
        every += meaning
        if name == id_:
            own += meaning
            continue
        there = name in scope.runbook.artifacts or name in scope.runbook.inputs
        if there or scope.givers.setdefault(name, (id_, out)) != (id_, out):
            _report_existing(table, scope, name, (id_, out))
        else:
            scope.names.setdefault(name, []).extend(meaning)
    meant = own if id_ in outputs.values() else every
    if directive.artifact.for_each is None:
        scope.names[id_] = meant
    return meant


def _report_existing(table: ArtifactTable, scope: Scope, name: str, giver: tuple[str, str]) -> None:
    directive, out = giver
    message = f"'{directive}' declares '{name}', which exists already"
    at = ("artifacts", directive, "child_runbook", "output_mapping", out)
    table.report(scope.problem(PlanCode.CHILD, message, at))


def expose(table: ArtifactTable, directive: ChildInclusion, inside: Scope, name: str) -> None:
    """Mark an exposed artifact as an output and as optional, as its directive declares."""
    exposed, optional = directive.artifact.output and len(inside.keys) == 1, directive.optional
    if not (exposed or optional):
        return
    for id_ in table.resolve(inside, name) or ():
        if id_.startswith(inside.prefix):  # the child may give back what it was given
            flat = table.artifacts[id_]
            flat.exposed, flat.optional = flat.exposed or exposed, flat.optional or optional


def check(table: ArtifactTable, scope: Scope) -> None:
    """Check that the outputs of a runbook, and the references of its directives, exist."""
    for offer in scope.runbook.outputs.values():
        name = offer.artifact
        known = name in scope.faulty or name in scope.names
        if not known and table.resolve(scope, name) is None:
            message = f"output '{offer.name}' is '{name}', which is not defined"
            at = ("outputs", offer.name, "artifact")
            table.report(
                scope.problem(PlanCode.CHILD, message, at, hint=table.suggestion(scope, name))
            )
    for name, giver in scope.givers.items():
        own = ArtifactId(scope.prefix + name)
        if own in table.artifacts and scope.names[name] != [own]:
            _report_existing(table, scope, name, giver)
    for artifact in scope.runbook.artifacts.values():
        if artifact.child_runbook:
            _check_references(table, scope, artifact)


def _check_references(table: ArtifactTable, scope: Scope, artifact: ArtifactSpec) -> None:
    """Check that the inputs and the `after` of a directive exist."""
    for key, names in (("inputs", artifact.inputs), ("after", artifact.after)):
        for n, name in enumerate(names):
            if "${" not in name and table.resolve(scope, name) is None:
                table.report_undefined(scope, artifact.id, name, (key, n))


def check_inputs(table: ArtifactTable, nodes: Mapping[ArtifactId, Node]) -> None:
    """Check that each input of a child has the declared schema."""
    for binding in table.bindings:
        directive, inside, need, name, fed = binding
        scope, id_ = directive.scope, directive.artifact.id
        at = ("artifacts", id_, *binding.at)
        ids = table.resolve(inside, need.name)
        if ids is None and not fed:  # what is fed is an output of the child, checked as such
            table.report_undefined(scope, id_, name, binding.at)
            if not table.problems:
                message = f"'{id_}' has its own output '{name}' as an input"
                table.record(scope.problem(PlanCode.CYCLE, message, at))
        for bound in ids or ():
            schema = nodes[bound].schema if bound in nodes else need.input_schema
            if need.input_schema not in (schema, ANY_JSON):
                message = f"input '{need.name}' takes {need.input_schema}; '{name}' is {schema}"
                table.record(scope.problem(PlanCode.SCHEMA_NOT_ACCEPTED, message, at))


def sensitive(table: ArtifactTable) -> set[ArtifactId]:
    """Return what is given to inputs that are declared as sensitive.

    A round of a repetition that is fed to one is: all rounds are, and the result of the last.
    """
    found = {
        id_
        for binding in table.bindings
        if binding.need.sensitive
        for id_ in table.resolve(binding.inside, binding.need.name) or ()
    }
    rounds = {
        id_: [each for name in flat.inputs for each in table.resolve(*name) or ()]
        for id_, flat in table.artifacts.items()
        if isinstance(flat.work, LastRound)
    }
    found.update(id_ for id_, made in rounds.items() if not found.isdisjoint(made))
    for id_ in reversed(rounds):  # the rounds of one may be results of others
        found.update(rounds[id_] if id_ in found else ())
    return found
