"""The places that a run examined: whether a finding that it has not would have been found.

"Not found" is evidence only where the run looked. The record of the run, the coverage in its
artifacts and the properties of its detectors say where it did.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

from waivern.errors import WaivernError
from waivern.message import Json, Message
from waivern.record.status import ArtifactStatus
from waivern.record.step_record import StepRecord
from waivern.runs.findings_comparison import ComparableFinding, Names
from waivern.runs.recorded_artifacts import ArtifactList, fetched
from waivern.runs.recorded_findings import RunFindings, has_findings

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore


class ExaminedPlaces:
    """The places that a run examined."""

    def __init__(self, store: RunStore, findings: RunFindings, systems: Container[str]) -> None:
        """Look at the run of `findings`; `systems` are the artifacts of the earlier run."""
        self._store, self._findings, self._systems = store, findings, systems
        self._record = findings.record
        self._gaps: dict[str, _Gaps] = {}

    def unexamined(self, finding: ComparableFinding) -> str | None:
        """Return why the place of a finding was not examined; None if it was."""
        if finding.system not in self._systems:  # a name that several artifacts have
            finding = finding._replace(system=finding.artifact)
        return (
            self._unread(finding)
            or self._unsearched(finding.system)
            or self._gap(finding)
            or self._unwanted(finding)
        )

    def _unread(self, finding: ComparableFinding) -> str | None:
        """Return why the findings of its system cannot be known, though they were searched for."""
        if (why := self._findings.unread.get(finding.artifact)) is not None:
            return f"the findings of '{finding.artifact}' are not known: {why}"
        return None

    def _unsearched(self, system: str) -> str | None:
        step = self._record.steps.get(system)
        if step is None:
            return f"the run has no artifact '{system}'"
        if step.status is not ArtifactStatus.COMPLETED:
            return f"'{system}' {step.status.clause}"
        if self._detectors.get(system):
            return None
        planned = [n for n, inputs in self._record.processors.items() if system in inputs]
        steps = self._record.steps
        for name in planned:
            if name in steps and not steps[name].completed:
                return f"'{name}', which searches '{system}', {steps[name].status.clause}"
        return f"the run does not search '{system}'"

    @cached_property
    def _detectors(self) -> Mapping[str, list[StepRecord]]:
        """The completed artifacts of findings by the artifact that they searched."""
        found: dict[str, list[StepRecord]] = defaultdict(list)
        for step in self._record.steps.values():
            if has_findings(step):
                for needed in self._record.processors.get(step.artifact, step.inputs):
                    found[needed].append(step)
                found[step.artifact].append(step)  # a finding without an input names its own
        return found

    def _gap(self, finding: ComparableFinding) -> str | None:
        """Return why the item was not examined, according to the source or a detector of it."""
        for step in (self._record.steps[finding.system], *self._detectors[finding.system]):
            if step.artifact not in self._gaps:
                self._gaps[step.artifact] = _Gaps(_message(self._store, self._record, step))
            if (why := self._gaps[step.artifact].of(finding)) is not None:
                return why
        return None

    def _unwanted(self, finding: ComparableFinding) -> str | None:
        """Return why no detector of its system would report a finding like it."""
        reasons = []
        for step in self._detectors[finding.system]:
            identity = (step.completed.identity if step.completed else None) or {}
            properties = identity.get("properties")
            why = _excluded(properties, finding) if isinstance(properties, dict) else None
            if why is None:
                return None
            reasons.append(why)
        return reasons[0] if reasons else None


class _Gaps:
    """The items that one artifact did not examine, by name."""

    def __init__(self, message: Message | None) -> None:
        found = message.extensions.get("coverage") if message else None
        coverage: Mapping[str, Json] = found if isinstance(found, dict) else {}
        self._whole: dict[str, str] = {}
        self._folders: list[tuple[str, str]] = []
        for each in _objects(coverage.get("items")):
            name, reason = str(each.get("item", "")), str(each.get("reason", "not examined"))
            self._whole[name] = reason
            if name.endswith("/"):
                self._folders.append((name, reason))
        self._parts: dict[str, str] = {}
        for each in _objects(coverage.get("sampled")):
            read, total = each.get("read"), each.get("total")
            if read != total:
                of = "an unknown number of" if total is None else f"{total:,}"
                self._parts[str(each.get("item"))] = f"only {read:,} of {of} rows were examined"

    def of(self, finding: ComparableFinding) -> str | None:
        """Return why the item of a finding was not examined; None if it was."""
        item, field = finding.item, finding.field
        for name in (item, f"{item}.{field}" if field else item):
            if name in self._whole:
                return f"{name}: {self._whole[name]}"
        for folder, reason in self._folders:
            if item.startswith(folder):
                return f"{folder}: {reason}"
        return f"{item}: {self._parts[item]}" if item in self._parts else None


def _objects(value: Json) -> Iterator[Mapping[str, Json]]:
    yield from (each for each in value if isinstance(each, dict)) if isinstance(value, list) else ()


def _excluded(properties: Mapping[str, Json], finding: ComparableFinding) -> str | None:
    """Return which property of a detector keeps it from reporting a finding."""
    named = finding.kind == "field_name"
    if properties.get("field_names" if named else "values") is False:
        return "names of fields are not searched" if named else "values are not searched"
    if not named:
        types, without = properties.get("types"), properties.get("exclude_types")
        left_out = isinstance(types, list) and finding.type not in types
        if left_out or (isinstance(without, list) and finding.type in without):
            return f"{finding.type} is not searched for"
    least = properties.get("min_confidence")
    if isinstance(least, int | float) and finding.confidence < least:
        return f"its confidence {finding.confidence:g} is below {least:g}"
    count = properties.get("min_count")
    if isinstance(count, int) and finding.occurrences < count:
        return f"fewer than {count:,} occurrences are not reported"
    return None


def _message(store: RunStore, record: RunRecord, step: StepRecord) -> Message | None:
    try:
        return fetched(store, record, step)
    except WaivernError:
        return None


Place: TypeAlias = tuple[str, str]
"""The system and the item of findings."""


class ItemDigests:
    """The digests of the items of a run, which the catalogues of its sources have."""

    def __init__(self, store: RunStore, record: RunRecord) -> None:
        self._store, self._record = store, record

    def of(self, places: Collection[Place]) -> dict[Place, str]:
        """Return the digests of these places; the catalogues are read once."""
        found = {}
        for system in sorted({system for system, _ in places}):
            step = self._record.steps.get(system)
            message = _message(self._store, self._record, step) if step else None
            listed = ArtifactList.of(message) if message else None
            for entry in _objects_of(listed):
                name, digest = entry.get("path", entry.get("name")), entry.get("digest")
                if isinstance(digest, str) and (system, str(name)) in places:
                    found[system, str(name)] = digest
        return found


class RenamedItems:
    """The items of an earlier run that a later one has under another name, by their digests."""

    def __init__(self, earlier: ItemDigests | Mapping[Place, str], later: ItemDigests) -> None:
        self._earlier, self._later = earlier, later

    def names(self, old: Iterable[ComparableFinding], new: Iterable[ComparableFinding]) -> Names:
        """Return the new names of the items of earlier findings."""
        gone = {(each.system, each.item) for each in old if each.item}
        there = {(each.system, each.item) for each in new if each.item}
        if not gone or not there:
            return {}
        earlier = self._earlier
        digests = earlier.of(gone) if isinstance(earlier, ItemDigests) else earlier
        items: dict[str, list[Place]] = defaultdict(list)
        for place, digest in self._later.of(there).items():
            items[digest].append(place)
        return {
            place: items[digest]
            for place, digest in digests.items()
            if place in gone and digest in items
        }


def _objects_of(listed: ArtifactList | None) -> Iterator[Mapping[str, Json]]:
    try:
        for entry in listed.elements if listed else ():
            if isinstance(entry, dict):
                yield entry
    except WaivernError:  # a damaged catalogue has no digests to compare
        return
