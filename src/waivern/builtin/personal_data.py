"""The processor that finds personal data in files, tables and JSON; it never reports a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationInfo

from waivern.builtin.common_properties import Number, Properties, SourcePath
from waivern.builtin.findings import FindingsReport
from waivern.builtin.findings_shape import shape
from waivern.builtin.rulesets import check_installed, is_path, marks, ruleset
from waivern.detection import (
    FieldUse,
    Match,
    NamedField,
    Ruleset,
    classify,
    field_names,
    load_ruleset,
    mask,
)
from waivern.diagnostics import InvalidError, did_you_mean
from waivern.errors import ComponentError, WaivernError
from waivern.message import ANY_JSON, MAX_DEPTH, Json, SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input


def _unknown_type(name: str, rules: Ruleset) -> str | None:
    if name in rules.types:
        return None
    hint = did_you_mean(name, rules.types) or f"the types are: {', '.join(rules.types)}"
    return f"{name!r} is not a type of the ruleset; {hint}"


def _known_type(name: str, info: ValidationInfo) -> str:
    if info.data.get("ruleset", name) is None and (fault := _unknown_type(name, load_ruleset())):
        raise ValueError(fault)  # a ruleset of the user is checked when it is read
    return name


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

    Content: `{"ruleset": {"name", "version", "digest"}, "summary": {"findings", "by_type",
    "by_category"}, "findings": [...]}`. In files and JSON a value is one finding for each place; in
    tables it is one for each column and type, with the share of cells that hold it. A ruleset of
    one's own has what it adds to beside it, under `extends`.
    """

    name = "personal_data"
    version = "1.0.0"
    accepts = (SchemaRef("file_set"), SchemaRef("database"), ANY_JSON)
    produces = SchemaRef("personal_data_findings")
    repeatable = True

    class Config(Properties):
        """The properties of a search for personal data."""

        ruleset: Annotated[SourcePath, AfterValidator(_known_ruleset)] | None = Field(
            default=None,
            description="Rules of one's own, which add to the shipped ones: a YAML file, relative "
            "to the runbook's folder, or the name of an installed ruleset.",
        )
        min_confidence: Annotated[float, Number, Field(ge=0, le=1)] = Field(
            default=0.5,
            description="Findings below this are left out; each type has a threshold of its own "
            "besides.",
        )
        types: (
            Annotated[tuple[Annotated[str, AfterValidator(_known_type)], ...], Field(min_length=1)]
            | None
        ) = Field(
            default=None,
            description="Types of values to look for; all of the ruleset's if not given.",
        )
        field_names: bool = Field(
            default=True, description="Report fields whose names mean personal data."
        )
        max_locations: Annotated[int, Number, Field(ge=1, le=10_000)] = Field(
            default=20,
            description="At most so many rows of a column are named; `total` says how many there "
            "are.",
        )

    def process(self, inputs: Sequence[Input], config: Config, ctx: Context) -> Json:
        """Return the findings of all inputs, in the order of the inputs and of their content."""
        rules = ruleset(config.ruleset, ctx)
        if fault := next(filter(None, (_unknown_type(t, rules) for t in config.types or ())), None):
            raise ComponentError(fault)
        report = FindingsReport(rules, config)
        for one in inputs:
            _READERS.get(one.schema.name, _json)(one, report, ctx)
        return report.content()

    def describes(
        self,
        config: Config | None,
        inputs: Sequence[Mapping[str, Any]],  # noqa: ARG002
        ctx: Context,
    ) -> Mapping[str, Any]:
        """Return the shape of the findings; without a config, any type is possible."""
        rules = None if config is None else ruleset(config.ruleset, ctx)
        return shape(rules, config)

    def advise(self, config: Config, ctx: Context) -> Iterator[tuple[str, str, str | None]]:
        """Yield the faults of a ruleset file."""
        try:
            ruleset(config.ruleset, ctx)
        except InvalidError as error:
            for each in error.problems:
                yield "ruleset", f"{each.position}: {each.message}", each.hint
        except WaivernError as error:
            yield "ruleset", error.message, error.hint

    def rulesets(self, config: Config, ctx: Context) -> Mapping[str, str]:
        """Return the identity of the shipped ruleset and of the user's own, if there is one.

        Raises what `process` raises if that cannot be used.
        """
        return marks(ruleset(config.ruleset, ctx))


