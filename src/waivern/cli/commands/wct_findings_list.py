"""`wct findings list`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.finding_columns import FOUND, ListedFinding
from waivern.cli.ui.json_output import json_text
from waivern.cli.ui.options import (
    baseline_option,
    examples,
    json_option,
    opened,
    reviewed_option,
    store_option,
    where_option,
)
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import Exit
from waivern.record.text_forms import clean

if TYPE_CHECKING:
    from waivern.runs.baseline import Baseline
    from waivern.runs.finding_reviews import FindingReviews
    from waivern.runs.recorded_findings import RunFindings
    from waivern.store.base import RunStore

MOST_DIGESTS = 100_000
"""The items whose digests a document has."""
ROWS = 100
"""The findings that a terminal shows unless asked for more."""


@click.command(
    "list",
    short_help="List the findings of a run.",
    help=f"""List the findings of RUN, the last one unless it is named.

    Artifacts whose findings others include, as `merge` does, are not listed twice. The document of
    --json can be the baseline of a later run.

    {FOUND.pipe_help}
    """,
    epilog=examples(
        "wct findings list @last --where special_category",
        "wct findings list scan@last --json > baseline.json",
    ),
)
@click.argument("run", default="@last")
@where_option
@click.option(
    "--first",
    type=click.IntRange(1),
    metavar="N",
    help="List at most N findings; default: 100 on a terminal, else all.",
)
@baseline_option
@reviewed_option
@json_option
@store_option
def command(
    run: str,
    where: str | None,
    first: int | None,
    baseline: str | None,
    reviewed: str | None,
    as_json: bool,
    store: str | None,
) -> int:
    """List the findings of a run."""
    from waivern.runs import queries
    from waivern.runs.baseline import read_baseline
    from waivern.runs.finding_reviews import read_reviews, reviews_path
    from waivern.runs.recorded_findings import RunFindings
    from waivern.runs.run_references import find

    opened_store = opened(store)
    record = queries.load(opened_store, find(opened_store, run))
    earlier = read_baseline(opened_store, baseline) if baseline is not None else None
    today = date(*time.gmtime()[:3])
    reviews = read_reviews(reviews_path(reviewed), today)
    findings = RunFindings(opened_store, record)
    found = _found(opened_store, findings, earlier, reviews, where)
    out = stdout()
    if as_json:
        _print_json(opened_store, findings, islice(found, first))
    elif out.tty:
        rows = list(islice(found, first or ROWS))
        FOUND.table(out, rows)
        more = sum(1 for _ in found)
        if more:
            out.print(out.paint(f"{more:,} more; `--first N` or `--json` lists them", "dim"))
    else:
        FOUND.lines(out, islice(found, first))
    err = stderr()
    for name, why in findings.unread.items():
        err.print(f"warning: the findings of '{clean(name)}' are not listed: {clean(why)}")
    if where is None and first is None:  # all findings were looked up
        for note in reviews.notes():
            err.print(f"warning: {clean(note)}")
    return Exit.OK


def _found(
    store: RunStore,
    findings: RunFindings,
    earlier: Baseline | None,
    reviews: FindingReviews,
    where: str | None,
) -> Iterator[ListedFinding]:
    from waivern.runs.finding_filter import FindingFilter

    compared = earlier.compared(store, findings) if earlier else None
    chosen = FindingFilter(where, reviews, compared)
    for finding in findings:
        if chosen.keeps(finding):
            outcome = str(compared.outcome_of(finding)) if compared else None
            yield ListedFinding(finding, reviews.of(finding), outcome)


def _print_json(store: RunStore, findings: RunFindings, found: Iterator[ListedFinding]) -> None:
    """Write the document finding by finding: there may be a million.

    The digests of the items, as far as they are few enough, let a later run recognise renamed ones.
    """
    from waivern.runs.examined_places import ItemDigests

    run = findings.record.metadata
    about = {"run_id": run.run_id, "runbook": run.runbook_name, "unread": findings.unread}
    head = json_text(about, indent=None)[:-1]
    write = sys.stdout.write
    places: set[tuple[str, str]] = set()
    write('{"schema": "wct.findings/1", "data": ' + head + ', "findings": [')
    for number, each in enumerate(found):
        write((",\n" if number else "\n") + json_text(each.document(), indent=None))
        if each.finding.item and len(places) < MOST_DIGESTS:
            places.add((each.finding.system, each.finding.item))
    digests = ItemDigests(store, findings.record).of(places)
    rows = [[*place, digest] for place, digest in digests.items()]
    write('\n], "digests": ' + json_text(rows, indent=None) + "}}\n")
