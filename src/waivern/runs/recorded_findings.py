"""The findings of a recorded run, which every summary, view, comparison and export reads here.

    record ─▶ artifacts of findings ─▶ findings, one by one ─▶ overview

Findings are recognised by the schema of their artifact: `personal_data_findings`, and each other
name that ends with `findings` or `indicator`. An artifact whose findings another one received as
input, as `merge` does, is not read: they would count twice. Nothing is held but counts.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from waivern.errors import IntegrityError, WaivernError
from waivern.message import Json, Message, SchemaRef
from waivern.record.step_record import CONTENT
from waivern.record.wording import redacted
from waivern.runs.recorded_artifacts import ArtifactList, fetched

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.record.step_record import StepRecord
    from waivern.store.base import RunStore

OWN_SCHEMA = "personal_data_findings"
SEVERITIES = ("high", "medium", "low", "info")
HIDDEN = "***"
"""In place of evidence that may be a whole value."""
_NAMES = re.compile(r"(?:^|[_.\-])(?:findings|indicator)$")
_RANDOM = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE
)
"""A UUIDv4, which is another one in each run and identifies nothing."""
_PLACE = ("input", "file", "line", "column", "start", "end", "table", "row", "path", "escapes")
_MOST = 1 << 53
_UUID = 36
"""Characters of a UUID."""


class RecordedFinding(NamedTuple):
    """A finding of a run, with the fields that every reader needs."""

    artifact: str
    """The artifact that it was read from."""
    id: str
    """Its identity, which does not change with the place and the mask of its values."""
    type: str
    category: str
    kind: str
    """`value` or `field_name`."""
    severity: str
    special: bool
    """Whether its category is a special one (Art. 9 or 10 GDPR)."""
    test_data: bool
    system: str
    """The artifact that was searched: a source, as a rule."""
    item: str
    """The file or table; empty for content that has none."""
    field: str
    """The column, key or record path; empty in running text."""
    occurrences: int
    """How often it was found."""
    ruleset: str
    """Name and version of the ruleset; empty if they are not recorded."""
    document: Mapping[str, Json]
    """The finding as it is recorded. Evidence that may be a whole value is hidden in it."""

    @property
    def place(self) -> str:
        """The item, or else the system."""
        return self.item or self.system


class FindingsArtifact(NamedTuple):
    """An artifact of findings, and why it is not read if it is not."""

    artifact: str
    schema: str
    unread: str | None = None
    """Why its findings are not read."""

    def document(self) -> dict[str, Json]:
        """Return the artifact for programs."""
        return {"artifact": self.artifact, "schema": self.schema, "unread": self.unread}


class RunFindings:
    """The findings of one run, read anew from its store each time they are iterated."""

    def __init__(self, store: RunStore, record: RunRecord, *, reveal: bool = False) -> None:
        """Choose the artifacts to read; those of sensitive ones only with `reveal`."""
        self._store, self.record = store, record
        steps = {n: s for n, s in record.steps.items() if has_findings(s)}
        gone = {name for name, step in steps.items() if _destroyed(step)}
        self.included = _included(record, steps, gone)
        """The artifacts of findings that are not read, each with one that received its findings."""
        self.artifacts = tuple(
            FindingsArtifact(name, _schema(step), _hindrance(record, step, reveal))
            for name, step in steps.items()
            if name not in self.included
        )
        """The artifacts of findings that are not part of another one."""

    def __iter__(self) -> Iterator[RecordedFinding]:
        """Yield all findings, by artifact, in their recorded order.

        What cannot be read at all is left out: `unread` names it. Raises IntegrityError at the
        end of an artifact whose records are not those that were recorded.
        """
        for each in self.artifacts:
            if each.artifact not in self.unread:
                yield from self.of(each.artifact)

    @cached_property
    def unread(self) -> dict[str, str]:
        """The artifacts whose findings are not read, with the reason: redacted, missing, altered.

        The records of streams are checked only while they are read.
        """
        found = {}
        for each in self.artifacts:
            if each.unread is not None:
                found[each.artifact] = each.unread
                continue
            try:
                if self.message(each.artifact) is None:
                    found[each.artifact] = "it cannot be read"
            except WaivernError as error:
                found[each.artifact] = error.message
        return found

    def message(self, artifact: str) -> Message | None:
        """Return the message of an artifact. Raises IntegrityError if it is missing or altered."""
        return fetched(self._store, self.record, self.record.steps[artifact])

    def of(self, artifact: str) -> Iterator[RecordedFinding]:
        """Yield the findings of one artifact. Raises IntegrityError, naming it."""
        message = self.message(artifact)
        listed = ArtifactList.of(message) if message else None
        if message is None or listed is None:
            return
        reader = FindingReader(artifact, message.schema.name, message.content, self._systems)
        checked = self.record.steps[artifact].redacted is None
        try:
            for element in listed.elements:
                if isinstance(element, dict):
                    yield reader.finding(element)
        except IntegrityError as error:
            if checked:  # streams without evidence have another digest until a crash is repaired
                run = self.record.metadata.run_id
                named = f"the findings of '{artifact}' in run {run}: {error.message}"
                raise IntegrityError(named, hint=f"`wct runs verify {run}` shows more") from error

    @cached_property
    def _systems(self) -> dict[str, str]:
        """The artifacts behind the names that child runbooks have for their inputs.

        A name that is used for several artifacts is left out.
        """
        found: dict[str, str] = {}
        for name, inputs in self.record.processors.items():
            step = self.record.steps.get(name)
            rows = ((step.completed.identity if step and step.completed else None) or {}).get(
                "inputs"
            )
            if isinstance(rows, list) and len(rows) == len(inputs):
                for row, needed in zip(rows, inputs, strict=True):
                    called = str(row[0]) if isinstance(row, list) and row else needed
                    if found.setdefault(called, needed) != needed:
                        found[called] = called
        return found


def has_findings(step: StepRecord) -> bool:
    """Return whether an artifact is completed and has findings, by its schema."""
    return step.completed is not None and is_findings_schema(SchemaRef.parse(_schema(step)).name)


def is_findings_schema(name: str) -> bool:
    """Return whether content of a schema is read as a list of findings."""
    return _NAMES.search(name) is not None


def _schema(step: StepRecord) -> str:
    return step.completed.schema if step.completed else ""


def _destroyed(step: StepRecord) -> bool:
    return step.redacted is not None and step.redacted.destroyed == CONTENT


def _hindrance(record: RunRecord, step: StepRecord, reveal: bool) -> str | None:
    if step.redacted is not None and _destroyed(step):
        return redacted(step.redacted)
    if step.artifact in record.sensitive and not reveal:
        return "the artifact is sensitive"
    return None


def _included(
    record: RunRecord, findings: Mapping[str, StepRecord], gone: set[str]
) -> dict[str, str]:
    """Return the artifacts of findings that others received, each with one that did."""
    included: dict[str, str] = {}
    for name, step in findings.items():
        if name in gone:
            continue
        # the recorded inputs of a processor also have what only its condition reads
        inputs = record.processors.get(name, step.inputs)
        for needed in inputs:
            if needed in findings and needed != name:
                included.setdefault(needed, name)
    return included


class FindingReader:
    """The reader of the findings of one artifact."""

    def __init__(
        self, artifact: str, schema: str, content: Json, systems: Mapping[str, str] | None = None
    ) -> None:
        """Read the findings of an artifact with this content; `systems` are names of inputs."""
        around = content if isinstance(content, dict) else {}
        self._artifact, self._systems = artifact, systems or {}
        self._own = schema == OWN_SCHEMA
        self._whole = around.get("mask") == "none" or not self._own
        self._ruleset = _ruleset(around.get("ruleset"))

    def finding(self, document: Mapping[str, Json]) -> RecordedFinding:
        """Return a finding from its recorded form, whatever of it is there."""
        get = document.get
        places = get("locations")
        first = places[0] if type(places) is list and places else None
        place: Mapping[str, Json] = first if type(first) is dict else {}
        if not self._own:
            place = {"file": _source(document, get("metadata")), **place}
        category, system = _text(get("category")), _text(place.get("input"))
        count = get("total", get("count", 1))
        rules = get("ruleset")
        found = RecordedFinding(
            self._artifact,
            _text(get("id")),
            _text(get("type")) or category or "unknown",
            category or "unknown",
            _text(get("kind")) or "value",
            _text(get("severity")) or "info",
            get("special_category") is True,
            get("test_data") is True,
            self._systems.get(system, system) or self._artifact,
            _text(place.get("file")) or _text(place.get("table")),
            _text(get("field")),
            count if type(count) is int and 0 <= count < _MOST else 1,
            self._ruleset if rules is None else _ruleset(rules),
            _hidden(document, self._own) if self._whole else document,
        )
        if found.id and not (len(found.id) == _UUID and _RANDOM.fullmatch(found.id)):
            return found
        return found._replace(id=_identity(found))


def _identity(found: RecordedFinding) -> str:
    """Return an identity for a finding that is recorded without one."""
    rule = found.document.get("rule")
    parts = [found.type, found.category, found.item, found.field, found.test_data, rule]
    basis = json.dumps([*parts, found.document.get("canonical", "")], sort_keys=True)
    return hashlib.sha256(basis.encode()).hexdigest()[:32]


def _hidden(document: Mapping[str, Json], own: bool) -> dict[str, Json]:
    """Return a finding whose evidence may be a whole value, without it.

    Which other fields of a component of users hold values is unknown: they are left out.
    """
    left = {key: value for key, value in document.items() if own or key in _PLAIN}
    if document.get("kind") != "field_name" or not own:
        left |= {"evidence": HIDDEN} if "evidence" in document else {}
    places = document.get("locations")
    if isinstance(places, list):
        named = (each for each in places if isinstance(each, dict))
        left["locations"] = [{k: v for k, v in each.items() if k in _PLACE} for each in named]
    return left


_PLAIN = frozenset(
    (
        *("id", "category", "kind", "type", "field", "confidence", "severity", "test_data"),
        *("validators", "terms", "total", "hit_ratio", "special_category", "articles"),
        *("rule", "ruleset"),
    )
)


def _source(document: Mapping[str, Json], metadata: Json) -> str:
    """Return the item of a finding of another component, from the fields that such have."""
    inner = metadata if isinstance(metadata, dict) else {}
    named = chain((document.get(key) for key in ("file", "table", "path")), [inner.get("source")])
    return next((text for each in named if (text := _text(each))), "")


def _ruleset(value: Json) -> str:
    if isinstance(value, dict):
        return " ".join(filter(None, (_text(value.get("name")), _text(value.get("version")))))
    return _text(value)


def _text(value: Json) -> str:
    return value if type(value) is str else ""