def _files(one: Input, report: FindingsReport, ctx: Context) -> None:
    files = _part(one, "files", _is_file, "an object with the texts 'path' and 'text'")
    for n, file in enumerate(files, 1):
        text, path = file["text"], report.shown(file["path"])
        lines = _Lines(text)
        for match, use in _in_order(report.scan(text), field_names(text, report.rules)):
            start = match.start if match else use.start if use else 0
            line, column = lines.at(start)
            place = {"input": one.key, "file": path, "line": line, "column": column, "start": start}
            if match:
                evidence = mask(match.type, text[match.start : match.end])
                report.value(match, evidence, path, "", [{**place, "end": match.end}], total=1)
            elif use:
                report.field(use.field, use.data, path, [place], total=use.count)
        ctx.read(of=one.key)
        ctx.progress(n, len(files))


def _in_order(
    matches: list[Match], uses: list[FieldUse]
) -> Iterator[tuple[Match | None, FieldUse | None]]:
    both: list[tuple[int, Match | None, FieldUse | None]] = [(m.start, m, None) for m in matches]
    both += [(u.start, None, u) for u in uses]
    for _, match, use in sorted(both, key=lambda item: item[0]):
        yield match, use


class _Lines:
    """The lines and columns, from 1, of offsets that are looked up in ascending order.

    Lines end where they do in other tools: at a '\\r' only if the text has no '\\n'.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = "\n" if "\n" in text else "\r"
        self._at, self._line, self._begin = 0, 1, 0

    def at(self, offset: int) -> tuple[int, int]:
        self._line += self._text.count(self._end, self._at, offset)
        self._begin = self._text.rfind(self._end, self._at, offset) + 1 or self._begin
        self._at = offset
        return self._line, offset - self._begin + 1


def _tables(one: Input, report: FindingsReport, ctx: Context) -> None:
    form = "an object with a 'name', named 'columns' and, in 'rows', a cell for each column"
    tables = _part(one, "tables", _is_table, form)
    for n, table in enumerate(tables, 1):
        name = report.shown(table["name"])
        named = [classify(column["name"], report.rules) for column in table["columns"]]
        certain = any(f is not None and not f.term.weak for f in named)
        hit: set[int] = set()
        for index, column in enumerate(table["columns"]):
            shown = report.shown(column["name"])
            place = {"input": one.key, "table": name, "column": shown}
            field = named[index]
            if field and (certain or not field.term.weak):
                report.field(field, True, name, [place], total=1)
            cells = [row[index] for row in table["rows"]]
            hit |= _column(report, place, column["name"], cells, _numbers(table))
            _count(ctx, f"{name}.{shown}", cells, one.key)
        if table.get("row_count", len(table["rows"])) != len(table["rows"]):
            ctx.found(table["name"], len(hit), of=one.key)
        ctx.progress(n, len(tables))


def _numbers(table: Mapping[str, Json]) -> Sequence[int]:
    """Return the number of each row within its table: of a sample, the positions of its rows."""
    numbers = table.get("row_numbers")
    fits = isinstance(numbers, list) and len(numbers) == len(table["rows"])
    return numbers if fits and numbers is not None else range(len(table["rows"]))


def _count(ctx: Context, column: str, cells: list[Json], of: str) -> None:
    """Count the values of a column; the lengths of BLOBs are values that are not examined."""
    filled = sum(cell is not None for cell in cells)
    binary = sum(isinstance(cell, dict) for cell in cells)
    ctx.read(0 if binary else 1, values=filled - binary, of=of)
    if binary:
        ctx.skipped(column, "binary", values=binary, of=of)


def _column(
    report: FindingsReport,
    place: dict[str, Json],
    column: str,
    cells: list[Json],
    numbers: Sequence[int],
) -> set[int]:
    """Report each type that the cells of a column hold; return the rows that hold any."""
    hits: dict[str, list[tuple[int, Match, str]]] = {}
    filled = [cell for cell in cells if cell is not None]
    for row, cell in enumerate(cells):
        text = _cell_text(cell)
        if text is None:
            continue
        for match in report.scan(text, column):
            evidence = mask(match.type, text[match.start : match.end])
            hits.setdefault(match.type, []).append((row, match, evidence))
    for kind in sorted(hits):
        found = hits[kind]
        rows = sorted({row for row, _, _ in found})
        shown = rows[: report.config.max_locations]
        locations = [{**place, "row": numbers[row]} for row in shown]
        best = max(found, key=lambda hit: (not hit[1].sample, hit[1].confidence, -hit[0]))
        report.value(
            best[1],
            best[2],
            place["table"],
            place["column"],
            locations,
            total=len(rows),
            hit_ratio=round(len(rows) / len(filled), 4),
        )
    return {row for found in hits.values() for row, _, _ in found}


def _cell_text(cell: Json) -> str | None:
    if isinstance(cell, str):
        return cell
    return str(cell) if isinstance(cell, int) and not isinstance(cell, bool) else None


def _json(one: Input, report: FindingsReport, ctx: Context) -> None:
    names: dict[str, tuple[NamedField, str, int]] = {}
    for path, key, value in _walk(one.content, report):
        if value is None:
            field = classify(key, report.rules)
            if field:
                first = names.get(key, (field, path, 0))
                names[key] = (field, first[1], first[2] + 1)
            continue
        for match in report.scan(value, key or None):
            place = {"input": one.key, "path": path, "start": match.start, "end": match.end}
            evidence = mask(match.type, value[match.start : match.end])
            report.value(match, evidence, "", path, [place], total=1)
    certain = any(not field.term.weak for field, _, _ in names.values())
    for field, path, count in names.values():
        if certain or not field.term.weak:
            report.field(field, True, "", [{"input": one.key, "path": path}], total=count)
    ctx.read(of=one.key)


def _walk(content: Json, report: FindingsReport) -> Iterator[tuple[str, str, str | None]]:
    """Yield (path, key, None) for each key and (path, governing key, text) for each value.

    The governing key of a neutral key such as `number` includes the key above it.
    """
    stack: list[tuple[str, str, Json, int]] = [("$", "", content, 0)]
    while stack:
        path, key, value, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ComponentError(
                f"content is nested deeper than {MAX_DEPTH} levels", hint="flatten it first"
            )
        if isinstance(value, dict):
            below = []
            for name, item in value.items():
                inner = f"{path}.{report.shown(name)}"
                yield inner, name, None
                for match in report.scan(name):
                    yield inner, "", name[match.start : match.end]
                parent = key if name.lower() in report.rules.neutral else ""
                below.append((inner, f"{parent} {name}".strip(), item, depth + 1))
            stack += reversed(below)
        elif isinstance(value, list):
            stack += [
                (f"{path}[{n}]", key, value[n], depth + 1) for n in reversed(range(len(value)))
            ]
        elif (text := _cell_text(value)) is not None:
            yield path, key, text


def _part(one: Input, key: str, fits: Callable[[Json], bool], form: str) -> list[Any]:
    """Return the list under `key`. Raises ComponentError if the content violates its schema."""
    part = one.content.get(key) if isinstance(one.content, dict) else None
    if not isinstance(part, list):
        fault = f"has no list {key!r}"
    elif odd := next((n for n, item in enumerate(part, 1) if not fits(item)), None):
        fault = f"number {odd} of its {key!r} is not {form}"
    else:
        return part
    raise ComponentError(
        f"input {one.key!r} is called {one.schema} but {fault}",
        hint="give its connector the schema 'json' if its content has another form",
    )


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


_READERS = {"file_set": _files, "database": _tables}
