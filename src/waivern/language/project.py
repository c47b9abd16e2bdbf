"""Models of the project file `waivern.yaml`: the settings of all runbooks below its folder.

It is read like a runbook, with all problems reported at once. A key without a value has its
default.
"""

from collections.abc import Collection, Mapping
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from waivern.diagnostics import Diagnostic, InvalidError, Position
from waivern.files import absolute
from waivern.language import template
from waivern.language.age import FORMS, parse_age
from waivern.language.artifact_spec import Keep, OnChange, OnError
from waivern.language.field_types import refusal
from waivern.language.keys import Key, Model, NotAKey, Words, keys
from waivern.language.project_file import below, path_fault, read_bytes, read_tree
from waivern.language.store_url import backend_of, fault, store_url
from waivern.language.validation_messages import in_words
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.yaml_events import ENOUGH

Backend: TypeAlias = Literal[
    "filesystem", "sqlite", "memory", "postgres", "s3", "gcs", "azure", "http"
]


class WrittenTree(dict[str, Json]):
    """The values of a file as they are written."""


def _plain_text(value: Json) -> Json:
    if fault := path_fault(value):
        raise refusal(((), *fault))
    return value


def _absolute(path: str, info: ValidationInfo) -> str:
    return below(info.context["document"], path) if info.context else path


def _age(value: Json) -> Json:
    if not isinstance(value, str) or parse_age(value) is None:
        raise refusal(((), RunbookCode.VALUE, "{} must be an age", f"as {FORMS}"))
    return value


def _statuses(value: Json, info: ValidationInfo) -> Json:
    """Return a tuple of statuses, each one that a run can have; one needs no list."""
    if info.context is None:
        return value
    known: Collection[str] = info.context["statuses"]
    wrong = f"{{}} can only be {', '.join(known)}"
    items = value if isinstance(value, list) else [value]
    details = []
    for number, item in enumerate(items):
        fault = path_fault(item) or (None if item in known else (RunbookCode.VALUE, wrong, None))
        if fault:
            details.append(((number,) if isinstance(value, list) else (), *fault))
    if details:
        raise refusal(*details)
    return tuple(items)


def _paths(value: Json, info: ValidationInfo) -> Json:
    if info.context is None:
        return value
    if not isinstance(value, list):
        raise refusal(((), RunbookCode.TYPE, "{} must be a list", None))
    if details := [((n,), *fault) for n, path in enumerate(value) if (fault := path_fault(path))]:
        raise refusal(*details)
    return tuple(_absolute(path, info) for path in value)


def _components(value: Json) -> Json:
    """Check the form of variables; whether one is set matters where it is used."""
    if not isinstance(value, dict):
        hint = "of components to their properties"
        raise refusal(((), RunbookCode.TYPE, "{} must be a mapping", hint))
    details: list[Any] = []
    for name, properties in value.items():
        if not isinstance(properties, dict | None):
            hint = "of properties to their values"
            details.append(((name,), RunbookCode.TYPE, "{} must be a mapping", hint))
        for path, code, message, hint in template.faults(properties, {}):
            if code is RunbookCode.VARIABLE_SYNTAX:
                details.append(((name, *path), code, message, hint))
    if details:
        raise refusal(*details[:ENOUGH])
    return {name: properties or {} for name, properties in value.items()}


class Persistence(Model):
    """`persistence`: whether and where runs are stored."""

    enabled: Annotated[bool, Key("whether runs are stored")] = True
    backend: Annotated[
        Backend | None, Key("the kind of the store", default="that of `url`, else `filesystem`")
    ] = None
    path: Annotated[
        Annotated[str, BeforeValidator(_plain_text), AfterValidator(_absolute)] | None,
        Key(
            "the folder of the store, or the file of an SQLite database",
            type="path",
            default="`.waivern`, `.waivern/runs.db`",
        ),
    ] = None
    """Absolute."""
    url: Annotated[
        Annotated[str, BeforeValidator(_plain_text)] | None,
        Key("the URL of a store elsewhere, without a password", type="URL"),
    ] = None
    persist_step_snapshots: Annotated[
        bool, Key("accepted and without effect: every artifact is stored, and is the snapshot")
    ] = False

    @model_validator(mode="after")
    def _one_store(self) -> Self:
        if found := fault(self.backend, self.path, self.url):
            raise refusal(found)
        return self

    @property
    def kind(self) -> str:
        """The name of the backend; of one that is not shipped, the scheme of its URL."""
        return self.backend or (backend_of(self.url) if self.url else "filesystem")

    @property
    def recorded(self) -> bool:
        """Whether runs are stored where another process finds them."""
        return self.enabled and self.kind != "memory"

    def store(self, folder: str) -> str | None:
        """Return the path or URL of the store; None if the file chooses none.

        `folder` is the data directory, that of the file.
        """
        return store_url(folder, self.backend, self.path, self.url)


