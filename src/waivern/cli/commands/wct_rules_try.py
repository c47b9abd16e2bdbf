"""`wct rules try`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, recorded_options, store_option
from waivern.cli.ui.screen import Screen, stderr, stdout
from waivern.errors import Exit
from waivern.record.text_forms import clean

if TYPE_CHECKING:
    from waivern.runs.rule_trial import RuleTrial, TriedFinding, TriedRule

LISTED = 20
"""The items that could not be read, of which the names are shown."""
RULES: Records[TriedRule] = Records(
    Column("rule", lambda each: each.rule, "RULE", flexible=True),
    Column("type", lambda each: each.type, "TYPE", drop=1),
    Column("new", lambda each: each.counts["new"], "NEW"),
    Column("gone", lambda each: each.counts["gone"], "GONE"),
    Column("unchanged", lambda each: each.counts["unchanged"], "UNCHANGED"),
    Column("before", lambda each: each.before, "BEFORE", drop=2),
    Column("after", lambda each: each.after, "AFTER", drop=3),
)


@click.command(
    "try",
    short_help="Show what a ruleset would find in the sources of a run.",
    help=f"""Show what RULESET would find in the sources of a run: new, gone and unchanged findings.

    RULESET is a YAML file, or the name of an installed ruleset. The sources are read again, with
    the properties of the recorded search, and nothing is written. Items that have changed since
    are named and not compared. BEFORE and AFTER count occurrences.

    {RULES.pipe_help}
    """,
    epilog=examples(
        "wct rules try rules/acme.yaml --over @last",
        "wct rules try acme.yaml --over scan@last/findings --json",
    ),
)
@click.argument("ruleset")
@click.option(
    "--over",
    metavar="RUN[/ARTIFACT]",
    required=True,
    help="Compare with the findings of this run, or of one artifact; default: none.",
)
@recorded_options
@json_option
@store_option
def command(
    ruleset: str,
    over: str,
    base: str | None,
    trust_run: bool,
    as_json: bool,
    store: str | None,
) -> int:
    """Show what a ruleset would find in the sources of a run."""
    from waivern.runs import queries
    from waivern.runs.locate import find_project
    from waivern.runs.recorded_artifacts import meant
    from waivern.runs.rule_trial import try_rules
    from waivern.runs.run_options import RunOptions
    from waivern.runs.run_references import find, split

    where = opened(store)
    run, artifact = split(over)
    record = queries.load(where, find(where, run))
    name = meant(record, artifact) if artifact else None
    is_file = "/" in ruleset or ruleset.endswith((".yaml", ".yml"))
    path = str(Path(ruleset).absolute()) if is_file else ruleset
    options = RunOptions(dict(os.environ), find_project(), base=base, trust_run=trust_run)
    trials = try_rules(where, record, name, path, options)
    if as_json:
        documents = [each.document() for each in trials]
        print_document("rules-try", {"run_id": record.metadata.run_id, "artifacts": documents})
    else:
        for trial in trials:
            _show(stdout(), trial, several=len(trials) > 1)
    for trial in trials:
        for line in _notes(trial):
            stderr().print(clean(line))
    return Exit.OK


def _show(out: Screen, trial: RuleTrial, *, several: bool) -> None:
    rules = [each for _, each in sorted(trial.rules.items())]
    if not out.tty:
        RULES.lines(out, rules)
        return
    if several:
        out.print(out.paint(trial.artifact, "bold"))
    RULES.table(out, rules)
    for rule in rules:
        for kind, sign in (("new", "+"), ("gone", "-")):
            for each in rule.examples[kind]:
                out.print(clean(f"  {sign} {rule.rule}  {_example(each)}"))


def _example(each: TriedFinding) -> str:
    place = each.place.get("file") or each.place.get("table") or each.place.get("path", "")
    at = [f"{word} {each.place[word]}" for word in ("line", "row", "column") if word in each.place]
    times = f"  {each.total:,} times" if each.total > 1 else ""
    return f"{each.evidence}  {', '.join([str(place), *at])}{times}"


def _notes(trial: RuleTrial) -> Iterator[str]:
    """Yield what limits the comparison."""
    for item, reason in trial.unread[:LISTED]:
        yield f"warning: {trial.artifact}: {item!r} is not compared: {reason}"
    if (more := len(trial.unread) - LISTED) > 0:
        yield f"warning: {trial.artifact}: {more:,} more items are not compared"
    if trial.not_compared:
        yield f"warning: {trial.artifact}: {trial.not_compared:,} recorded findings in such items"
    if trial.other_version is not None:
        yield (
            f"warning: {trial.artifact}: version {trial.other_version} of the search found what is"
            " recorded; other differences than those of the ruleset are possible"
        )
    if trial.planted is not None and any(trial.planted.missing):
        yield f"warning: {trial.artifact}: {trial.planted.sentence}"
