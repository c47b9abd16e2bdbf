"""Runbook -> flat artifacts: children taken in, `for_each` and `repeat` written out. Pure.

Ids do not depend on anything but the runbooks: `<directive>/<artifact>` in a child,
`<artifact>/<item>` of a `for_each`, `<artifact>/round-2` of a `repeat`, `<artifact>/<output>` of a
processor with named outputs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from waivern.errors import StoreError, WaivernError
from waivern.ids import ArtifactId, collisions
from waivern.message import Json
from waivern.planning.codes import Code
from waivern.planning.items import Item, items
from waivern.planning.plan import Absent, Given, Last, Part, Test
from waivern.plugins import registry
from waivern.plugins.hints import did_you_mean
from waivern.problems import Problem
from waivern.runbook import env
from waivern.runbook.document import Document
from waivern.runbook.loader import draft
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
    from waivern.runbook.params import Param

MOST = 200_000
"""Artifacts that a plan may have."""


class ChildFile(NamedTuple):
    """A child runbook as it was found."""

    key: str
    """What tells it from every other child of the run: its path in `_system/children`."""
    folder: Path
    """Where its own relative paths start from."""
    data: bytes


class Children(Protocol):
    """Finds child runbooks."""

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Return the runbook that `path` means in the child `parent` ('' is the root runbook).

        Raises WaivernError if there is none that may be read.
        """
        ...


