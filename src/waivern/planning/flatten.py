"""Runbook -> flat artifacts: children taken in, `for_each` and `repeat` written out. Pure.

Ids do not depend on anything but the runbooks: `<directive>/<artifact>` in a child,
`<artifact>/<item>` of a `for_each`, `<artifact>/round-2` of a `repeat`, `<artifact>/<output>` of a
processor with named outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import TYPE_CHECKING, Literal

from waivern.errors import WaivernError
from waivern.ids import ArtifactId, collisions, segment_fault
from waivern.message import Json
from waivern.planning.binding import with_item
from waivern.planning.children import Children, Library
from waivern.planning.codes import Code
from waivern.planning.items import Item, items
from waivern.planning.plan import Absent, Given, Last, Part, Test
from waivern.planning.scope import Asked, Flat, Meaning, Name, Scope, inclusion
from waivern.plugins import registry
from waivern.problems import InvalidError, Problem, did_you_mean, shown
from waivern.runbook.document import Document
from waivern.runbook.events import ENOUGH
from waivern.runbook.model import (
    Artifact,
    Child,
    Draft,
    Gate,
    Need,
    Process,
    Repeat,
    Runbook,
    Source,
)

if TYPE_CHECKING:
    from waivern.runbook.conditions import Condition

MOST = 200_000
"""Artifacts that a plan may have."""
MOST_CHILDREN = 50_000
LOOKED_AT = 1_000
"""Names that are compared with one that stands for nothing."""
LONGEST = 800
"""Bytes of an id: it becomes a path, and 1,024 bytes are all that some systems have for one."""


class Flattener:
    """Walks a runbook and its children; `flats` and `problems` are what came of it.

    Raises InvalidError at once if there is too much of either.
    """

    def __init__(self, whole: Draft, children: Children, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._values = whole.values
        self._settings = whole.runbook.settings
        self._params = whole.runbook.params
        self._library = Library(whole, children, environ)
        self._named: dict[str, tuple[str, ...]] = {}
        """The named outputs of processors."""
        self.problems: dict[Problem, None] = dict.fromkeys(whole.problems)
        self.flats: dict[ArtifactId, Flat] = {}
        self.mapped: list[tuple[Scope, Artifact, Scope, Need]] = []
        """(where the directive stands, the directive, the child's scope, what it is for)."""
        self.root = self._scope(whole, "", "")
        self._scopes = [self.root]
        for need in self.root.runbook.inputs.values():
            self._default(self.root, need)
        self._walk(self.root)
        for scope in self._scopes:
            self._check(scope)
        for earlier, later in collisions(self.flats):
            message = f"the artifacts '{earlier}' and '{later}' differ only in case"
            flat = self.flats[ArtifactId(later)]
            self._report(flat.scope, Code.SAME_ID, message, ("artifacts", flat.artifact.id))

    @property
    def documents(self) -> Mapping[str, Document]:
        """The child runbooks that were read, by key."""
        return self._library.documents

    # names

    def resolve(self, scope: Scope, name: str) -> tuple[ArtifactId, ...] | None:
        """Return the artifacts that a name stands for; None if it stands for nothing."""
        if name not in scope.names:
            own = ArtifactId(scope.prefix + name)
            flat = self.flats.get(own)
            return (own,) if flat and flat.scope is scope else None
        found: dict[ArtifactId, None] = {}
        waiting: list[Meaning] = [(scope, name)]
        seen: set[Name] = set()
        circular = False
        while waiting:
            next_ = waiting.pop()
            if not isinstance(next_, tuple):
                found[next_] = None
            elif next_ in seen:
                circular = True  # or the same by two ways
            else:
                seen.add(next_)
                where, called = next_
                if called in where.names:
                    waiting += reversed(where.names[called])
                elif own_ids := self.resolve(where, called):
                    found[own_ids[0]] = None
                else:
                    return None
        return None if circular and not found else tuple(found)

    def aliases(self) -> dict[str, tuple[ArtifactId, ...]]:
        """Return what the names of the root runbook that are no artifacts stand for."""
        return {
            name: self.resolve(self.root, name) or ()
            for name in self.root.names
            if name not in self.flats
        }

    def undefined(self, scope: Scope, owner: str, name: str, at: tuple[str | int, ...]) -> None:
        """Report that an artifact refers to a name that stands for nothing."""
        if name in scope.faulty or name in scope.names:
            return  # told where the name comes from
        message = f"artifact '{owner}' reads '{name}', which is not defined"
        hint = self._meant(scope, name)
        self._report(scope, Code.UNDEFINED_INPUT, message, ("artifacts", owner, *at), hint=hint)

    def _meant(self, scope: Scope, name: str) -> str | None:
        """Return a hint at the name here that is most like one that stands for nothing."""
        known = chain(scope.runbook.artifacts, scope.names, scope.faulty)
        if "/" in name:
            own = (id_ for id_, flat in self.flats.items() if flat.scope is scope)
            known = chain((id_.removeprefix(scope.prefix) for id_ in own if "/" in id_), known)
        return did_you_mean(name, list(islice(known, LOOKED_AT)))

    # walking

    def _scope(self, whole: Draft, prefix: str, key: str, **more: object) -> Scope:
        runbook = whole.runbook
        declared, settings = runbook.params, runbook.settings
        open_ = {n: v for n, v in whole.values.items() if n in declared and not declared[n].secret}
        terms = {"on_error": settings.on_error, "cache": settings.cache}
        more = {**more, **{key: value for key, value in terms.items() if value is not None}}
        scope = Scope(runbook, prefix, key, whole.faulty, params=open_)
        return replace(scope, **more) if more else scope  # type: ignore[arg-type]

    def _walk(self, scope: Scope) -> None:
        for artifact in scope.runbook.artifacts.values():
            if artifact.for_each is None:
                self._expand(scope, artifact, "", None)
            else:
                self._for_each(scope, artifact)

    def _check(self, scope: Scope) -> None:
        """See that what a runbook offers, and what its directives take and give, can be."""
        for offer in scope.runbook.outputs.values():
            name = offer.artifact
            known = name in scope.faulty or name in scope.names
            if not known and self.resolve(scope, name) is None:
                message = f"output '{offer.name}' is '{name}', which is not defined"
                hint = self._meant(scope, name)
                at = ("outputs", offer.name, "artifact")
                self._report(scope, Code.CHILD, message, at, hint=hint)
        for name, (directive, out) in scope.givers.items():
            own = ArtifactId(scope.prefix + name)
            if own in self.flats and scope.names[name] != [own]:
                self._is_there(scope, directive, out, name)
        for artifact in scope.runbook.artifacts.values():
            if isinstance(artifact.producer, Child):
                places = [("inputs", n, i) for n, i in enumerate(artifact.producer.inputs)]
                places += [("after", n, i) for n, i in enumerate(artifact.terms.after)]
                for key, n, name in places:
                    if "${" not in name and self.resolve(scope, name) is None:
                        self.undefined(scope, artifact.id, name, (key, n))

    def _for_each(self, scope: Scope, artifact: Artifact) -> None:
        at = ("artifacts", artifact.id, "for_each")
        if isinstance(artifact.for_each, str):
            self._later(scope, artifact, artifact.for_each, at)
            return
        found, fault = items(artifact.for_each)
        if fault:
            self._report(scope, Code.ITEMS, f"'{artifact.id}' {fault}", at)
        group: list[Meaning] = []
        for item in found:
            made = self._one(scope, artifact, item)
            if isinstance(artifact.producer, Child):
                scope.names[f"{artifact.id}/{item.label}"] = made
            group += made
        scope.names[artifact.id] = group

    def _later(
        self, scope: Scope, artifact: Artifact, reference: str, at: tuple[str | int, ...]
    ) -> None:
        """Go on without items: a runbook that is only checked has no values for its parameters."""
        name = reference.removeprefix("${params.").removesuffix("}")
        if scope.runbook.params[name].type not in ("list", "object"):
            message = f"'{artifact.id}' is for each of parameter '{name}', which is no list"
            self._report(scope, Code.ITEMS, message, at)
        scope.names[artifact.id] = []

    def _one(self, scope: Scope, artifact: Artifact, item: Item) -> list[Meaning]:
        bound, faults = with_item(artifact, item.value, self._environ)
        for path, code, message, hint in faults:
            self._report(scope, code, message, ("artifacts", artifact.id, *path), hint=hint)
        return self._expand(scope, bound, f"/{item.label}", item.value) if bound else []

    def _expand(self, scope: Scope, artifact: Artifact, suffix: str, each: Json) -> list[Meaning]:
        id_ = ArtifactId(f"{scope.prefix}{artifact.id}{suffix}")
        match artifact.producer:
            case Child() as child if artifact.repeat:
                return self._child_rounds(scope, artifact, child, artifact.repeat, id_, each)
            case Child() as child:
                return self._child(scope, artifact, child, id_, each)
            case Process() as process if artifact.repeat:
                return [self._rounds(scope, artifact, process, artifact.repeat, id_, each)]
            case Process() as process:
                inputs = tuple((scope, name) for name in process.inputs)
                made = self._add(scope, artifact, id_, inputs, each=each)
                self._parts(scope, artifact, process, id_, each)
                return [made]
            case Gate() as gate:
                shown = tuple((scope, name) for name in gate.inputs)
                return [self._add(scope, artifact, id_, shown, each=each)]
            case _:
                return [self._add(scope, artifact, id_, (), each=each)]

    def _add(
        self,
        scope: Scope,
        artifact: Artifact,
        id_: ArtifactId,
        inputs: tuple[Name, ...],
        *,
        work: Given | Absent | Last | Part | None = None,
        tests: tuple[Asked, ...] = (),
        after: tuple[Name, ...] = (),
        each: Json = None,
        round_: int = 0,
        exposed: bool | None = None,
        optional: bool | None = None,
        sensitive: bool = False,
    ) -> ArtifactId:
        if id_ in self.flats:
            message = f"there are two artifacts '{id_}'"
            self._report(scope, Code.SAME_ID, message, ("artifacts", artifact.id))
        if len(id_) > LONGEST:
            message = f"the id {shown(id_)} is longer than {LONGEST} bytes"
            self._report(scope, Code.SAME_ID, message, ("artifacts", artifact.id), on="key")
        if len(self.flats) >= MOST:
            self._bound(scope, artifact)
        self.flats[id_] = Flat(
            id_,
            artifact,
            scope,
            work,
            inputs,
            scope.tests + tests,
            scope.after + after,
            each,
            scope.spare or round_ > 1,
            round_,
            artifact.output and not scope.prefix if exposed is None else exposed,
            artifact.optional if optional is None else optional,
            sensitive,
        )
        return id_

    def _bound(self, scope: Scope, artifact: Artifact) -> None:
        """Go no further if the plan becomes larger than one may be."""
        if len(self.flats) >= MOST or len(self._scopes) > MOST_CHILDREN:
            message = f"more than {MOST:,} artifacts once children and items are written out"
            self._report(scope, Code.ITEMS, message, ("artifacts", artifact.id))
            raise InvalidError(list(self.problems))

    def _parts(
        self, scope: Scope, artifact: Artifact, process: Process, id_: ArtifactId, each: Json
    ) -> None:
        """Add the named outputs of a processor that has some."""
        outputs = self._outputs(process.type)
        if not outputs:
            return
        whole = ((scope, id_.removeprefix(scope.prefix)),)
        for output in outputs:
            if fault := segment_fault(output):
                message = f"output {shown(output)} of the processor '{process.type}' {fault}"
                at = ("artifacts", artifact.id, "process", "type")
                self._report(scope, Code.UNKNOWN_COMPONENT, message, at)
                continue
            part = ArtifactId(f"{id_}/{output}")
            self._add(scope, artifact, part, whole, work=Part(output), each=each)

    def _outputs(self, type_: str) -> Sequence[str]:
        if type_ not in self._named:
            try:
                found = registry.load("processors", type_)
                self._named[type_] = tuple(getattr(found, "outputs", ()))
            except WaivernError:
                self._named[type_] = ()  # told when the artifact itself is planned
        return self._named[type_]

    # repetition

    def _rounds(
        self,
        scope: Scope,
        artifact: Artifact,
        process: Process,
        repeat: Repeat,
        id_: ArtifactId,
        each: Json,
    ) -> ArtifactId:
        first, *others = [(scope, name) for name in process.inputs]
        own = id_.removeprefix(scope.prefix)
        rounds: list[Name] = []
        for n in range(1, repeat.max + 1):
            before = rounds[-1] if rounds else None
            self._add(
                scope,
                artifact,
                ArtifactId(f"{id_}/round-{n}"),
                (before or first, *others),
                tests=self._until(scope, artifact, repeat, n, before, each),
                each=each,
                round_=n,
                exposed=False,
                optional=False,
            )
            rounds.append((scope, f"{own}/round-{n}"))
        last = Last(repeat.until, repeat.keep, {"params": scope.params, "each": each})
        return self._add(scope, artifact, id_, tuple(rounds), work=last, each=each)

    def _until(
        self,
        scope: Scope,
        artifact: Artifact,
        repeat: Repeat,
        n: int,
        before: Name | None,
        each: Json,
    ) -> tuple[Asked, ...]:
        if before is None:
            return ()
        known = {"params": scope.params, "round": n - 1, "each": each}
        return (Asked(scope, artifact, repeat.until, holds=False, known=known, before=before),)

    def _child_rounds(
        self,
        scope: Scope,
        artifact: Artifact,
        child: Child,
        repeat: Repeat,
        id_: ArtifactId,
        each: Json,
    ) -> list[Meaning]:
        outs = dict(child.output_mapping)
        offered: dict[str, list[Name]] = {}
        feed: list[tuple[str, str]] = []
        before: Scope | None = None
        for n in range(1, repeat.max + 1):
            fed: dict[str, Name] = {}
            tests: tuple[Asked, ...] = ()
            if before is not None:
                fed = {need: (before, before.runbook.outputs[out].artifact) for out, need in feed}
                leading = offered[next(iter(outs))][-1]
                tests = self._until(scope, artifact, repeat, n, leading, each)
            inside = self._include(
                scope, artifact, child, f"{id_}/round-{n}/", fed, each, tests=tests
            )
            if inside is not None and before is None:
                outs = self._offered(scope, artifact, child, inside)
                feed = self._feed(scope, artifact, child, repeat, inside)
            if inside is None or not outs:
                return self._name(scope, artifact, child, {})
            for out in outs:
                offered.setdefault(out, []).append((inside, inside.runbook.outputs[out].artifact))
            before = inside
        last = Last(repeat.until, repeat.keep, {"params": scope.params, "each": each})
        suffix = id_.removeprefix(f"{scope.prefix}{artifact.id}")
        given: dict[str, list[Meaning]] = {}
        for out, name in outs.items():
            target = ArtifactId(f"{scope.prefix}{name}{suffix}")
            given[out] = [
                self._add(scope, artifact, target, tuple(offered[out]), work=last, each=each)
            ]
        return self._name(scope, artifact, child, given)

    def _feed(
        self, scope: Scope, artifact: Artifact, child: Child, repeat: Repeat, inside: Scope
    ) -> list[tuple[str, str]]:
        """Return which output of a round becomes which input of the next."""
        at = ("artifacts", artifact.id, "repeat")
        offers, needs = inside.runbook.outputs, inside.runbook.inputs
        feed = []
        for out, need in repeat.feed.items():
            if out not in offers or need not in needs:
                what, name, known = (
                    ("input", need, needs) if out in offers else ("output", out, offers)
                )
                message = f"{child.path} has no {what} '{name}'"
                hint = did_you_mean(name, known)
                self._report(scope, Code.CHILD, message, (*at, "feed", out), on="key", hint=hint)
            else:
                feed.append((out, need))
        if not repeat.feed:
            feed = [(out, out) for out in child.output_mapping if out in offers and out in needs]
        if not feed and not repeat.feed:
            message = f"'{artifact.id}' repeats a child without feeding it its own result"
            hint = "say which output becomes which input: `feed: {<output>: <input>}`"
            self._report(scope, Code.CHILD, message, at, on="key", hint=hint)
        return feed

    # children

    def _child(
        self, scope: Scope, artifact: Artifact, child: Child, id_: ArtifactId, each: Json
    ) -> list[Meaning]:
        inside = self._include(scope, artifact, child, f"{id_}/", {}, each)
        given: dict[str, list[Meaning]] = {}
        if inside is not None:
            for out in self._offered(scope, artifact, child, inside):
                name = inside.runbook.outputs[out].artifact
                given[out] = [(inside, name)]
                self._flag(artifact, inside, name)
        return self._name(scope, artifact, child, given)

    def _include(
        self,
        scope: Scope,
        artifact: Artifact,
        child: Child,
        prefix: str,
        fed: Mapping[str, Name],
        each: Json,
        *,
        tests: tuple[Asked, ...] = (),
    ) -> Scope | None:
        found = self._find(scope, artifact, child)
        if found is None:
            return None
        draft_, key = found
        terms = artifact.terms
        inside = self._scope(
            draft_,
            prefix,
            key,
            sound=not draft_.problems,
            by=(scope, artifact),
            keys=(*scope.keys, key),
            on_error="fail" if terms.on_error == "fail" else scope.on_error,
            cache=scope.cache,
            spare=scope.spare or bool(tests),
            tests=(*scope.tests, *tests, *self._when(scope, artifact, each)),
            after=(*scope.after, *((scope, name) for name in terms.after)),
            tolerated=scope.tolerated or _optional(artifact),
        )
        self._scopes.append(inside)
        for problem in draft_.problems:
            self._tell(problem._replace(included=inside.included))
        self._bound(scope, artifact)
        self._map(scope, artifact, child, inside, fed)
        self._walk(inside)
        return inside

    def _when(self, scope: Scope, artifact: Artifact, each: Json) -> tuple[Asked, ...]:
        """Return the condition of a directive, which every artifact of the child has to meet."""
        condition = artifact.terms.when
        if condition is None:
            return ()
        if any(root == "inputs" for root, _ in condition.references):
            message = f"the condition of '{artifact.id}' reads inputs, which a child has not"
            hint = "give it to an artifact of the child, or ask for a status"
            at = ("artifacts", artifact.id, "when")
            self._report(scope, Code.CONDITION, message, at, hint=hint)
            return ()
        return (self.asked(scope, artifact, condition, each),)

    def asked(self, scope: Scope, artifact: Artifact, condition: Condition, each: Json) -> Asked:
        """Return what `when` asks for."""
        return Asked(scope, artifact, condition, known={"params": scope.params, "each": each})

    def test(self, asked: Asked) -> Test:
        """Return a condition with what it needs to be evaluated, references checked."""
        scope, artifact, condition = asked.scope, asked.artifact, asked.condition
        at = ("artifacts", artifact.id, *(("when",) if asked.holds else ("repeat", "until")))
        statuses: dict[str, ArtifactId] = {}
        for root, name in sorted(condition.references):
            if root == "params" and name not in scope.params:
                declared = scope.runbook.params.get(name)
                if declared is None or declared.secret:
                    what = "is a secret" if declared else "is not declared"
                    message = f"parameter '{name}', which the condition uses, {what}"
                    self._report(scope, Code.CONDITION, message, at)
            elif root == "status":
                ids = self.resolve(scope, name)
                if ids is not None and len(ids) == 1:
                    statuses[name] = ids[0]
                elif name not in scope.faulty and ids != ():
                    what = "stands for several artifacts" if ids else "is not there"
                    message = f"the condition of '{artifact.id}' asks for '{name}', which {what}"
                    hint = f"one of them is '{ids[0].removeprefix(scope.prefix)}'" if ids else None
                    hint = hint or self._meant(scope, name)
                    self._report(scope, Code.CONDITION, message, at, hint=hint)
        result = self.resolve(*asked.before) if asked.before else None
        return Test(condition, asked.holds, statuses, asked.known, result[0] if result else None)

    def _find(self, scope: Scope, artifact: Artifact, child: Child) -> tuple[Draft, str] | None:
        at = ("artifacts", artifact.id, "child_runbook", "path")
        file = self._library.file(child.path, scope.key)
        if isinstance(file, WaivernError):
            (said,) = file.problems if isinstance(file, InvalidError) else (file,)
            self._report(scope, Code.CHILD, said.message, at, hint=said.hint)
            return None
        if file.key in scope.keys:
            path = " → ".join([*scope.keys[scope.keys.index(file.key) :], file.key])
            message = f"runbooks include each other in a circle: {path}"
            self._report(scope, Code.CHILD, message, at)
            return None
        if len(scope.keys) >= self._settings.max_child_depth:
            message = f"children within children, deeper than {self._settings.max_child_depth}"
            hint = "raise `config.max_child_depth` of the root runbook, or include less deeply"
            self._report(scope, Code.CHILD, message, at, hint=hint)
            return None
        found = self._library.draft(file)
        if isinstance(found, Draft):
            self._check_params(scope, artifact, child, found.runbook)
            return found, file.key
        included = (inclusion(scope, artifact), *scope.included)
        problems: Sequence[Problem] = getattr(found, "problems", ())
        for problem in problems:
            self._tell(problem._replace(included=included))
        if not problems:
            self._report(scope, Code.CHILD, found.message, at, hint=found.hint)
        return None

    def _check_params(
        self, scope: Scope, artifact: Artifact, child: Child, inside: Runbook
    ) -> None:
        at = ("artifacts", artifact.id, "child_runbook")
        for name, param in inside.params.items():
            if not self._library.says_the_same(param):
                message = f"parameter '{name}' of {child.path} is declared otherwise"
                hint = "give it the same 'type' and 'secret' as in the runbook that is run"
                self._report(scope, Code.CHILD, message, at, on="key", hint=hint)
            elif param.required and name not in self._params:
                message = f"parameter '{name}' of {child.path} has no value"
                hint = f"declare '{name}' under 'params' of the runbook that is run"
                self._report(scope, Code.CHILD, message, at, on="key", hint=hint)

    def _map(
        self,
        scope: Scope,
        artifact: Artifact,
        child: Child,
        inside: Scope,
        fed: Mapping[str, Name],
    ) -> None:
        """Give the child its inputs: what is mapped, else their defaults, else nothing."""
        at = ("artifacts", artifact.id, "child_runbook", "input_mapping")
        needs = inside.runbook.inputs
        for name in child.input_mapping:
            if name not in needs and inside.sound:
                message = f"{child.path} has no input '{name}'"
                known = f"it has {', '.join(needs)}" if needs else "it has none"
                hint = did_you_mean(name, needs) or known
                self._report(scope, Code.CHILD, message, (*at, name), on="key", hint=hint)
        for name, need in needs.items():
            if name in inside.runbook.artifacts:
                message = f"'{name}' is an input and an artifact"
                self._report(inside, Code.CHILD, message, ("inputs", name), on="key")
            if name in fed:
                inside.names[name] = [fed[name]]
            elif name in child.input_mapping:
                inside.names[name] = [(scope, child.input_mapping[name])]
                self.mapped.append((scope, artifact, inside, need))
            elif need.optional:
                self._default(inside, need)
            else:
                message = f"input '{name}' of {child.path} is not mapped"
                hint = f"add `{name}: <an artifact here>` to input_mapping: it is {need.schema}"
                self._report(scope, Code.CHILD, message, at[:-1], on="key", hint=hint)
                inside.names[name] = []

    def _default(self, inside: Scope, need: Need) -> None:
        """Give an input that nothing is mapped to what the runbook itself says of it."""
        if not need.optional:  # of the root runbook, which nobody includes
            message = f"this runbook needs the input '{need.name}': it is part of another"
            hint = "include it with child_runbook, or make the input optional"
            at = ("inputs", need.name)
            self._report(inside, Code.CHILD, message, at, on="key", hint=hint)
            inside.names[need.name] = []
            return
        work = Given(need.default) if need.default is not None else Absent()
        nobody = Artifact(ArtifactId(need.name), Source("default", {}), output_schema=need.schema)
        self._add(
            inside,
            nobody,
            ArtifactId(inside.prefix + need.name),
            (),
            work=work,
            exposed=False,
            optional=isinstance(work, Absent),
            sensitive=need.sensitive,
        )

    def _offered(
        self, scope: Scope, artifact: Artifact, child: Child, inside: Scope
    ) -> dict[str, str]:
        """Return the outputs that are asked for and there, with their names here."""
        offers = inside.runbook.outputs
        found = {}
        for out, name in child.output_mapping.items():
            if out in offers:
                found[out] = name
            elif inside.sound:
                key = ("output",) if name == artifact.id else ("output_mapping", out)
                at = ("artifacts", artifact.id, "child_runbook", *key)
                known = f"it has {', '.join(offers)}" if offers else "it has none"
                message = f"{child.path} has no output '{out}'"
                hint = did_you_mean(out, offers) or known
                self._report(scope, Code.CHILD, message, at, on="key", hint=hint)
        return found

    def _name(
        self,
        scope: Scope,
        artifact: Artifact,
        child: Child,
        given: Mapping[str, list[Meaning]],
    ) -> list[Meaning]:
        """Give names here to what the child gives; return what the directive's own id means."""
        own: list[Meaning] = []
        every: list[Meaning] = []
        for out, name in child.output_mapping.items():
            meaning = given.get(out, [])
            every += meaning
            if name == artifact.id:
                own += meaning
                continue
            there = name in scope.runbook.artifacts or name in scope.runbook.inputs
            if there or scope.givers.setdefault(name, (artifact.id, out)) != (artifact.id, out):
                self._is_there(scope, artifact.id, out, name)
            else:
                scope.names.setdefault(name, []).extend(meaning)
        meant = own if artifact.id in child.output_mapping.values() else every
        if artifact.for_each is None:
            scope.names[artifact.id] = meant
        return meant

    def _is_there(self, scope: Scope, directive: str, out: str, name: str) -> None:
        message = f"'{name}', which '{directive}' gives, is there already"
        at = ("artifacts", directive, "child_runbook", "output_mapping", out)
        self._report(scope, Code.CHILD, message, at)

    def _flag(self, artifact: Artifact, inside: Scope, name: str) -> None:
        """Let what a directive exposes be what the directive says of it."""
        exposed, optional = artifact.output and len(inside.keys) == 1, _optional(artifact)
        if not (exposed or optional):
            return
        for id_ in self.resolve(inside, name) or ():
            if id_.startswith(inside.prefix):  # the child may give back what it was given
                flat = self.flats[id_]
                flat.exposed, flat.optional = flat.exposed or exposed, flat.optional or optional

    def _report(
        self,
        scope: Scope,
        code: str,
        message: str,
        at: tuple[str | int, ...],
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> None:
        self._tell(scope.problem(code, message, at, on=on, hint=hint))

    def _tell(self, problem: Problem) -> None:
        self.problems[problem] = None  # a declaration may stand for many artifacts
        if len(self.problems) >= ENOUGH:
            raise InvalidError(list(self.problems))


def _optional(artifact: Artifact) -> bool:
    return artifact.optional or artifact.terms.on_error == "continue"
