"""The inputs and outputs of a child, mapped to the names of its parent. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from waivern.diagnostics import did_you_mean
from waivern.ids import ArtifactId
from waivern.language.models import ArtifactSpec, ChildInput, SourceSpec
from waivern.message import ANY_JSON
from waivern.planning.artifact_table import ArtifactTable
from waivern.planning.plan import DefaultValue, LastRound, Node, NoValue
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ChildInclusion, InputBinding, Meaning, Name, Scope


def take(
    flats: ArtifactTable, directive: ChildInclusion, inside: Scope, fed: Mapping[str, Name]
) -> None:
    """Give the child its inputs: what is fed or mapped, else their defaults, else nothing."""
    scope, mapped = directive.scope, directive.child.input_mapping
    needs = inside.runbook.inputs
    _check_taken(flats, directive, inside)
    for name, need in needs.items():
        if name in inside.runbook.artifacts:
            message = f"'{name}' is an input and an artifact"
            flats.tell(inside.problem(PlanCode.CHILD, message, ("inputs", name), on="key"))
        if name in fed:
            inside.names[name] = [fed[name]]
            flats.taken.append(InputBinding(directive, inside, need, fed[name][1], fed=True))
        elif name in mapped:
            inside.names[name] = [(scope, mapped[name])]
            flats.taken.append(InputBinding(directive, inside, need, mapped[name], fed=False))
        elif need.optional:
            give_default(flats, inside, need)
        else:
            message = f"input '{name}' of {directive.child.path} is not mapped"
            hint = f"add `{name}: <an artifact here>` to input_mapping: it is {need.input_schema}"
            flats.tell(scope.problem(PlanCode.CHILD, message, directive.at, on="key", hint=hint))
            inside.names[name] = []


def _check_taken(flats: ArtifactTable, directive: ChildInclusion, inside: Scope) -> None:
    """See that the child has the inputs that are mapped."""
    needs = inside.runbook.inputs
    for name in directive.child.input_mapping:
        if name not in needs and inside.sound:
            message = f"{directive.child.path} has no input '{name}'"
            hint = did_you_mean(name, needs) or _known(needs)
            at = (*directive.at, "input_mapping", name)
            flats.tell(directive.scope.problem(PlanCode.CHILD, message, at, on="key", hint=hint))


def give_default(flats: ArtifactTable, inside: Scope, need: ChildInput) -> None:
    """Give an input that nothing is mapped to what the runbook itself says of it."""
    if not need.optional:  # of the root runbook, which has no parent
        message = f"this runbook requires the input '{need.name}', which only a parent can supply"
        hint = "include it with child_runbook, or make the input optional"
        at = ("inputs", need.name)
        flats.tell(inside.problem(PlanCode.CHILD, message, at, on="key", hint=hint))
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
    flats.add(inside, nobody, id_, (), work=work, sensitive=need.sensitive)


def offered(flats: ArtifactTable, directive: ChildInclusion, inside: Scope) -> dict[str, str]:
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
            flats.tell(directive.scope.problem(PlanCode.CHILD, message, at, on="key", hint=hint))
    return found


def _known(names: Mapping[str, object]) -> str:
    return f"it has {', '.join(names)}" if names else "it has none"


def give(
    flats: ArtifactTable, directive: ChildInclusion, given: Mapping[str, list[Meaning]]
) -> list[Meaning]:
    """Give names here to what the child gives, by output; return what the directive's id means."""
    scope, id_ = directive.scope, directive.artifact.id
    outputs = directive.child.outputs(id_)
    own: list[Meaning] = []
    every: list[Meaning] = []
    for out, name in outputs.items():
        meaning = given.get(out, [])
        every += meaning
        if name == id_:
            own += meaning
            continue
        there = name in scope.runbook.artifacts or name in scope.runbook.inputs
        if there or scope.givers.setdefault(name, (id_, out)) != (id_, out):
            _is_there(flats, scope, name, (id_, out))
        else:
            scope.names.setdefault(name, []).extend(meaning)
    meant = own if id_ in outputs.values() else every
    if directive.artifact.for_each is None:
        scope.names[id_] = meant
    return meant


