"""`wct runs tag`."""

from __future__ import annotations

import os

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import (
    annotation_options,
    by_option,
    examples,
    json_option,
    opened,
    store_option,
)
from waivern.cli.ui.screen import stdout
from waivern.cli.ui.user import user_name
from waivern.clock import Clock
from waivern.record.annotations import AnnotationChange, Annotations, pair
from waivern.record.text_forms import clean
from waivern.runs.queries import load
from waivern.runs.run_references import find


@click.command(
    "tag",
    short_help="Change tags, name, note and pairs of a run.",
    epilog=examples(
        "wct runs tag @last audit 2026-Q4",
        "wct runs tag @last --remove audit --meta ticket=P-17",
    ),
)
@click.argument("run", metavar="RUN")
@click.argument("tags", metavar="[TAG]...", nargs=-1)
@click.option("--remove", metavar="TAG", multiple=True, help="Remove a tag.")
@annotation_options
@by_option
@json_option
@store_option
def command(
    run: str,
    tags: tuple[str, ...],
    remove: tuple[str, ...],
    name: str | None,
    remark: str | None,
    meta: tuple[str, ...],
    by: str | None,
    as_json: bool,
    store: str | None,
) -> None:
    """Add TAGs to a run, or change its name, note and pairs; then print all of them.

    An empty text removes a name or note, as does KEY= for a pair. The journal records the change
    and who made it; of a live run, the process that runs it writes the journal. Values of variables
    that the run used are replaced by their names.
    """
    where = opened(store)
    run_id = find(where, run)
    pairs = dict(map(pair, meta))

    change = AnnotationChange(name, tags, remove, remark, pairs)
    if change:
        from waivern.runs.annotate import annotate

        found = annotate(where, run_id, change, by or user_name(), os.environ, Clock())
    else:
        found = load(where, run_id).metadata.metadata
    if as_json:
        print_document("tag", {"run_id": run_id, "metadata": found})
        return
    out = stdout()
    out.print(run_id)
    texts = Annotations.recorded(found)
    kept = [f"{key}={value}" for key, value in texts.meta.items()]
    lines = [("name", [texts.name]), ("tags", texts.tags), ("note", [texts.note]), ("meta", kept)]
    for what, values in lines:
        if any(values):
            out.print(f"  {what:<5} {clean(', '.join(values))}")
