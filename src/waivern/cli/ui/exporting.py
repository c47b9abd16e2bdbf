"""Exports as the commands carry them out and report them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from waivern.cli.ui.screen import Screen
from waivern.errors import UsageError, worst
from waivern.record.text_forms import clean, near, size

if TYPE_CHECKING:
    from waivern.language.project import Project
    from waivern.runs.exports import ExportOutcome, RequestedExport
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


def export(
    store: RunStore, run_id: str, wanted: Sequence[RequestedExport]
) -> tuple[ExportOutcome, ...]:
    """Export a run. Raises RunNotFoundError, and IntegrityError if the run is damaged."""
    from waivern.cli.ui.user import user_at_host
    from waivern.clock import Clock
    from waivern.runs.exporter import exported_run
    from waivern.runs.exports import Exporting, write

    run = exported_run(store, run_id)
    return tuple(write(run, wanted, Exporting(user_at_host(), Clock())))


def show(err: Screen, outcomes: Iterable[ExportOutcome]) -> None:
    """Write a line for each export that was written, its notes, and each error."""
    from waivern.cli.ui.error_output import explain

    for each in outcomes:
        if each.error is not None:
            explain(each.error, as_json=False)
        elif each.path is not None:
            err.print(f"exported {each.format}: {clean(near(each.path))}, {size(each.size)}")
        for note in each.notes:
            err.print(f"  {each.format}: {clean(note)}")


def exit_code(code: int, outcomes: Iterable[ExportOutcome]) -> int:
    """Return the code of a command that would exit with `code` if no export had failed."""
    return worst(code, *(each.error.exit_code for each in outcomes if each.error))