def _is_there(flats: ArtifactTable, scope: Scope, name: str, giver: tuple[str, str]) -> None:
    directive, out = giver
    message = f"'{directive}' declares '{name}', which exists already"
    at = ("artifacts", directive, "child_runbook", "output_mapping", out)
    flats.tell(scope.problem(PlanCode.CHILD, message, at))


def expose(flats: ArtifactTable, directive: ChildInclusion, inside: Scope, name: str) -> None:
    """Let what a directive exposes be what the directive says of it."""
    exposed, optional = directive.artifact.output and len(inside.keys) == 1, directive.optional
    if not (exposed or optional):
        return
    for id_ in flats.resolve(inside, name) or ():
        if id_.startswith(inside.prefix):  # the child may give back what it was given
            flat = flats.artifacts[id_]
            flat.exposed, flat.optional = flat.exposed or exposed, flat.optional or optional


def check(flats: ArtifactTable, scope: Scope) -> None:
    """See that what a runbook offers, and what its directives take and give, can be."""
    for offer in scope.runbook.outputs.values():
        name = offer.artifact
        known = name in scope.faulty or name in scope.names
        if not known and flats.resolve(scope, name) is None:
            message = f"output '{offer.name}' is '{name}', which is not defined"
            at = ("outputs", offer.name, "artifact")
            flats.tell(scope.problem(PlanCode.CHILD, message, at, hint=flats.meant(scope, name)))
    for name, giver in scope.givers.items():
        own = ArtifactId(scope.prefix + name)
        if own in flats.artifacts and scope.names[name] != [own]:
            _is_there(flats, scope, name, giver)
    for artifact in scope.runbook.artifacts.values():
        if artifact.child_runbook:
            _check_references(flats, scope, artifact)


def _check_references(flats: ArtifactTable, scope: Scope, artifact: ArtifactSpec) -> None:
    """See that what a directive says that it takes, or comes after, is there."""
    for key, names in (("inputs", artifact.inputs), ("after", artifact.after)):
        for n, name in enumerate(names):
            if "${" not in name and flats.resolve(scope, name) is None:
                flats.tell_undefined(scope, artifact.id, name, (key, n))


def check_given(flats: ArtifactTable, nodes: Mapping[ArtifactId, Node]) -> None:
    """See that what a child is given is what it says that it takes."""
    for taken in flats.taken:
        directive, inside, need, name, fed = taken
        scope, id_ = directive.scope, directive.artifact.id
        at = ("artifacts", id_, *taken.at)
        ids = flats.resolve(inside, need.name)
        if ids is None and not fed:  # what is fed is an output of the child, checked as such
            flats.tell_undefined(scope, id_, name, taken.at)
            if not flats.problems:
                message = f"'{id_}' has its own output '{name}' as an input"
                flats.report(scope.problem(PlanCode.CYCLE, message, at))
        for given in ids or ():
            schema = nodes[given].schema if given in nodes else need.input_schema
            if need.input_schema not in (schema, ANY_JSON):
                message = f"input '{need.name}' takes {need.input_schema}; '{name}' is {schema}"
                flats.report(scope.problem(PlanCode.SCHEMA_NOT_ACCEPTED, message, at))


def sensitive(flats: ArtifactTable) -> set[ArtifactId]:
    """Return what is given to inputs that are declared as sensitive.

    A round of a repetition that is fed to one is: all rounds are, and the result of the last.
    """
    found = {
        id_
        for taken in flats.taken
        if taken.need.sensitive
        for id_ in flats.resolve(taken.inside, taken.need.name) or ()
    }
    rounds = {
        id_: [each for name in flat.inputs for each in flats.resolve(*name) or ()]
        for id_, flat in flats.artifacts.items()
        if isinstance(flat.work, LastRound)
    }
    found.update(id_ for id_, made in rounds.items() if not found.isdisjoint(made))
    for id_ in reversed(rounds):  # the rounds of one may be results of others
        found.update(rounds[id_] if id_ in found else ())
    return found
