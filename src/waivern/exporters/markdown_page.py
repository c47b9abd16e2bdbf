"""The format `markdown`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from pydantic import Field

from waivern.exporters.export_options import ExportOptions
from waivern.exporters.export_texts import coverage_sentence, first_place, state, text
from waivern.exporters.most_severe import MostSevere
from waivern.record.text_forms import clean, clip, counted
from waivern.runs.exporter import ExportedRun
from waivern.runs.findings_overview import FoundCount
from waivern.runs.not_examined import complete, not_examined
from waivern.runs.recorded_findings import RecordedFinding

_SIGNS = re.compile(
    r"[\\`*\[\]<>#|~&@$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|(?<=[hH][tT][tT][pP]):"
    r"|(?<=[hH][tT][tT][pP][sS]):|(?<=[wW]{3})\."
)
"""What Markdown could read as markup, a link or a mention."""
_CELL = 200
PARTS = 100


class MarkdownOptions(ExportOptions):
    """Options of `markdown`."""

    max_findings: int = Field(
        200, ge=0, description="List at most so many findings, the most severe ones."
    )


class MarkdownExporter:
    """A page of Markdown for merge requests and wikis: counts, findings, what was not examined."""

    name = "markdown"
    version = "1.0.0"
    file_name = "waivern.md"
    Config = MarkdownOptions

    def export(self, run: ExportedRun, config: MarkdownOptions, out: IO[bytes]) -> None:
        """Write the page."""
        for line in page(run, config.max_findings):
            out.write(line.encode() + b"\n")


def page(run: ExportedRun, most: int) -> Iterator[str]:
    """Yield the lines of the page, with at most `most` findings."""
    found, metadata = run.overview, run.metadata
    yield f"# {plain(metadata.runbook_name)}: {_headline(run)}"
    yield ""
    yield f"Run `{run.run_id}` of {metadata.started_at} is **{metadata.status}**."
    yield f"Coverage: {plain(coverage_sentence(run))}."
    yield from _unexamined(run)
    if found.types:
        yield from ("", "## What was found", "")
        yield "| category | type | severity | findings | occurrences |"
        yield "|---|---|---|--:|--:|"
        yield from map(_type_row, found.types)
        yield from ("", "## Where most was found", "")
        yield "| item | source | findings | occurrences |"
        yield "|---|---|--:|--:|"
        yield from map(_item_row, found.items)
    if most and run.overview.findings:
        yield from _findings(run, most)
    yield ""
    yield f"Journal head `{run.head or 'none'}`; `wct runs verify {run.run_id}` checks the run."


def plain(words: str) -> str:
    """Return text that Markdown shows as it is: no markup, link, mention or table cell in it."""
    safe = clip(clean(words), _CELL)
    return _SIGNS.sub(lambda match: f"&#{ord(match.group())};", safe)


def _headline(run: ExportedRun) -> str:
    found = run.overview
    if not found.findings:
        whole = complete(run.coverage) and not found.unread
        return "no findings" if whole else "no findings in what was examined"
    special = f", {found.special:,} of special categories" if found.special else ""
    return f"{counted(found.findings, 'finding')}{special}"


def _unexamined(run: ExportedRun) -> Iterator[str]:
    yield from ("", "## What was not examined", "")
    shown = count = 0
    for count, part in enumerate(not_examined(run), 1):
        if count <= PARTS:
            shown += 1
            yield f"- {plain(part.sentence)}{' (excluded on purpose)' if part.on_purpose else ''}"
    if count > shown:
        yield f"- and {count - shown:,} more: `wct export {run.run_id} --export csv` lists them"
    if not count:
        yield "Everything was examined."


def _type_row(each: FoundCount) -> str:
    special = " (special)" if each.special else ""
    cells = f"{plain(each.category)}{special} | {plain(each.name)} | {plain(each.severity)}"
    return f"| {cells} | {each.findings:,} | {each.occurrences:,} |"


def _item_row(each: FoundCount) -> str:
    return (
        f"| {plain(each.name)} | {plain(each.system)} | {each.findings:,} | {each.occurrences:,} |"
    )


def _findings(run: ExportedRun, most: int) -> Iterator[str]:
    chosen = MostSevere(run, most)
    yield from ("", "## Findings", "")
    yield "| severity | type | place | field | evidence | state | occurrences |"
    yield "|---|---|---|---|---|---|--:|"
    for finding in chosen:
        yield _finding_row(run, finding)
    if chosen.left_out:
        yield ""
        yield (
            f"{chosen.left_out:,} of {chosen.total:,} findings are not listed: "
            f"`wct export {run.run_id} --export csv` lists all."
        )


def _finding_row(run: ExportedRun, finding: RecordedFinding) -> str:
    place = first_place(finding)
    where = f"{finding.place}:{place.line}" if place.line else finding.place
    severity = f"{finding.severity}{', test data' if finding.test_data else ''}"
    evidence, said = text(finding, "evidence"), state(run, finding)
    cells = (severity, finding.type, where, finding.field, evidence, said)
    return f"| {' | '.join(map(plain, cells))} | {finding.occurrences:,} |"