@dataclass(eq=False)
class Scope:
    """One inclusion of a runbook: what names mean in it."""

    runbook: Runbook
    prefix: str = ""
    key: str = ""
    faulty: frozenset[str] = frozenset()
    included: tuple[str, ...] = ()
    """By what it came to be read, nearest first."""
    keys: tuple[str, ...] = ()
    names: dict[str, list[tuple[Scope, str] | ArtifactId]] = field(default_factory=dict)
    """A name here -> artifacts, or names in other scopes."""
    params: Mapping[str, Json] = field(default_factory=dict)
    """Values that conditions may use."""
    spare: bool = False
    tests: tuple[Test, ...] = ()
    after: tuple[tuple[Scope, str], ...] = ()
    tolerated: bool = False
    needs: Mapping[str, Need] = field(default_factory=dict)

    def problem(
        self,
        code: Code,
        message: str,
        at: tuple[str | int, ...],
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> Problem:
        """Return a problem at a place in this runbook, with how it came to be read."""
        found = self.runbook.document.problem(code, message, at, on=on, hint=hint)
        return replace(found, included=self.included) if self.included else found


@dataclass(frozen=True, slots=True)
class Flat:
    """One artifact of the flat runbook, its references not resolved yet."""

    id: ArtifactId
    artifact: Artifact
    """As declared, references to the item of a `for_each` in their places."""
    scope: Scope
    work: Given | Absent | Last | Part | None = None
    """What it is made by, if that is not what the declaration says."""
    inputs: tuple[tuple[Scope, str], ...] = ()
    """Names of inputs, and where they mean something; each may stand for several artifacts."""
    tests: tuple[Test, ...] = ()
    after: tuple[tuple[Scope, str], ...] = ()
    each: Json = None
    spare: bool = False
    exposed: bool = False
    """What a directive with `output: true` offers, or an own artifact that says so."""
    optional: bool = False
    sensitive: bool = False


class Flattener:
    """Walks a runbook and its children; `flats` and `problems` are what came of it."""

    def __init__(self, whole: Draft, children: Children, environ: Mapping[str, str]) -> None:
        self._children = children
        self._environ = environ
        self._values = whole.values
        self._settings = whole.runbook.settings
        self.problems: list[Problem] = list(whole.problems)
        self.flats: dict[ArtifactId, Flat] = {}
        self.documents: dict[str, Document] = {}
        self.mapped: list[tuple[Scope, str, Scope, Need]] = []
        """(where the directive stands, the name it gives, the child's scope, what it is for)."""
        self.root = self._scope(whole, "", "")
        self._outputs: set[tuple[Scope, str]] = set()
        self._walk(self.root)
        for earlier, later in collisions(self.flats):
            message = f"the artifacts '{earlier}' and '{later}' differ only in case"
            flat = self.flats[ArtifactId(later)]
            self._report(flat.scope, Code.SAME_ID, message, ("artifacts", flat.artifact.id))

    # names

    def resolve(self, scope: Scope, name: str) -> tuple[ArtifactId, ...] | None:
        """Return the artifacts that a name stands for; None if it stands for nothing."""
        found: dict[ArtifactId, None] = {}
        waiting: list[tuple[Scope, str] | ArtifactId] = [(scope, name)]
        seen: set[tuple[int, str]] = set()
        while waiting:
            next_ = waiting.pop()
            if not isinstance(next_, tuple):
                found[next_] = None
                continue
            where, called = next_
            if (id(where), called) in seen:
                return None
            seen.add((id(where), called))
            own = ArtifactId(where.prefix + called)
            if called in where.names:
                waiting += reversed(where.names[called])
            elif own in self.flats and self.flats[own].scope is where:
                found[own] = None
            else:
                return None
        return tuple(found)

    def aliases(self) -> dict[str, tuple[ArtifactId, ...]]:
        """Return what the names of the root runbook that are no artifacts stand for."""
        return {
            name: self.resolve(self.root, name) or ()
            for name in self.root.names
            if name not in self.flats
        }

    def known(self, scope: Scope) -> list[str]:
        """Return the names that mean something in a scope."""
        return [*scope.runbook.artifacts, *scope.names, *scope.faulty]

    # walking

    def _scope(self, whole: Draft, prefix: str, key: str, **more: object) -> Scope:
        declared = whole.runbook.params
        open_ = {n: v for n, v in whole.values.items() if n in declared and not declared[n].secret}
        scope = Scope(whole.runbook, prefix, key, whole.faulty, params=open_)
        return replace(scope, **more) if more else scope  # type: ignore[arg-type]

    def _walk(self, scope: Scope) -> None:
        for artifact in scope.runbook.artifacts.values():
            if artifact.for_each is None:
                self._expand(scope, artifact, "", None)
            else:
                self._for_each(scope, artifact)

    def _for_each(self, scope: Scope, artifact: Artifact) -> None:
        if isinstance(artifact.for_each, str):  # a parameter without a value: only checked
            self._expand(scope, artifact, "", env.LATER)
            return
        found, fault = items(artifact.for_each)
        at = ("artifacts", artifact.id, "for_each")
        if fault:
            self._report(scope, Code.ITEMS, f"'{artifact.id}' {fault}", at)
        group: list[tuple[Scope, str] | ArtifactId] = []
        for item in found:
            group += self._one(scope, artifact, item)
        scope.names[artifact.id] = group

    def _one(
        self, scope: Scope, artifact: Artifact, item: Item
    ) -> list[tuple[Scope, str] | ArtifactId]:
        each = {"each": item.value}
        problems = list(env.unbound(_bindable(artifact), each))
        for path, code, message, hint in problems:
            at = ("artifacts", artifact.id, *path)
            self.problems.append(
                replace(
                    scope.runbook.document.problem(code, message, at, hint=hint),
                    included=scope.included,
                )
            )
        bound = artifact if problems else _with_item(artifact, each)
        return self._expand(scope, bound, f"/{item.label}", item.value)

    def _expand(
        self, scope: Scope, artifact: Artifact, suffix: str, each: Json
    ) -> list[tuple[Scope, str] | ArtifactId]:
        id_ = ArtifactId(f"{scope.prefix}{artifact.id}{suffix}")
        match artifact.producer:
            case Child() as child if artifact.repeat:
                return self._child_rounds(scope, artifact, child, artifact.repeat, id_, each)
            case Child() as child:
                inside = self._include(scope, artifact, child, f"{id_}/", {}, each)
                return self._offer(scope, artifact, child, inside) if inside else []
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
        inputs: tuple[tuple[Scope, str], ...],
        *,
        work: Given | Absent | Last | Part | None = None,
        tests: tuple[Test, ...] = (),
        after: tuple[tuple[Scope, str], ...] = (),
        each: Json = None,
        spare: bool = False,
        exposed: bool | None = None,
        optional: bool | None = None,
        sensitive: bool = False,
    ) -> ArtifactId:
        if id_ in self.flats:
            message = f"there are two artifacts '{id_}'"
            self._report(scope, Code.SAME_ID, message, ("artifacts", artifact.id))
        elif len(self.flats) >= MOST:
            if len(self.flats) == MOST:
                message = f"more than {MOST:,} artifacts once children and items are written out"
                self._report(scope, Code.ITEMS, message, ("artifacts", artifact.id))
            return id_
        self.flats[id_] = Flat(
            id_,
            artifact,
            scope,
            work,
            inputs,
            (*scope.tests, *tests),
            (*scope.after, *after),
            each,
            spare or scope.spare,
            artifact.output and not scope.prefix if exposed is None else exposed,
            artifact.optional if optional is None else optional,
            sensitive,
        )
        return id_

    def _parts(
        self, scope: Scope, artifact: Artifact, process: Process, id_: ArtifactId, each: Json
    ) -> None:
        """Add the named outputs of a processor that has some."""
        try:
            outputs: Sequence[str] = getattr(
                registry.load("processors", process.type), "outputs", ()
            )
        except WaivernError:
            return  # told when the artifact itself is planned
        for output in outputs:
            whole = ((scope, id_.removeprefix(scope.prefix)),)
            part = ArtifactId(f"{id_}/{output}")
            self._add(scope, artifact, part, whole, work=Part(output), each=each)

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
        rounds: list[tuple[Scope, str]] = []
        for n in range(1, repeat.max + 1):
            before = rounds[-1] if rounds else None
            self._add(
                scope,
                artifact,
                ArtifactId(f"{id_}/round-{n}"),
                (before or first, *others),
                tests=self._until(scope, repeat, n, before, each),
                after=(before,) if before else (),
                each=each,
                spare=n > 1,
                exposed=False,
            )
            rounds.append((scope, f"{own}/round-{n}"))
        last = Last(repeat.until, repeat.keep, {"params": scope.params, "each": each})
        return self._add(scope, artifact, id_, tuple(rounds), work=last, each=each)

    def _until(
        self,
        scope: Scope,
        repeat: Repeat,
        n: int,
        before: tuple[Scope, str] | None,
        each: Json,
    ) -> tuple[Test, ...]:
        if before is None:
            return ()
        where, name = before
        known = {"params": scope.params, "round": n - 1, "each": each}
        (result,) = self.resolve(where, name) or (None,)
        return (Test(repeat.until, False, {}, known, result),)

    def _child_rounds(
        self,
        scope: Scope,
        artifact: Artifact,
        child: Child,
        repeat: Repeat,
        id_: ArtifactId,
        each: Json,
    ) -> list[tuple[Scope, str] | ArtifactId]:
        before: Scope | None = None
        offered: dict[str, list[tuple[Scope, str]]] = {out: [] for out in child.output_mapping}
        leading = next(iter(child.output_mapping))
        for n in range(1, repeat.max + 1):
            fed: dict[str, tuple[Scope, str]] = {}
            tests: tuple[Test, ...] = ()
            after: tuple[tuple[Scope, str], ...] = ()
            if before is not None:
                feed = repeat.feed or {out: out for out in child.output_mapping}
                fed = {
                    need: (before, before.runbook.outputs[out].artifact)
                    for out, need in feed.items()
                    if out in before.runbook.outputs and need in before.runbook.inputs
                }
                after = (offered[leading][-1],) if offered[leading] else ()
                if after:
                    tests = self._until(scope, repeat, n, after[0], each)
            inside = self._include(
                scope, artifact, child, f"{id_}/round-{n}/", fed, each, tests=tests, after=after
            )
            if inside is None:
                return []
            for out in child.output_mapping:
                if out in inside.runbook.outputs:
                    offered[out].append((inside, inside.runbook.outputs[out].artifact))
            if n == 1 and not (
                repeat.feed or set(child.output_mapping) & set(inside.runbook.inputs)
            ):
                message = f"'{artifact.id}' repeats a child without feeding it its own result"
                hint = "say which output becomes which input: `feed: {<output>: <input>}`"
                at = ("artifacts", artifact.id, "repeat")
                self._report(scope, Code.CHILD, message, at, on="key", hint=hint)
            before = inside
        last = Last(repeat.until, repeat.keep, {"params": scope.params, "each": each})
        made: list[tuple[Scope, str] | ArtifactId] = []
        suffix = id_.removeprefix(f"{scope.prefix}{artifact.id}")
        for out, name in child.output_mapping.items():
            target = ArtifactId(f"{scope.prefix}{name}{suffix}")
            made.append(
                self._add(scope, artifact, target, tuple(offered[out]), work=last, each=each)
            )
        return made

    # children

    def _include(
        self,
        scope: Scope,
        artifact: Artifact,
        child: Child,
        prefix: str,
        fed: Mapping[str, tuple[Scope, str]],
        each: Json,
        *,
        tests: tuple[Test, ...] = (),
        after: tuple[tuple[Scope, str], ...] = (),
    ) -> Scope | None:
        at = ("artifacts", artifact.id, "child_runbook")
        found = self._find(scope, child, at)
        if found is None:
            return None
        draft_, file = found
        place = scope.problem(Code.CHILD, "", at, on="key").position
        more = (*scope.included,) if scope.included else ()
        inside = self._scope(
            draft_,
            prefix,
            file.key,
            included=(f"by '{artifact.id}' at {place}", *more),
            keys=(*scope.keys, file.key),
            spare=scope.spare or bool(tests),
            tests=(*scope.tests, *tests, *self._when(scope, artifact, each)),
            after=(*scope.after, *after, *((scope, name) for name in artifact.terms.after)),
            tolerated=scope.tolerated or artifact.optional or artifact.terms.on_error == "continue",
            needs=draft_.runbook.inputs,
        )
        self.problems += [replace(p, included=inside.included) for p in draft_.problems]
        self._map(scope, artifact, child, inside, fed)
        self._walk(inside)
        return inside

    def _when(self, scope: Scope, artifact: Artifact, each: Json) -> tuple[Test, ...]:
        """Return the condition of a directive, which every artifact of the child has to meet."""
        if artifact.terms.when is None:
            return ()
        if any(root == "inputs" for root, _ in artifact.terms.when.references):
            message = f"the condition of '{artifact.id}' reads inputs, which a child has not"
            at = ("artifacts", artifact.id, "when")
            self._report(scope, Code.CONDITION, message, at)
            return ()
        return (self.test(scope, artifact, artifact.terms.when, each),)

    def test(self, scope: Scope, artifact: Artifact, condition: Condition, each: Json) -> Test:
        """Return a condition with what it needs to be evaluated, references checked."""
        statuses: dict[str, ArtifactId] = {}
        at = ("artifacts", artifact.id, "when")
        for root, name in sorted(condition.references):
            if root == "params" and name not in scope.params:
                declared = scope.runbook.params.get(name)
                if declared is None or declared.secret:
                    what = "is a secret" if declared else "is not declared"
                    message = f"parameter '{name}', which the condition uses, {what}"
                    self._report(scope, Code.CONDITION, message, at)
            elif root == "status":
                ids = self.resolve(scope, name) if name in self.known(scope) or "/" in name else ()
                if ids is not None and len(ids) == 1:
                    statuses[name] = ids[0]
                else:
                    statuses[name] = ArtifactId(scope.prefix + name)
        return Test(condition, True, statuses, {"params": scope.params, "each": each})

    def _find(
        self, scope: Scope, child: Child, at: tuple[str | int, ...]
    ) -> tuple[Draft, ChildFile] | None:
        depth = len(scope.keys) + 1
        try:
            file = self._children.child(child.path, scope.key, self._settings.template_paths)
        except StoreError:  # says nothing about the runbook
            raise
        except WaivernError as error:
            self._report(scope, Code.CHILD, error.message, (*at, "path"), hint=error.hint)
            return None
        if file.key in scope.keys:
            path = " → ".join([*scope.keys[scope.keys.index(file.key) :], file.key])
            message = f"runbooks include each other in a circle: {path}"
            self._report(scope, Code.CHILD, message, (*at, "path"))
            return None
        if depth > self._settings.max_child_depth:
            message = f"children within children, deeper than {self._settings.max_child_depth}"
            hint = "raise `config.max_child_depth` of the root runbook, or include less deeply"
            self._report(scope, Code.CHILD, message, (*at, "path"), hint=hint)
            return None
        document = self.documents.get(file.key) or Document(file.key, file.folder, file.data)
        self.documents[file.key] = document
        try:
            found = draft(document, Path(file.key).stem, self._environ, self._given)
        except WaivernError as error:
            problems: Sequence[Problem] = getattr(error, "problems", ())
            place = scope.problem(Code.CHILD, "", at, on="key").position
            included = (f"by '{at[1]}' at {place}", *scope.included)
            self.problems += [replace(problem, included=included) for problem in problems]
            if not problems:
                self._report(scope, Code.CHILD, error.message, (*at, "path"), hint=error.hint)
            return None
        return found, file

    def _given(self, declared: Mapping[str, Param]) -> Mapping[str, Json]:
        """Return a child's parameters: those of the run by name, else their own defaults."""
        return {
            name: self._values.get(name, param.default)
            for name, param in declared.items()
            if name in self._values or not param.required
        }

    def _map(
        self,
        scope: Scope,
        artifact: Artifact,
        child: Child,
        inside: Scope,
        fed: Mapping[str, tuple[Scope, str]],
    ) -> None:
        """Give the child its inputs: what is mapped, else their defaults, else nothing."""
        at = ("artifacts", artifact.id, "child_runbook", "input_mapping")
        needs = inside.runbook.inputs
        for name in child.input_mapping:
            if name not in needs:
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
                given = child.input_mapping[name]
                inside.names[name] = [(scope, given)]
                self.mapped.append((scope, artifact.id, inside, need))
            elif need.optional:
                self._default(inside, need)
            else:
                message = f"input '{name}' of {child.path} is not mapped"
                hint = f"add `{name}: <an artifact here>` to input_mapping: it is {need.schema}"
                self._report(scope, Code.CHILD, message, at[:-1], on="key", hint=hint)
                inside.names[name] = []

    def _default(self, inside: Scope, need: Need) -> None:
        id_ = ArtifactId(inside.prefix + need.name)
        work = Given(need.default) if need.default is not None else Absent()
        nobody = Artifact(ArtifactId(need.name), Source("default", {}), output_schema=need.schema)
        self._add(
            inside,
            nobody,
            id_,
            (),
            work=work,
            exposed=False,
            optional=isinstance(work, Absent),
            sensitive=need.sensitive,
        )

    def _offer(
        self, scope: Scope, artifact: Artifact, child: Child, inside: Scope
    ) -> list[tuple[Scope, str] | ArtifactId]:
        """Give names here to what the child offers; return what the directive's own id means."""
        at = ("artifacts", artifact.id, "child_runbook")
        offers = inside.runbook.outputs
        own: list[tuple[Scope, str] | ArtifactId] = []
        for out, name in child.output_mapping.items():
            if out not in offers:
                known = f"it has {', '.join(offers)}" if offers else "it has none"
                message = f"{child.path} has no output '{out}'"
                hint = did_you_mean(out, offers) or known
                self._report(scope, Code.CHILD, message, at, on="key", hint=hint)
                continue
            target = (inside, offers[out].artifact)
            if name == artifact.id:
                own.append(target)
            elif name in scope.runbook.artifacts or (name in scope.names and not artifact.for_each):
                message = f"'{name}', which '{artifact.id}' gives, is there already"
                self._report(scope, Code.CHILD, message, (*at, "output_mapping", out))
            else:
                scope.names.setdefault(name, []).append(target)
            self._flag(artifact, inside, offers[out].artifact)
        if artifact.for_each is None and own:
            scope.names[artifact.id] = own
        return own

    def _flag(self, artifact: Artifact, inside: Scope, name: str) -> None:
        """Let what a directive exposes be what the directive says of it."""
        optional = artifact.optional or artifact.terms.on_error == "continue"
        if not (artifact.output or optional):
            return
        for id_ in self.resolve(inside, name) or ():
            flat = self.flats[id_]
            self.flats[id_] = replace(
                flat,
                exposed=flat.exposed or artifact.output,
                optional=flat.optional or optional,
            )

    def _report(
        self,
        scope: Scope,
        code: Code,
        message: str,
        at: tuple[str | int, ...],
        *,
        on: Literal["key", "value"] = "value",
        hint: str | None = None,
    ) -> None:
        self.problems.append(scope.problem(code, message, at, on=on, hint=hint))


