"""The findings that a run is compared with: those of an earlier run, or of a file.

A file is what `wct findings list --json` printed, or an artifact of findings: in CI, the runs of
other machines are not at hand.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from waivern.errors import NotFoundError, RefusedError, UsageError
from waivern.files import open_file
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.runs import queries
from waivern.runs.examined_places import ItemDigests, Place, RenamedItems
from waivern.runs.findings_comparison import (
    ComparableFinding,
    FindingsComparison,
    compare_findings,
)
from waivern.runs.recorded_findings import FindingReader, RunFindings
from waivern.runs.run_references import find
from waivern.store.base import RunStore

DOCUMENT = "wct.findings/1"
MOST_BYTES = 1 << 30


class Baseline(NamedTuple):
    """Earlier findings, which have been found to be readable."""

    name: str
    """The run or the file, as it is named in messages."""
    runbook: str
    """The name of the runbook that found them; empty if that is not recorded."""
    record: RunRecord | None
    """The run; None for a file."""
    listed: tuple[ComparableFinding, ...]
    """The findings of a file."""
    digests: Mapping[Place, str] = {}
    """Those of the items of a file, as far as it has them."""

    def compared(self, store: RunStore, findings: RunFindings) -> FindingsComparison:
        """Compare the findings of a run with the earlier ones. Raises IntegrityError."""
        listed: Iterator[ComparableFinding] = iter(self.listed)
        digests: ItemDigests | Mapping[Place, str] = self.digests
        if self.record is not None:
            listed = map(ComparableFinding.of, RunFindings(store, self.record))
            digests = ItemDigests(store, self.record)
        return compare_findings(
            listed,
            findings,
            lambda _finding: None,
            RenamedItems(digests, ItemDigests(store, findings.record)).names,
        )


def read_baseline(store: RunStore, text: str, folder: str | None = None) -> Baseline:
    """Return the baseline that a text refers to: a run, or else a file.

    Raises NotFoundError, RefusedError if findings of it were redacted, IntegrityError if they are
    missing or altered, UsageError if a file has none.
    """
    if _is_path(text):
        return _of_file(text, folder)
    run_id = find(store, text, folder=folder)
    record = queries.load(store, run_id)
    findings = RunFindings(store, record)
    for each in findings.artifacts:
        if each.unread is not None:
            what = f"the findings of '{each.artifact}' in baseline {run_id}"
            raise RefusedError(
                f"{what} are not known: {each.unread}",
                hint="name another run, or a file that `wct findings list --json` printed",
            )
        findings.message(each.artifact)  # one that is altered is reported before anything runs
    if not findings.artifacts:
        raise RefusedError(
            f"baseline {run_id} has no artifact of findings",
            hint="name a run that has searched; `wct runs` lists the runs",
        )
    return Baseline(f"run {run_id}", record.metadata.runbook_name, record, ())


def _is_path(text: str) -> bool:
    return text.endswith(".json") or (("/" in text or "." in text) and Path(text).is_file())


def _of_file(text: str, folder: str | None) -> Baseline:
    path = Path(folder or ".") / Path(text).expanduser()
    try:
        with open_file(path) as file:
            document = json.loads(file.read(MOST_BYTES))
    except FileNotFoundError as error:
        hint = "`wct findings list RUN --json > FILE` writes one"
        raise NotFoundError(f"there is no baseline {text}", hint=hint) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"baseline {text} cannot be read: {_why(error)}") from error
    content = document if isinstance(document, dict) else {}
    if content.get("schema") == DOCUMENT and isinstance(data := content.get("data"), dict):
        listed = data.get("findings")
        found = tuple(map(_listed, listed)) if isinstance(listed, list) else None
        runbook = str(data.get("runbook") or "")
        digests = _digests(data.get("digests"))
    else:
        found, runbook, digests = _of_artifact(content), "", {}
    if found is None:
        raise UsageError(
            f"baseline {text} has no findings",
            hint="name a file that `wct findings list RUN --json` printed",
        )
    return Baseline(text, runbook, None, found, digests)


def _digests(rows: Json) -> dict[Place, str]:
    """Return the digests of items, which are rows of system, item and digest."""
    found = {}
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, list) and len(row) == 3 and all(isinstance(each, str) for each in row):
            found[row[0], row[1]] = row[2]
    return found


def _why(error: Exception) -> str:
    return getattr(error, "strerror", None) or "it is not JSON"


def _of_artifact(document: Mapping[str, Json]) -> tuple[ComparableFinding, ...] | None:
    content = document.get("content")
    listed = content.get("findings") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        return None
    schema = document.get("schema")
    name = str(schema.get("name")) if isinstance(schema, dict) else ""
    reader = FindingReader(str(document.get("id") or ""), name, content)
    found = (reader.finding(each) for each in listed if isinstance(each, dict))
    return tuple(map(ComparableFinding.of, found))


def _listed(entry: Json) -> ComparableFinding:
    given = entry if isinstance(entry, dict) else {}

    def text(key: str) -> str:
        value = given.get(key)
        return value if isinstance(value, str) else ""

    count = given.get("occurrences")
    return ComparableFinding(
        text("artifact"),
        text("id"),
        text("type"),
        text("category"),
        text("kind"),
        text("severity"),
        given.get("special_category") is True,
        given.get("test_data") is True,
        text("system"),
        text("item"),
        text("field"),
        count if isinstance(count, int) else 1,
        1.0,
        text("place"),
        alike if isinstance(alike := given.get("alike"), int) else 0,
    )
