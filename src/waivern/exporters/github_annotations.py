"""The format `github`: annotations and the summary of a step of GitHub Actions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO

from pydantic import Field

from waivern.errors import StoreError
from waivern.exporters.export_options import ExportOptions
from waivern.exporters.export_texts import coverage_sentence, first_place, message, rule, state
from waivern.exporters.markdown_page import page
from waivern.exporters.most_severe import MostSevere
from waivern.exporters.source_paths import SourcePaths
from waivern.record.text_forms import clean, clip
from waivern.runs.exporter import ExportedRun
from waivern.runs.not_examined import not_examined
from waivern.runs.recorded_findings import RecordedFinding

STEP_LIMIT = 10
"""The annotations of a level that GitHub shows of one step."""
SUMMARY_BYTES = 1_000_000
"""GitHub shows no summary of a step that is larger than 1 MiB."""
_LINE = 2000


class GithubOptions(ExportOptions):
    """Options of `github`."""

    root: str | None = Field(
        None, description="The folder that paths are relative to; default: the current one."
    )
    annotations: int = Field(
        STEP_LIMIT,
        ge=0,
        description="Annotate at most so many findings; GitHub shows 10 of a level.",
    )
    summary: bool = Field(
        True, description="Append a page to the summary of the step, if GITHUB_STEP_SUMMARY is set."
    )


class GithubExporter:
    """Annotations for GitHub Actions on stdout, and the summary of the step.

    What was not examined is a warning.
    """

    name = "github"
    version = "1.0.0"
    file_name = "-"
    Config = GithubOptions

    def export(self, run: ExportedRun, config: GithubOptions, out: IO[bytes]) -> list[str]:
        """Write the annotations; return the number of findings that have none."""
        chosen, paths = MostSevere(run, config.annotations), SourcePaths(run, config.root)
        for line in (*_coverage(run), *(_finding(run, each, paths) for each in chosen)):
            out.write(line.encode() + b"\n")
        notes = []
        if chosen.left_out:
            notes.append(f"{chosen.left_out:,} of {chosen.total:,} findings have no annotation")
        summary = os.environ.get("GITHUB_STEP_SUMMARY")
        if config.summary and summary:
            notes += _append(summary, run)
        return notes


def _coverage(run: ExportedRun) -> Iterator[str]:
    missed = [part.sentence for part in not_examined(run) if not part.on_purpose]
    sentence = coverage_sentence(run)
    if missed:
        more = f"; and {len(missed) - 5:,} more" if len(missed) > 5 else ""
        listed = clip("; ".join(missed[:5]), _LINE)
        yield _command("warning", {"title": "Not examined"}, f"{listed}{more}. {sentence}")
    else:
        yield _command("notice", {"title": "Coverage"}, sentence)


def _finding(run: ExportedRun, finding: RecordedFinding, paths: SourcePaths) -> str:
    place, path = first_place(finding), paths.of(finding)
    at = {"file": path}
    if path != paths.runbook and place.line:
        at["line"] = str(place.line)
        at |= {"col": str(place.column)} if place.column else {}
    level = "error" if finding.special or finding.severity == "high" else "warning"
    quiet = finding.test_data or finding.severity == "info" or run.accepted(finding)
    level = "notice" if quiet else level
    said = ". ".join(filter(None, (message(finding), state(run, finding))))
    return _command(level, {**at, "title": rule(finding)}, said)


def _command(name: str, properties: dict[str, str], words: str) -> str:
    """Return a workflow command; a text in it can neither end it nor begin another one."""
    written = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{name} {written}::{_data(words)}"


def _data(words: str) -> str:
    return clean(words).replace("%", "%25")  # `clean` has replaced line breaks


def _property(words: str) -> str:
    return _data(words).replace(":", "%3A").replace(",", "%2C")


def _append(path: str, run: ExportedRun) -> list[str]:
    """Append a page to the summary of the step; it is shortened until GitHub shows it."""
    for most in (200, 0):
        text = "\n".join(page(run, most)) + "\n"
        if len(text.encode()) <= SUMMARY_BYTES:
            break
    try:
        with open(path, "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write(text)
    except OSError as error:
        raise StoreError(
            f"cannot append to the summary of the step {path}: {error.strerror}",
            hint="use --export-option github.summary=false",
        ) from error
    return ["a page was appended to the summary of the step"]
