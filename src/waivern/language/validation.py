"""A plain tree against the form of a runbook: the filled form, or all that keeps it from one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any, NamedTuple, TypeAlias, TypeVar, cast

from pydantic import ValidationError

from waivern.diagnostics import Diagnostic, shown
from waivern.ids import RULE, collisions, segment_fault
from waivern.language import params, template
from waivern.language.conflicts import PRODUCERS, together
from waivern.language.form import PARTS, ArtifactForm, Form, RunbookForm
from waivern.language.form_messages import Path, form_at, in_words, place
from waivern.language.params import TYPES, Param, Type, defaults
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.yaml_events import ENOUGH

Given: TypeAlias = Callable[[Mapping[str, Param]], Mapping[str, Json]]
"""Parameters as they are declared -> their values. Raises InvalidError."""


class CheckedForm(NamedTuple):
    """What could be read of a runbook."""

    form: RunbookForm
    parts: Mapping[Path, Any]
    """The forms of rare parts, by where they are."""
    params: Mapping[str, Param]
    values: Mapping[str, Json]
    problems: list[Diagnostic]


def check(
    tree: Mapping[str, Json], document: YamlDocument, environ: Mapping[str, str], given: Given
) -> CheckedForm:
    """Return the form, filled with what is well formed, and the problems of shape and variables.

    An artifact that says with a parameter without a value what it is made of is not in the form,
    and nothing is wrong with it.
    """
    parts: dict[Path, Any] = {}
    declared: dict[str, Param] = {}
    context: dict[str, Any] = {"environ": environ, "scope": {}, "declared": declared}
    problems = _declared(tree, document, context)
    # nobody is asked for values while it is not known what there is to ask for
    values = defaults(declared) if problems else given(declared)
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
    told = {(problem.code, problem.position) for problem in problems}
    form, found = _fill(RunbookForm, tree, (), document, context)
    problems += found
    problems += _entries(tree, document, context, parts)
    artifacts = tree.get("artifacts")
    filled: dict[str, ArtifactForm] = {}
    if isinstance(artifacts, dict):
        problems += islice(_ids(artifacts, document), ENOUGH)
        for id_, artifact in artifacts.items():
            artifact_form, found = _artifact(id_, artifact, document, context, parts)
            problems += [each for each in found if (each.code, each.position) not in told]
            if artifact_form and not segment_fault(id_):
                filled[id_] = artifact_form
            if len(problems) >= ENOUGH:
                break
    whole = form or RunbookForm.model_construct(artifacts={})
    whole = whole.model_copy(update={"artifacts": filled})
    return CheckedForm(whole, parts, declared, values, problems)


def _declared(
    tree: Mapping[str, Json], document: YamlDocument, context: dict[str, Any]
) -> list[Diagnostic]:
    """Read the declarations of parameters; one that is wrong is known, and has no value."""
    problems: list[Diagnostic] = []
    for name, entry in _mapping(tree.get("params")).items():
        at: Path = ("params", name)
        one, found = _fill(form_at(at), entry, at, document, context)
        problems += found
        kinds = [kind for kind in TYPES if kind == _mapping(entry).get("type")]
        unsure = Param(name, cast(Type, kinds[0] if kinds else "boolean"))
        context["declared"][name] = one.param(name) if one else unsure
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
    """Whether there is a parameter in a value that is still to be given one."""
    return not open_.isdisjoint(template.names(value))


def _entries(
    tree: Mapping[str, Json],
    document: YamlDocument,
    context: dict[str, Any],
    parts: dict[Path, Any],
) -> list[Diagnostic]:
    problems: list[Diagnostic] = []
    for kind in ("inputs", "outputs"):
        for name, entry in _mapping(tree.get(kind)).items():
            at: Path = (kind, name)
            parts[at], found = _fill(form_at(at), entry, at, document, context)
            problems += found
    return problems


def _artifact(
    id_: str,
    artifact: Json,
    document: YamlDocument,
    context: dict[str, Any],
    parts: dict[Path, Any],
) -> tuple[ArtifactForm | None, list[Diagnostic]]:
    at: Path = ("artifacts", id_)
    if not isinstance(artifact, dict):
        return _fill(ArtifactForm, artifact, at, document, context)
    artifact = _without(artifact, _HOW, context["open"])
    if artifact.get("for_each") is not None:
        context = {**context, "scope": {**context["scope"], "each": template.LATER}}
    form, found = _fill(ArtifactForm, artifact, at, document, context)
    if form is None and (sound := _sound(artifact)):
        form, _ = _fill(ArtifactForm, sound, at, document, context)
    conflicts = together(at, artifact, document)
    form = None if conflicts else form
    found += conflicts
    for part in PARTS & artifact.keys():
        if artifact[part] is not None:
            where = (*at, part)
            parts[where], more = _fill(form_at(where), artifact[part], where, document, context)
            form = form if parts[where] else None
            found += more
    return form, found


def _sound(artifact: Mapping[str, Json]) -> dict[str, Json]:
    """Return what an artifact is made of, to be looked at although something is wrong with it.

    Nothing, if that is not said; inputs alone may lack the process that is misspelt.
    """
    sound = {key: value for key, value in artifact.items() if key in _OF_WHAT and value is not None}
    said = PRODUCERS if "process" in sound else set(PRODUCERS) - {"inputs"}
    return sound if any(key in said for key in sound) else {}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


def _bound(
    tree: Mapping[str, Json], document: YamlDocument, scope: Mapping[str, Json]
) -> tuple[dict[str, Json], list[Diagnostic]]:
    """Put parameters in their places, as far as they have values; texts for people stay."""
    problems: list[Diagnostic] = []

    def put(value: Json, at: Path) -> Json:
        found = list(islice(template.unbound(value, scope), ENOUGH))
        for path, code, message, hint in found:
            problems.append(document.problem(code, message, (*at, *path), hint=hint))
        return value if found else template.bind(value, scope)

    def put_in(entry: Json, at: Path) -> Json:
        if not isinstance(entry, dict):
            return entry
        return {
            key: value
            if key in _AS_WRITTEN
            else (put_in if key == "repeat" else put)(value, (*at, key))
            for key, value in entry.items()
        }

    bound = dict(tree)
    if "config" in tree:
        bound["config"] = put(tree["config"], ("config",))
    for kind in ("outputs", "artifacts"):
        if isinstance(entries := tree.get(kind), dict):
            bound[kind] = {name: put_in(entry, (kind, name)) for name, entry in entries.items()}
    return bound, problems


_AS_WRITTEN = ("name", "description", "contact", "when", "until")
"""Texts for people; and conditions, which name the parameters."""


F = TypeVar("F", bound=Form)


def _fill(
    kind: type[F], value: Json, at: Path, document: YamlDocument, context: dict[str, Any]
) -> tuple[F | None, list[Diagnostic]]:
    try:
        return kind.model_validate(value, context=context), []
    except ValidationError as error:
        if (count := error.error_count()) > ENOUGH:
            message = f"{place(at)} has {count:,} problems"
            return None, [document.problem(RunbookCode.LIMIT, message, at, on="key")]
        open_ = context.get("open", frozenset())
        found = [one for one in error.errors(include_url=False) if not _is_open(one, open_)]
    return None, [problem for one in found for problem in in_words(one, at, document)]


def _is_open(error: Any, open_: AbstractSet[str]) -> bool:
    """Whether it will only be known with the value of a parameter what is wrong, if anything."""
    written, at = error["input"], error["loc"]
    told = isinstance(written, str) or at == ("for_each",)
    return told and error["type"] != "extra_forbidden" and _awaits(written, open_)


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


_OF_WHAT = {
    *PRODUCERS,
    "process",
    "merge",
    "output_schema",
    "when",
    "for_each",
    "repeat",
    "after",
    *PARTS,
}
"""Keys of an artifact that say what it is made of, and when."""
_HOW = {"output", "optional", "retry", "timeout", "pool", "on_error", "cache"}
"""Keys of an artifact without which it can be checked as well."""
