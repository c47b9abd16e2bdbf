"""Validation of a plain tree as a runbook, with all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError

from waivern.diagnostics import Diagnostic, shown
from waivern.ids import RULE, ArtifactId, collisions, segment_fault
from waivern.language import params, template
from waivern.language.artifact_spec import ArtifactSpec, RepeatSpec
from waivern.language.conflicts import KEYS, ORIGINS, together
from waivern.language.keys import EntryName, Model, Phase, keys, model_of
from waivern.language.models import Runbook, RunbookDraft
from waivern.language.params import TYPES, Param, Type, defaults
from waivern.language.validation_messages import Path, in_words, place
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.yaml_events import ENOUGH

BindParams: TypeAlias = Callable[[Mapping[str, Param]], Mapping[str, Json]]
"""Parameters as they are declared -> their values. Raises InvalidError."""


def check(
    tree: Mapping[str, Json],
    document: YamlDocument,
    name: str,
    environ: Mapping[str, str],
    bind_params: BindParams,
) -> RunbookDraft:
    """Return the runbook as far as it is well formed, and the problems of shape and variables.

    `name` is for a runbook without its own. An artifact whose inputs or origin depend on a
    parameter without a value is left out, and nothing is wrong with it.
    """
    declared: dict[str, Param] = {}
    context: dict[str, Any] = {"environ": environ, "scope": {}, "declared": declared}
    problems = _declared(tree, document, context)
    # values are only asked for once it is known which parameters there are
    values = defaults(declared) if problems else bind_params(declared)
    context["open"] = {
        f"{template.PARAMS}.{name}"
        for name, param in declared.items()
        if name not in values and not param.secret
    }
    if b"${" in document.data:
        context["scope"] = params.scope(declared, values)
        tree, found = _bound(tree, document, context["scope"])
        context["scope"] = params.with_deferred(context["scope"], values)
        problems += found
        tree = _settled(tree, context["open"])
    reported = {(problem.code, problem.position) for problem in problems}
    top, found = _read(Runbook, {"document": document, **tree}, (), document, context)
    problems += found
    entries: dict[str, Any] = {"params": declared}
    for kind in ("inputs", "outputs"):
        read, found = _entries(kind, tree, document, context)
        entries[kind] = read if top else {}
        problems += found
    artifacts, found = _artifacts(tree, document, context, reported, len(problems))
    entries["artifacts"] = artifacts
    problems += found
    top = top or Runbook.unread("", document)
    runbook = top.model_copy(update={"name": top.name or name, **entries})
    faulty = frozenset(str(id_) for id_ in _mapping(tree.get("artifacts")) if id_ not in artifacts)
    return RunbookDraft(runbook, tuple(problems), faulty, values)


def _artifacts(
    tree: Mapping[str, Json],
    document: YamlDocument,
    context: dict[str, Any],
    reported: set[Any],
    count: int,
) -> tuple[dict[ArtifactId, ArtifactSpec], list[Diagnostic]]:
    """Read the artifacts until there are enough problems, `count` of them known before."""
    written = tree.get("artifacts")
    read: dict[ArtifactId, ArtifactSpec] = {}
    if not isinstance(written, dict):
        return read, []
    problems = list(islice(_ids(written, document), ENOUGH))
    for id_, each in written.items():
        artifact, found = _artifact(id_, each, document, context)
        problems += [one for one in found if (one.code, one.position) not in reported]
        if artifact and not segment_fault(id_):
            read[artifact.id] = artifact
        if count + len(problems) >= ENOUGH:
            break
    return read, problems


def _declared(
    tree: Mapping[str, Json], document: YamlDocument, context: dict[str, Any]
) -> list[Diagnostic]:
    """Read the declarations of parameters; one that is wrong is known, and has no value."""
    problems: list[Diagnostic] = []
    for name, entry in _mapping(tree.get("params")).items():
        at: Path = ("params", name)
        one, found = _read(Param, _called("name", name, entry), at, document, context)
        problems += found
        kinds: list[Any] = [kind for kind in TYPES if kind == _mapping(entry).get("type")]
        kind: Type = kinds[0] if kinds else "boolean"
        context["declared"][name] = one or Param(name=name, type=kind)
    return problems


def _settled(tree: Mapping[str, Json], open_: AbstractSet[str]) -> dict[str, Json]:
    """Leave out of `config` what has no value yet; a pool of unknown size is there."""
    config = tree.get("config")
    if not open_ or not isinstance(config, dict):
        return dict(tree)
    pools = config.get("pools")
    if isinstance(pools, dict):
        pools = {name: 1 if _awaits(size, open_) else size for name, size in pools.items()}
        config = {**config, "pools": pools}
    return {**tree, "config": _without(config, config.keys(), open_)}


def _without(
    entry: Mapping[str, Json], keys: AbstractSet[str], open_: AbstractSet[str]
) -> Mapping[str, Json]:
    """Leave out those of the keys that have no value yet."""
    if not open_:
        return entry
    return {
        key: value for key, value in entry.items() if key not in keys or not _awaits(value, open_)
    }


def _awaits(value: Json, open_: AbstractSet[str]) -> bool:
    """Return whether a value has a parameter that has no value yet."""
    return not open_.isdisjoint(template.names(value))


def _called(field: str, name: str, entry: Json) -> Json:
    """Return an entry with the name that it stands under; whatever else it has there is refused."""
    return {field: EntryName(name), **entry} if isinstance(entry, dict) else entry


def _entries(
    kind: str, tree: Mapping[str, Json], document: YamlDocument, context: dict[str, Any]
) -> tuple[dict[str, Model], list[Diagnostic]]:
    model = model_of(Runbook.model_fields[kind].annotation)
    assert model is not None
    read: dict[str, Model] = {}
    problems: list[Diagnostic] = []
    for name, entry in _mapping(tree.get(kind)).items():
        one, found = _read(model, _called("name", name, entry), (kind, name), document, context)
        problems += found
        if one:
            read[name] = one
    return read, problems


def _artifact(
    id_: str, artifact: Json, document: YamlDocument, context: dict[str, Any]
) -> tuple[ArtifactSpec | None, list[Diagnostic]]:
    at: Path = ("artifacts", id_)
    if not isinstance(artifact, dict):
        return _read(ArtifactSpec, artifact, at, document, context)
    artifact = _without(artifact, _HOW, context["open"])
    if artifact.get("for_each") is not None:
        context = {**context, "scope": {**context["scope"], "each": template.LATER}}
    read, found = _read(ArtifactSpec, _called("id", id_, artifact), at, document, context)
    if read is None and (sound := _sound(artifact)):
        read, _ = _read(ArtifactSpec, _called("id", id_, sound), at, document, context)
    conflicts = together(at, artifact, document)
    return None if conflicts else read, found + conflicts


def _sound(artifact: Mapping[str, Json]) -> dict[str, Json]:
    """Return what an artifact is produced from, to be checked although another key is wrong.

    Nothing, if no key says where it comes from; inputs alone may lack the process that is misspelt.
    """
    sound = {key: value for key, value in artifact.items() if key in _WHAT and value is not None}
    origins = ORIGINS if "process" in sound else set(ORIGINS) - {"inputs"}
    return sound if any(key in origins for key in sound) else {}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _bound(
    tree: Mapping[str, Json], document: YamlDocument, scope: Mapping[str, Json]
) -> tuple[dict[str, Json], list[Diagnostic]]:
    """Put parameters in their places, as far as they have values; texts for people stay."""
    binder = _ParamBinder(document, scope)
    bound = dict(tree)
    if "config" in tree:
        bound["config"] = binder.put(tree["config"], ("config",))
    for kind in ("outputs", "artifacts"):
        if isinstance(entries := tree.get(kind), dict):
            model = model_of(Runbook.model_fields[kind].annotation)
            bound[kind] = {n: binder.put_in(one, model, (kind, n)) for n, one in entries.items()}
    return bound, binder.problems


class _ParamBinder:
    """Puts the values of parameters into the values of a runbook."""

    def __init__(self, document: YamlDocument, scope: Mapping[str, Json]) -> None:
        self.problems: list[Diagnostic] = []
        self._document = document
        self._scope = scope

    def put(self, value: Json, at: Path) -> Json:
        found = list(islice(template.unbound(value, self._scope), ENOUGH))
        for path, code, message, hint in found:
            self.problems.append(self._document.problem(code, message, (*at, *path), hint=hint))
        return value if found else template.bind(value, self._scope)

    def put_in(self, entry: Json, model: type[Model] | None, at: Path) -> Json:
        """Return a mapping bound, but for the keys that stay as they are written."""
        if not isinstance(entry, dict) or model is None:
            return entry
        as_written = {name for name, key in keys(model).items() if key.as_written}
        bound: dict[str, Json] = {}
        for key, value in entry.items():
            if key in as_written:
                bound[key] = value
            elif key == "repeat":  # its condition names parameters itself
                bound[key] = self.put_in(value, RepeatSpec, (*at, key))
            else:
                bound[key] = self.put(value, (*at, key))
        return bound


M = TypeVar("M", bound=Model)


def _read(
    model: type[M], value: Json, at: Path, document: YamlDocument, context: dict[str, Any]
) -> tuple[M | None, list[Diagnostic]]:
    try:
        return model.model_validate(value, context=context), []
    except ValidationError as error:
        if (count := error.error_count()) > ENOUGH:
            message = f"{place(at)} has {count:,} problems"
            return None, [document.problem(RunbookCode.LIMIT, message, at, on="key")]
        open_ = context.get("open", frozenset())
        found = [one for one in error.errors(include_url=False) if not _is_open(one, open_)]
    return None, [problem for one in found for problem in in_words(one, at, document)]


def _is_open(error: Any, open_: AbstractSet[str]) -> bool:
    """Return whether a fault can be judged only with the value of a parameter."""
    written, at = error["input"], error["loc"]
    whole = isinstance(written, str) or at == ("for_each",)
    return whole and error["type"] != "extra_forbidden" and _awaits(written, open_)


def _ids(artifacts: Mapping[str, Json], document: YamlDocument) -> Iterator[Diagnostic]:
    for id_ in artifacts:
        if fault := segment_fault(id_):
            message = f"the artifact id {shown(id_)} {fault}"
            at = ("artifacts", id_)
            yield document.problem(
                RunbookCode.ARTIFACT_ID, message, at, on="key", hint=f"an id has {RULE}"
            )
    for earlier, later in collisions(artifacts):
        message = f"the artifact ids {shown(earlier)} and {shown(later)} differ only in case"
        hint = "some file systems hold them for the same name: rename one"
        at = ("artifacts", later)
        yield document.problem(RunbookCode.ARTIFACT_ID, message, at, on="key", hint=hint)


_WHAT = {name for name, key in KEYS.items() if key.phase is Phase.WHAT}
_HOW = {name for name, key in KEYS.items() if key.phase is Phase.HOW}
