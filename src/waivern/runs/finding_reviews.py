"""The reviewed findings: what people have decided about single findings, in a file of the project.

An `accepted` finding may stay until a date and trips no policy; a `rejected` one must be removed by
a date. The file is YAML, meant to be reviewed and versioned like code; `review_file` writes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from waivern.data_directory import data_directory
from waivern.diagnostics import Diagnostic, InvalidError, did_you_mean, shown
from waivern.files import absolute, current_folder, open_file
from waivern.message import Json
from waivern.runs.findings_comparison import ComparableFinding
from waivern.runs.recorded_findings import RecordedFinding
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.tree import read
from waivern.yamldoc.yaml_events import MAX_BYTES, YamlStop, decode

FILE_NAME = "reviewed-findings.yaml"
"""The file in the data directory that is read unless another one is named."""
ReviewDecision = Literal["accepted", "rejected"]
_DECISIONS = get_args(ReviewDecision)
_REQUIRED = ("id", "decision", "reason", "owner", "until")
_OPTIONAL = ("system", "about")
LONGEST = 2_000
"""The characters that a text in the file has at most."""


class FindingReview(NamedTuple):
    """The decision of a person about one finding."""

    id: str
    """The whole identity of the finding."""
    decision: ReviewDecision
    reason: str
    owner: str
    """Who answers for the decision."""
    until: date
    """The last day on which it holds."""
    system: str | None = None
    """The artifact that has the finding; None: any."""
    about: str | None = None
    """A description of the finding, for readers."""

    def document(self) -> dict[str, Json]:
        """Return the review for programs, in the order of the file."""
        found: dict[str, Json] = {"id": self.id, "decision": self.decision}
        found |= {"reason": self.reason, "owner": self.owner, "until": self.until.isoformat()}
        found |= {"system": self.system} if self.system is not None else {}
        return found | ({"about": self.about} if self.about is not None else {})


class FindingReviews:
    """The reviews of a file, matched against findings; it remembers which have matched."""

    def __init__(self, path: str | None, reviews: Iterable[FindingReview], today: date) -> None:
        self.path = path
        self.reviews = tuple(reviews)
        self.today = today
        self._by_id: dict[str, list[FindingReview]] = {}
        for each in self.reviews:
            self._by_id.setdefault(each.id, []).append(each)
        self._matched: set[FindingReview] = set()

    def of(self, finding: RecordedFinding | ComparableFinding) -> FindingReview | None:
        """Return the review of a finding, whether it has expired or not; None if it has none."""
        fitting = [r for r in self._by_id.get(finding.id, ()) if r.system in (None, finding.system)]
        if not fitting:
            return None
        found = next((each for each in fitting if each.system is not None), fitting[0])
        self._matched.add(found)
        return found

    def suppresses(self, finding: RecordedFinding | ComparableFinding) -> bool:
        """Return whether a finding is accepted today."""
        review = self.of(finding)
        return review is not None and review.decision == "accepted" and self.holds(review)

    def holds(self, review: FindingReview) -> bool:
        """Return whether the last day of a review is not over."""
        return review.until >= self.today

    def notes(self) -> Iterator[str]:
        """Yield what a person must know of the reviews after all findings were looked up."""
        for each in self.reviews:
            what = f"{each.id[:8]} ({each.about})" if each.about else each.id[:8]
            if each not in self._matched:
                yield f"{self.path}: the review of {what} matches no finding: remove it"
            elif not self.holds(each) and each.decision == "accepted":
                yield (
                    f"{self.path}: the acceptance of {what} by {each.owner} has expired on"
                    f" {each.until}"
                )
            elif not self.holds(each):
                yield (
                    f"{self.path}: finding {what} was to be removed by {each.until}; owner:"
                    f" {each.owner}"
                )


def reviews_path(typed: str | None, folder: str | None = None) -> str | None:
    """Return the path of the file of reviews: the typed one, else that of the data directory.

    Returns None if none is typed and there is none.
    """
    if typed is not None:
        return typed
    found = Path(data_directory(folder or current_folder())) / FILE_NAME
    return str(found) if found.is_file() else None


def read_reviews(path: str | None, today: date) -> FindingReviews:
    """Return the reviews in a file; none without a path.

    Raises InvalidError with all that is wrong in it, with the positions.
    """
    if path is None:
        return FindingReviews(None, (), today)
    try:
        with open_file(path) as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        message = f"cannot read {shown(path)}: {why}"
        hint = "`wct findings accept` writes such a file"
        raise InvalidError([Diagnostic(RunbookCode.UNREADABLE, message, hint=hint)]) from error
    return FindingReviews(path, parse_reviews(data, path), today)


def parse_reviews(data: bytes, path: str) -> list[FindingReview]:
    """Return the reviews in the bytes of a file. Raises InvalidError with all problems."""
    document = YamlDocument(path, Path(absolute(path)).parent, data)
    try:
        tree, faults = read(decode(data))
    except YamlStop as stop:
        raise InvalidError([document.locate(stop.problem)]) from stop
    problems = [document.locate(each) for each in faults]
    reader = _ReviewReader(document, problems)
    found = reader.reviews(tree)
    if problems:
        raise InvalidError(problems)
    return found


class _ReviewReader:
    """The checks of the form of the file; problems are collected."""

    def __init__(self, document: YamlDocument, problems: list[Diagnostic]) -> None:
        self._document, self._problems = document, problems

    def _report(
        self, code: str, message: str, *path: str | int, hint: str | None = None, key: bool = False
    ) -> None:
        on: Literal["key", "value"] = "key" if key else "value"
        self._problems.append(self._document.problem(code, message, path, on=on, hint=hint))

    def reviews(self, tree: Json) -> list[FindingReview]:
        if tree is None:
            return []
        if not isinstance(tree, dict):
            self._report(RunbookCode.TYPE, "the file must be a mapping with 'findings'")
            return []
        for key in tree:
            if key != "findings":
                hint = did_you_mean(key, ["findings"]) or "the only key is 'findings'"
                self._report(
                    RunbookCode.UNKNOWN_KEY, f"unknown key '{key}'", key, hint=hint, key=True
                )
        entries = tree.get("findings")
        if not isinstance(entries, list | None):
            self._report(RunbookCode.TYPE, "'findings' must be a list", "findings")
            return []
        found = [self._review(each, n) for n, each in enumerate(entries or ())]
        seen: dict[tuple[str, str | None], int] = {}
        for number, each in enumerate(found):
            if each and (first := seen.setdefault((each.id, each.system), number)) != number:
                message = f"finding '{each.id}' is reviewed twice, first in entry {first + 1}"
                self._report(RunbookCode.CONFLICT, message, "findings", number, "id")
        return [each for each in found if each is not None]

    def _review(self, entry: Json, number: int) -> FindingReview | None:
        at = ("findings", number)
        if not isinstance(entry, dict):
            self._report(RunbookCode.TYPE, "a review must be a mapping", *at)
            return None
        before = len(self._problems)
        for key in entry:
            if key not in (*_REQUIRED, *_OPTIONAL):
                hint = did_you_mean(key, [*_REQUIRED, *_OPTIONAL])
                message = f"unknown key '{key}' in a review"
                self._report(RunbookCode.UNKNOWN_KEY, message, *at, key, hint=hint, key=True)
        for key in _REQUIRED:
            if entry.get(key) in (None, ""):
                self._report(
                    RunbookCode.MISSING, f"the review has no '{key}'", *at, hint=_HINTS[key]
                )
        for key, value in entry.items():
            if key in (*_REQUIRED, *_OPTIONAL) and value not in (None, ""):
                self._check(key, value, at)
        if len(self._problems) > before:
            return None
        until = date.fromisoformat(entry["until"])
        return FindingReview(
            entry["id"],
            entry["decision"],
            entry["reason"],
            entry["owner"],
            until,
            entry.get("system") or None,
            entry.get("about") or None,
        )

    def _check(self, key: str, value: Json, at: tuple[str, int]) -> None:
        if not isinstance(value, str):
            message = f"'{key}' must be text"
            self._report(RunbookCode.TYPE, message, *at, key, hint="put it in quotes")
        elif len(value) > LONGEST:
            message = f"'{key}' has more than {LONGEST:,} characters"
            self._report(RunbookCode.LIMIT, message, *at, key)
        elif key == "decision" and value not in _DECISIONS:
            message = "'decision' can only be accepted or rejected"
            hint = did_you_mean(value, _DECISIONS)
            self._report(RunbookCode.VALUE, message, *at, key, hint=hint)
        elif key == "until" and not _is_date(value):
            message = "'until' must be a date"
            self._report(RunbookCode.VALUE, message, *at, key, hint=_HINTS[key])


_HINTS = {
    "id": "`wct findings list` shows the ids",
    "decision": "write `accepted` or `rejected`",
    "reason": "write why",
    "owner": "write who answers for it",
    "until": "write the last day on which it holds, as 2027-03-31",
}


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def reviews_schema() -> Mapping[str, Json]:
    """Return the JSON Schema of the file, for editors."""
    text: dict[str, Json] = {"type": "string", "minLength": 1, "maxLength": LONGEST}
    properties: dict[str, Json] = {
        "id": {**text, "description": "the whole id, as `wct findings list --json` shows it"},
        "decision": {
            "enum": list(_DECISIONS),
            "description": "accepted: it may stay; rejected: it must be removed",
        },
        "reason": {**text, "description": "why it was decided so"},
        "owner": {**text, "description": "who answers for the decision"},
        "until": {**text, "format": "date", "description": "the last day on which it holds"},
        "system": {**text, "description": "the artifact that has the finding; default: any"},
        "about": {**text, "description": "what the finding is, for readers"},
    }
    entry = {
        "type": "object",
        "properties": properties,
        "required": list(_REQUIRED),
        "additionalProperties": False,
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Reviewed findings",
        "type": "object",
        "properties": {"findings": {"type": ["array", "null"], "items": entry}},
        "additionalProperties": False,
    }