class Retention(Model):
    """`retention`: the defaults of `wct runs prune`."""

    keep_last: Annotated[
        Annotated[int, Field(ge=0)] | None, Key("how many runs of each runbook are retained")
    ] = None
    older_than: Annotated[
        Annotated[str, BeforeValidator(_age), Words("age")] | None,
        Key("only runs older than this are removed"),
    ] = None
    """As `parse_age` reads it."""
    status: Annotated[
        tuple[str, ...],
        BeforeValidator(_statuses, json_schema_input_type=str | list[str]),
        Key("only runs with one of these statuses are removed", type="name or list"),
    ] = ()
    keep_failed: Annotated[bool, Key("whether failed runs are retained")] = False
    content: Annotated[
        Annotated[str, BeforeValidator(_age), Words("age")] | None,
        Key("source content and evidence of runs older than this are destroyed"),
    ] = None
    """As `parse_age` reads it."""


class Project(Model):
    """A whole project file; None leaves a setting to its default."""

    document: Annotated[YamlDocument, NotAKey(YamlDocument)]
    tree: Annotated[WrittenTree, NotAKey(WrittenTree)] = Field(repr=False)
    """The file as written."""
    persistence: Annotated[
        Persistence, Key("whether and where runs are stored", default="empty")
    ] = Field(default_factory=Persistence)
    max_concurrency: Annotated[
        Annotated[int, Field(ge=1)] | None, Key("for runbooks without their own", default="8")
    ] = None
    executor: Annotated[
        Annotated[str, BeforeValidator(_plain_text)] | None,
        Key(
            "where components run: `threads`, `processes`, `auto` or an installed executor",
            type="name",
            default="`auto`",
        ),
    ] = None
    retention: Annotated[Retention, Key("the defaults of `wct runs prune`", default="empty")] = (
        Field(default_factory=Retention)
    )
    components: Annotated[
        dict[str, Any],
        BeforeValidator(_components),
        Key("component to properties, over which a runbook's own are laid"),
    ] = Field(default={}, repr=False)
    """As written."""
    component_paths: Annotated[
        tuple[str, ...],
        BeforeValidator(_paths, json_schema_input_type=list[str]),
        Key("folders of modules, each of which declares a component", type="list of folders"),
    ] = ()
    """Absolute."""
    cache: Annotated[bool | None, Key("for runbooks without their own", default="by component")] = (
        None
    )
    on_error: Annotated[OnError | None, Key("for runbooks without their own", default="`skip`")] = (
        None
    )
    keep: Annotated[Keep | None, Key("for runbooks without their own", default="by connector")] = (
        None
    )
    on_change: Annotated[
        OnChange | None, Key("for runbooks without their own", default="`skip`")
    ] = None

    def position(self, *at: str) -> Position | None:
        """Return the position of the key at `at`; None if the file does not have it."""
        value: Json = self.tree
        for key in at:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            return None
        return self.document.problem(RunbookCode.VALUE, "", at, on="key").position


def load(path: str, statuses: Collection[str], *, called: str | None = None) -> Project:
    """Return the project in a file; `statuses` are those that a run can have.

    Problems name the file as `called`. Raises InvalidError if it cannot be read, or with all
    problems in it.
    """
    called = called or path
    folder = Path(absolute(path)).parent
    return parse(read_bytes(path, called), path=called, folder=folder, statuses=statuses)


def parse(data: bytes, *, path: str, folder: Path, statuses: Collection[str]) -> Project:
    """Return the project in `data`, the bytes of the file at `path` in `folder`.

    Raises InvalidError with all problems.
    """
    document = YamlDocument(path, folder, data)
    tree, faults = read_tree(data)
    problems = [document.locate(fault) for fault in faults]
    project, found = _read(document, tree, statuses)
    reported = {problem.position for problem in problems}
    problems += [problem for problem in found if problem.position not in reported]
    if project is None or problems:
        raise InvalidError(problems)
    return project


def _read(
    document: YamlDocument, tree: dict[str, Json], statuses: Collection[str]
) -> tuple[Project | None, list[Diagnostic]]:
    written = _with_values(Project, tree)
    for name, model in (("persistence", Persistence), ("retention", Retention)):
        if isinstance(section := written.get(name), dict):
            written[name] = _with_values(model, section)
    context = {"document": document, "statuses": statuses}
    own = {"document": document, "tree": WrittenTree(tree)}
    try:
        return Project.model_validate({**own, **written}, context=context), []
    except ValidationError as error:
        errors = islice(error.errors(include_url=False), ENOUGH)
        found = (each for one in errors for each in in_words(one, (), document, Project))
        return None, list(islice(found, ENOUGH))


def _with_values(model: type[Model], written: Mapping[str, Json]) -> dict[str, Json]:
    """Leave out the keys without a value: they have their default."""
    known = keys(model)
    return {key: value for key, value in written.items() if value is not None or key not in known}