def _bindable(artifact: Artifact) -> Json:
    """Return all of a declaration that may refer to the item of a `for_each`, by its place."""
    match artifact.producer:
        case Source(_, properties):
            return {"source": {"properties": properties}}
        case Process(_, properties, inputs):
            return {"process": {"properties": properties}, "inputs": list(inputs)}
        case Child(path, mapping, _, _):
            return {"child_runbook": {"path": path, "input_mapping": mapping}}
        case Gate(question, inputs, _, _):
            return {"gate": {"question": question, "show": list(inputs)}}
    return {}


def _with_item(artifact: Artifact, each: Mapping[str, Json]) -> Artifact:
    """Return the declaration with the item in its places."""

    def put(value: Json) -> Json:
        return env.bind(value, each)

    producer = artifact.producer
    match producer:
        case Source(_, properties):
            producer = replace(producer, properties=put(dict(properties)))
        case Process(_, properties, inputs):
            names = tuple(ArtifactId(str(put(name))) for name in inputs)
            producer = replace(producer, properties=put(dict(properties)), inputs=names)
        case Child(path, mapping, _, _):
            put_in = {key: str(put(name)) for key, name in mapping.items()}
            producer = replace(producer, path=str(put(path)), input_mapping=put_in)
        case Gate(question, inputs, _, _):
            names = tuple(ArtifactId(str(put(name))) for name in inputs)
            producer = replace(producer, question=str(put(question)), inputs=names)
    return replace(artifact, producer=producer)
