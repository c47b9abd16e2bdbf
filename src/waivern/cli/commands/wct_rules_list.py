"""`wct rules list`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option
from waivern.cli.ui.screen import stdout
from waivern.diagnostics import did_you_mean
from waivern.errors import Exit, NotFoundError

if TYPE_CHECKING:
    from waivern.detection.ruleset import TypeRule

TYPES: Records[TypeRule] = Records(
    Column("type", lambda each: each.name, "TYPE", flexible=True),
    Column("category", lambda each: each.category, "CATEGORY", drop=2),
    Column("severity", lambda each: each.severity, "SEVERITY", drop=3),
    Column("threshold", lambda each: each.threshold, "THRESHOLD", drop=1),
)


@click.command(
    "list",
    short_help="List the types of values that are searched for.",
    help=f"""List the types of the shipped ruleset, or one TYPE with the labels that name it.

    {TYPES.pipe_help}
    """,
    epilog=examples("wct rules list", "wct rules list IBAN_CODE"),
)
@click.argument("kind", metavar="[TYPE]", required=False)
@json_option
def command(kind: str | None, as_json: bool) -> int:
    """List the types of the shipped ruleset, or the labels of one."""
    from waivern.detection import load_ruleset

    shipped, out = load_ruleset(), stdout()
    rules = shipped.naming(shipped.optional)
    if kind is None:
        found = list(rules.types.values())
        if as_json:
            print_document("rules", TYPES.documents(found))
        elif out.tty:
            TYPES.table(out, found)
        else:
            TYPES.lines(out, found)
        return Exit.OK
    if kind not in rules.types:
        hint = did_you_mean(kind, rules.types) or "`wct rules list` lists the types"
        raise NotFoundError(f"the ruleset has no type {kind[:80]!r}", hint=hint)
    rule = rules.types[kind]
    labels = sorted(term for term, types in rules.labels.items() if kind in types)
    facts = {
        "type": rule.name,
        "category": rule.category,
        "severity": rule.severity,
        "threshold": rule.threshold,
        "trust": rule.trust,
        "optional": kind in shipped.optional,
        "labels": labels,
        "unless": sorted(rule.unless),
    }
    if as_json:
        print_document("rule", facts)
    else:
        for name, fact in facts.items():
            text = ", ".join(map(str, fact)) if isinstance(fact, list) else str(fact)
            out.print(f"{out.paint(f'{name:10}', 'dim')}  {text}" if out.tty else f"{name}\t{text}")
    return Exit.OK
