"""The processor that finds personal data in files, tables and JSON; it never reports a value."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from waivern.builtin.common_properties import Number, Properties, SourcePath
from waivern.builtin.findings import Detector, FindingsSummary, MaskLevel, rules_document
from waivern.builtin.findings_shape import shape
from waivern.builtin.json_search import JsonSearch
from waivern.builtin.name_model import (
    NameModelProperties,
    classifier,
    model_reader,
    report_unread,
)
from waivern.builtin.planted_values import (
    CELLS,
    FILE_FORMS,
    JSON_VALUES,
    USUAL_CONFIDENCE,
    SamplePlanter,
    form_of_file,
)
from waivern.builtin.rulesets import check_installed, is_path, marks, ruleset
from waivern.builtin.table_search import TableSearch
from waivern.builtin.text_search import TextSearch
from waivern.detection import Ruleset, load_ruleset
from waivern.diagnostics import InvalidError, did_you_mean
from waivern.errors import ComponentError, WaivernError
from waivern.message import ANY_JSON, Json, SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input, InputItem


def _unknown_type(name: str, rules: Ruleset) -> str | None:
    if name in rules.types or name in rules.optional:
        return None
    hint = did_you_mean(name, rules.types) or f"the types are: {', '.join(rules.types)}"
    return f"{name!r} is not a type of the ruleset; {hint}"


def _known_type(name: str, info: ValidationInfo) -> str:
    if info.data.get("ruleset", name) is None and (fault := _unknown_type(name, load_ruleset())):
        raise ValueError(fault)  # a ruleset of the user is checked when it is read
    return name


def _rules(config: PersonalData.Config, ctx: Context) -> Ruleset:
    """Return the ruleset with the optional types that are searched for."""
    return ruleset(config.ruleset, ctx).naming(config.types or ())


def _known_ruleset(name: str) -> str:
    """Refuse a name that is neither a path nor installed; a file is checked when it is read."""
    if not is_path(name):
        try:
            check_installed(name)
        except ComponentError as error:
            raise ValueError(f"{error.message}; {error.hint}") from error
    return name


class PersonalData:
    """Finds personal data: values in texts and tables, and names of fields.

    Content: `{"ruleset": {"name", "version", "digest"}, "summary": {"findings", "occurrences",
    "by_type", "by_category"}, "findings": [...]}`. The occurrences of values of one type in one
    file, column or record path are one finding if they have the same canonical mask, such as the
    country of a phone number: `total` counts them, `locations` names the first ones. Columns of
    tables have the share of cells that hold such a value. Under `extends`, your own ruleset has
    the rules that it adds to.
    """

    name = "personal_data"
    version = "2.1.0"
    accepts = (SchemaRef("file_set"), SchemaRef("database"), ANY_JSON)
    produces = SchemaRef("personal_data_findings")
    repeatable = True
    computes = True
    reads_streams = True
    streams = "findings"

    class Config(Properties):
        """The properties of a search for personal data."""

        ruleset: Annotated[SourcePath, AfterValidator(_known_ruleset)] | None = Field(
            default=None,
            description="Your own rules, which add to the shipped ones: a YAML file, relative "
            "to the runbook's folder, or the name of an installed ruleset.",
        )
        min_confidence: Annotated[float, Number, Field(ge=0, le=1)] = Field(
            default=USUAL_CONFIDENCE,
            description="Findings with a lower confidence are left out; each type also has a "
            "threshold of its own.",
        )
        types: (
            Annotated[tuple[Annotated[str, AfterValidator(_known_type)], ...], Field(min_length=1)]
            | None
        ) = Field(
            default=None,
            description="Types of values to search for; default: all types of the ruleset. "
            "DATE_TIME, URL, PH_MOBILE_NUMBER and TR_PHONE_NUMBER are optional: they are found "
            "only if they are named here or in a ruleset of yours.",
        )
        exclude_types: tuple[Annotated[str, AfterValidator(_known_type)], ...] = Field(
            default=(), description="Types of values not to search for."
        )
        values: bool = Field(
            default=True, description="Search for values; without them, only names of fields."
        )
        field_names: bool = Field(
            default=True, description="Report fields whose names indicate personal data."
        )
        min_count: Annotated[int, Number, Field(ge=1)] = Field(
            default=1, description="Leave out findings that have fewer occurrences in their item."
        )
        mask: MaskLevel = Field(
            default="partial",
            description="How a finding shows a value: `partial` shows a few characters, of a value "
            "with a check digit at most two; `full` shows nothing; `none` stores the whole value, "
            "so that the artifact holds source content and is not cached.",
        )
        max_locations: Annotated[int, Number, Field(ge=1, le=10_000)] = Field(
            default=20,
            description="The maximum number of occurrences of a finding that are located; fewer in "
            "a file of many findings. `total` is the number of all occurrences.",
        )
        ner: NameModelProperties | None = Field(
            default=None,
            description="A model that reads sentences for names and addresses, with the extra "
            "`ner`: `model` is the folder of an ONNX token classifier, `budget_s` (60) the seconds "
            "that it may read. Default: none.",
        )

        @model_validator(mode="after")
        def _searches(self) -> Self:
            if not (self.values or self.field_names):
                raise ValueError("nothing is searched for: set `values` or `field_names`")
            if not self.values and (self.types or self.exclude_types):
                raise ValueError("`types` and `exclude_types` choose values, and `values` is false")
            if self.types and not {*self.types} - {*self.exclude_types}:
                raise ValueError("`exclude_types` leaves none of the `types`")
            return self

    def process(
        self, inputs: Sequence[Input], config: Config, ctx: Context
    ) -> Generator[Json, None, Json]:
        """Yield the findings of all inputs, in the order of the inputs and of their content.

        Return the rest of the content, whose counts are those of what was yielded.
        """
        rules = _rules(config, ctx)
        chosen = (*(config.types or ()), *config.exclude_types)
        if fault := next(filter(None, (_unknown_type(t, rules) for t in chosen)), None):
            raise ComponentError(fault)
        if config.mask == "none":
            ctx.holds_source = True
        detector = Detector(rules, config, model_reader(config.ner, ctx))
        summary = FindingsSummary()
        planted = SamplePlanter(rules, config, ctx)
        for one in inputs:
            for finding in _SEARCHES.get(one.schema.name, _json)(one, detector, planted, ctx):
                summary.add(finding)
                yield finding
        content: dict[str, Json] = {"ruleset": rules_document(rules)}
        content |= {} if config.mask == "partial" else {"mask": config.mask}
        return {**content, "summary": summary.document()}

    def describes(
        self,
        config: Config | None,
        inputs: Sequence[Mapping[str, Any]],  # noqa: ARG002
        ctx: Context,
    ) -> Mapping[str, Any]:
        """Return the shape of the findings; without a config, any type is possible."""
        rules = None if config is None else _rules(config, ctx)
        return shape(rules, config)

    def advise(self, config: Config, ctx: Context) -> Iterator[tuple[str, str, str | None]]:
        """Yield the faults of a ruleset file, and what the run would store."""
        if config.mask == "none":
            hint = "`wct inspect RUN/SOURCE --show ITEM` shows them where they are"
            yield "mask", "the run stores whole values of personal data", hint
        try:
            ruleset(config.ruleset, ctx)
        except InvalidError as error:
            for each in error.problems:
                yield "ruleset", f"{each.position}: {each.message}", each.hint
        except WaivernError as error:
            yield "ruleset", error.message, error.hint

    def rulesets(self, config: Config, ctx: Context) -> Mapping[str, str]:
        """Return the identity of the shipped ruleset, the user's own, and the name model.

        Raises what `process` raises if one of them cannot be used; for unmasked values, which no
        cached result may carry into another run, always.
        """
        if config.mask == "none":
            raise ComponentError("findings with unmasked values are not cached")
        found = marks(ruleset(config.ruleset, ctx))
        if config.ner is None:
            return found
        return found | {"name model": f"sha256:{classifier(config.ner, ctx).digest}"}


def _files(one: Input, detector: Detector, planted: SamplePlanter, ctx: Context) -> Iterator[Json]:
    form = "an object with the texts 'path' and 'text'"

    def search(item: InputItem) -> Iterable[Json]:
        found, part = None, None
        for part in item.read():
            first, found = found is None, found or TextSearch(detector, one.key, part["path"])
            found.add(part)
            if first:
                planted.plant(form_of_file(part["text"][:200], found.columns))
        if found is None or part is None:
            return ()
        if not part.get("more"):
            ctx.read(size=item.size or None, of=one.key)
        return found.records()

    yield from _each(one, ctx, detector, search, "files", _is_file, form)
    planted.plant_any(FILE_FORMS)


def _tables(one: Input, detector: Detector, planted: SamplePlanter, ctx: Context) -> Iterator[Json]:
    form = "an object with a 'name', named 'columns' and, in 'rows', a cell for each column"

    def search(item: InputItem) -> Iterable[Json]:
        found = None
        for part in item.read():
            found = found or TableSearch(detector, one.key, part)
            found.add(part)
        if found is None:
            return ()
        planted.plant(CELLS)
        found.report(ctx)
        return found.records()

    yield from _each(one, ctx, detector, search, "tables", _is_table, form)
    planted.plant(CELLS)


def _each(
    one: Input,
    ctx: Context,
    detector: Detector,
    search: Callable[[InputItem], Iterable[Json]],
    name: str,
    fits: Callable[[Json], bool],
    form: str,
) -> Iterator[Json]:
    """Yield the findings of each item of the list `name`.

    Raises ComponentError if the content violates its schema.
    """
    if one.count(name) is None:
        raise _violation(one, f"has no list {name!r}")

    def checked(number: int, item: InputItem) -> Iterator[Json]:
        for part in item.read():
            if not fits(part):
                raise _violation(one, f"number {number} of its {name!r} is not {form}")
            yield part

    items = (
        InputItem(item.name, item.digest, item.listed, partial(checked, number, item), one.key)
        for number, item in enumerate(one.items(name), 1)
    )

    def searched(item: InputItem) -> Iterable[Json]:
        found = search(item)
        report_unread(detector.model, detector.shown(item.name), ctx)
        return found

    for findings in ctx.each_item(items, searched):
        yield from findings


def _violation(one: Input, fault: str) -> ComponentError:
    return ComponentError(
        f"input {one.key!r} is called {one.schema} but {fault}",
        hint="give its connector the schema 'json' if its content has another form",
    )


def _json(one: Input, detector: Detector, planted: SamplePlanter, ctx: Context) -> Iterator[Json]:
    found = JsonSearch(detector, one.key)
    found.add(one.rest)
    for name in one.unread:
        total, shown = one.count(name), detector.shown(name)
        for number, record in enumerate(one.each(name)):
            found.add(record, f"$.{shown}[{number}]")
            if number % _OFTEN == 0:
                ctx.progress(number, total)
    planted.plant(JSON_VALUES)
    ctx.read(of=one.key)
    report_unread(detector.model, one.key, ctx)
    yield from found.records()


def _is_file(item: Json) -> bool:
    return _has_text(item, "path") and _has_text(item, "text")


def _is_table(item: Json) -> bool:
    if not _has_text(item, "name"):
        return False
    columns, rows = item.get("columns"), item.get("rows")
    return (
        isinstance(columns, list)
        and isinstance(rows, list)
        and all(_has_text(column, "name") for column in columns)
        and all(isinstance(row, list) and len(row) == len(columns) for row in rows)
    )


def _has_text(item: Json, key: str) -> bool:
    return isinstance(item, dict) and isinstance(item.get(key), str)


_OFTEN = 1_000
"""Of so many records, one reports the progress."""
_SEARCHES = {"file_set": _files, "database": _tables}
