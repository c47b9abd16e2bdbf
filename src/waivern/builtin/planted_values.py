"""Planted values: a scan proves in each form of its sources that it finds what it searches for.

    connector ─▶ items, in parts ─┬▶ TextSearch, TableSearch, JsonSearch ─▶ findings of the data
              samples of a form ──┘                                     └─▶ samples that were found

Behind the reader of the connector and in front of the detector, samples of all types join the data,
as an item of their own in the form of the item that is searched: so no place in the data moves.
Their findings are compared with what was planted, and dropped: they are in no content, no count and
no cached result. The samples of a form are planted once in each process of an attempt, for all
scans with the same rules and settings.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from waivern.builtin.findings import DetectionSettings, Detector, MaskLevel, searched_types
from waivern.builtin.json_search import JsonSearch
from waivern.builtin.table_search import TableSearch
from waivern.builtin.text_search import TextSearch
from waivern.detection import PlantedSample, Ruleset, planted_samples
from waivern.detection.planted_samples import NO_LABEL
from waivern.message import Json
from waivern.plugins.context import Context

TEXT, LOG, DELIMITED, JSON_TEXT = "text lines", "log lines", "delimited text", "JSON text"
CELLS, JSON_VALUES = "table cells", "JSON values"

_LOG_LINE = re.compile(
    r"[\[(]?(?:<\d{1,3}>\d? ?)?(?:\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:|[A-Z][a-z]{2} [ \d]?\d \d\d:\d\d:"
    r"|\d{1,3}(?:\.\d{1,3}){3} \S{1,40} \S{1,40} \[)"
)
_NAME = "planted"
USUAL_CONFIDENCE = 0.5
"""The default of `min_confidence`: what only a higher one leaves out is not proven, and no miss."""
_COLUMNS = 12
"""The samples of one table of delimited text."""
Samples = Sequence[PlantedSample]


class _FormResult(NamedTuple):
    """The result in one form of source."""

    planted: int
    missed: Mapping[str, int]
    unproven: tuple[str, ...]


class _Settings(NamedTuple):
    """The settings of the scan, with which each sample is located."""

    min_confidence: float
    types: tuple[str, ...] | None
    exclude_types: tuple[str, ...] = ()
    values: bool = True
    field_names: bool = False
    min_count: int = 1
    max_locations: int = 10_000
    mask: MaskLevel = "full"


class SamplePlanter:
    """The samples of one call: those of a form are planted with its first item."""

    def __init__(self, rules: Ruleset, config: DetectionSettings, ctx: Context) -> None:
        self._rules = rules
        self._settings = _Settings(config.min_confidence, searched_types(rules, config))
        self._ctx = ctx
        self._forms: set[str] = set()

    def plant(self, form: str) -> None:
        """Search for the samples in a form, and report what was found, once in a call."""
        if form in self._forms:
            return
        self._forms.add(form)
        rules, settings = self._rules, self._settings
        key = ("personal_data", "planted", form, rules.name, rules.digest, settings)
        result = self._ctx.once(key, lambda: searched(form, rules, settings))
        self._ctx.planted(form, result.planted, missed=result.missed, unproven=result.unproven)

    def plant_any(self, forms: Iterable[str]) -> None:
        """Plant the first of the forms, unless one of them was planted: all items were known."""
        forms = list(forms)
        if self._forms.isdisjoint(forms):
            self.plant(forms[0])


FILE_FORMS = (TEXT, LOG, DELIMITED, JSON_TEXT)
"""The forms of files, the commonest first."""


def form_of_file(beginning: str, columns: frozenset[str]) -> str:
    """Return the form of a text that begins so; `columns` are the names in its first line."""
    if columns:
        return DELIMITED
    if _LOG_LINE.match(beginning):
        return LOG
    return JSON_TEXT if beginning[:20].lstrip()[:1] in ("{", "[") else TEXT


def searched(form: str, rules: Ruleset, settings: _Settings) -> _FormResult:
    """Search for the samples of all types in one form."""
    samples, without = planted_samples(rules, settings.types)
    search = _SEARCHES[form]
    found = search(Detector(rules, settings), samples)
    missed = [sample for n, sample in enumerate(samples) if n not in found]
    if missed and settings.min_confidence > USUAL_CONFIDENCE:
        usual = settings._replace(min_confidence=USUAL_CONFIDENCE)
        lower = search(Detector(rules, usual), samples) - found
        without += [samples[n].type for n in lower]
        missed = [sample for n, sample in enumerate(samples) if n not in found | lower]
    count = len(samples) - sum(sample.type in without for sample in samples)
    return _FormResult(count, Counter(sample.type for sample in missed), tuple(without))


def _in_text(
    before: Callable[[PlantedSample], str], after: str, written: Callable[[str], str] = str
) -> Callable[[Detector, Samples], set[int]]:
    """Return the search of lines that have each sample, `written` as the form requires."""

    def search(detector: Detector, samples: Samples) -> set[int]:
        text, places = "", {}
        for number, sample in enumerate(samples):
            text += before(sample)
            value = written(sample.value)
            places[sample.type, len(text), len(text) + len(value)] = number
            text += value + after
        return _found_in_text(detector, text, places)

    return search


def _found_in_text(
    detector: Detector, text: str, places: Mapping[tuple[str, int, int], int]
) -> set[int]:
    found = TextSearch(detector, _NAME, _NAME)
    found.add({"text": text})
    seen = (
        (finding["type"], place["start"], place.get("end", 0))
        for finding in found.records()
        for place in finding["locations"]
    )
    return {places[each] for each in seen if each in places}


def _delimited(detector: Detector, samples: Samples) -> set[int]:
    """Search tables of delimited text that have a sample in each column.

    Neighbours in the list are in different tables: the parts of an address explain each other.
    """
    tables = -(-len(samples) // _COLUMNS)
    places, text = {}, ""
    for table in range(tables):
        # those without a label of their own, such as URLs, are last: a URL may look like a label
        numbers = range(table, len(samples), tables)
        row = sorted(numbers, key=lambda number: samples[number].label == NO_LABEL)
        text += "".join(f"{_csv_cell(samples[number].label)}," for number in row)
        text += "end\n"
        for number in row:
            cell = _csv_cell(samples[number].value)
            quote = cell.startswith('"')
            at, end = len(text) + quote, len(text) + len(cell) - quote
            places[samples[number].type, at, end] = number
            text += f"{cell},"
        text += "end\n\n"
    return _found_in_text(detector, text, places)


def _csv_cell(text: str) -> str:
    quoted = any(char in text for char in ',"\n')
    return '"' + text.replace('"', '""') + '"' if quoted else text


def _in_cells(detector: Detector, samples: Samples) -> set[int]:
    """Search tables of one row with a column for each sample; no table has a name twice."""
    tables: list[dict[str, int]] = []
    for number, each in enumerate(samples):
        free = (columns for columns in tables if each.label not in columns)
        if (columns := next(free, None)) is None:
            tables.append(columns := {})
        columns[each.label] = number
    return set().union(*(_found_in_table(detector, samples, columns) for columns in tables))


def _found_in_table(detector: Detector, samples: Samples, columns: Mapping[str, int]) -> set[int]:
    named: list[Json] = [{"name": label} for label in columns]
    table = TableSearch(detector, _NAME, {"name": _NAME, "columns": named})
    table.add({"rows": [[samples[number].value for number in columns.values()]]})
    places = {
        (samples[number].type, detector.shown(label)): number for label, number in columns.items()
    }
    seen = (
        (finding["type"], place["column"])
        for finding in table.records()
        for place in finding["locations"]
        if "row" in place
    )
    return {places[each] for each in seen if each in places}


def _in_json(detector: Detector, samples: Samples) -> set[int]:
    """Search a list of objects with a sample each."""
    values = JsonSearch(detector, _NAME)
    for number, each in enumerate(samples):
        values.add({each.label: each.value}, f"$[{number}]")
    seen = {
        (finding["type"], str(place["path"]).partition("]")[0])
        for finding in values.records()
        for place in finding["locations"]
    }
    return {n for n, each in enumerate(samples) if (each.type, f"$[{n}") in seen}


def _key(sample: PlantedSample) -> str:
    return sample.label.replace(" ", "_")


def _in_quotes(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)[1:-1]


_SEARCHES: dict[str, Callable[[Detector, Samples], set[int]]] = {
    TEXT: _in_text(lambda each: f"{each.label}: ", "\n"),
    LOG: _in_text(lambda each: f"2026-01-01T00:00:00Z INFO app: saved {_key(each)}=", "; done\n"),
    DELIMITED: _delimited,
    JSON_TEXT: _in_text(lambda each: f'{{"{_key(each)}": "', '"}\n', _in_quotes),
    CELLS: _in_cells,
    JSON_VALUES: _in_json,
}
