"""Exports as the commands carry them out and report them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from waivern.cli.ui.screen import Screen
from waivern.errors import UsageError, WaivernError, worst
from waivern.record.text_forms import clean, near, size

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.runs.baseline import Baseline
    from waivern.runs.exports import ExportOutcome, RequestedExport
    from waivern.runs.finding_reviews import FindingReviews
    from waivern.runs.result import RunResult
    from waivern.store.base import RunStore


def requested(
    wanted: Iterable[str],
    options: Iterable[str],
    store: RunStore,
    project: Project | None,
    *,
    as_json: bool,
) -> tuple[RequestedExport, ...]:
    """Return the exports of a command line. Raises UsageError, NotFoundError, WaivernError."""
    from waivern.cli.ui.output_redirect import stdout_is_stderr
    from waivern.runs import exports
    from waivern.runs.prepare import catalogue_of

    with stdout_is_stderr():
        found = exports.requested(wanted, options, catalogue_of(project), store)
    if as_json and any(each.path is None for each in found):
        raise UsageError(
            "--json cannot be combined with an export to stdout",
            hint="give the export a path, as in --export csv=findings.csv",
        )
    return found


class PreparedExports(NamedTuple):
    """The exports of a command line, and what the findings are compared with.

    A reference such as `@last` names another run after a run: it is resolved before.
    """

    wanted: tuple[RequestedExport, ...]
    baseline: Baseline | None
    reviews: FindingReviews

    def write(self, store: RunStore, run_id: str) -> tuple[ExportOutcome, ...]:
        """Export a run. Raises RunNotFoundError, and IntegrityError if the run is damaged."""
        return export(store, run_id, self.wanted, self.baseline, self.reviews)

    def written_after(self, result: RunResult) -> tuple[ExportOutcome, ...]:
        """Export a run that has just ended; nothing is raised, for its summary must be shown."""
        try:
            return self.write(result.store, result.run_id)
        except WaivernError as error:
            from waivern.runs.exports import ExportOutcome

            return tuple(ExportOutcome(each.format, each.path, error=error) for each in self.wanted)


def prepared(
    wanted: tuple[RequestedExport, ...],
    store: RunStore,
    baseline: str | None,
    reviewed: str | None,
) -> PreparedExports:
    """Read the baseline and the reviews of exports. Raises what reading them does."""
    from waivern.runs.baseline import read_baseline
    from waivern.runs.finding_reviews import read_reviews, reviews_path

    earlier = read_baseline(store, baseline) if baseline is not None else None
    reviews = read_reviews(reviews_path(reviewed), date(*time.gmtime()[:3]))
    return PreparedExports(wanted, earlier, reviews)


def export(
    store: RunStore,
    run_id: str,
    wanted: Sequence[RequestedExport],
    baseline: Baseline | None = None,
    reviews: FindingReviews | None = None,
) -> tuple[ExportOutcome, ...]:
    """Export a run. Raises RunNotFoundError, and IntegrityError if the run is damaged."""
    from waivern.cli.ui.user import user_at_host
    from waivern.clock import Clock
    from waivern.runs.exporter import exported_run
    from waivern.runs.exports import Exporting, write

    run = exported_run(store, run_id, baseline, reviews)
    return tuple(write(run, wanted, Exporting(user_at_host(), Clock())))


def show(err: Screen, outcomes: Iterable[ExportOutcome]) -> None:
    """Write a line for each export that was written, its notes, and each error."""
    from waivern.cli.ui.error_output import explain

    shown: WaivernError | None = None
    for each in outcomes:
        if each.error is not None:
            if each.error is not shown:
                explain(each.error, as_json=False)
            shown = each.error
        elif each.path is not None:
            err.print(f"exported {each.format}: {clean(near(each.path))}, {size(each.size)}")
        for note in each.notes:
            err.print(f"  {each.format}: {clean(note)}")


def exit_code(code: int, outcomes: Iterable[ExportOutcome]) -> int:
    """Return the code of a command that would exit with `code` if no export had failed."""
    return worst(code, *(each.error.exit_code for each in outcomes if each.error))
