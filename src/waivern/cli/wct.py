"""The command `wct`: the names of its commands, and the module of each."""

from __future__ import annotations

import click

from waivern import __version__
from waivern.cli.ui.group import LazyGroup
from waivern.cli.ui.options import examples
from waivern.errors import Exit
from waivern.kinds import KINDS


def _epilog() -> str:
    """Return how runs and the store are named, and the exit codes."""
    codes = "\n".join(f"{code:>5}  {code.meaning}" for code in Exit)
    return f"""A RUN is an id, a unique prefix of one, @last, @last~2, @failed, <runbook>@last or
<path>@last. The store is --store, else WAIVERN_STORE, else that of waivern.yaml, else the nearest
.waivern upward; `wct config` shows which one, and every other setting.

\b
Exit codes:
{codes}

{examples("wct run analysis.yaml", "wct runs", "wct inspect @last")}
"""


@click.group(
    cls=LazyGroup,
    commands_at={
        "init": "waivern.cli.commands.wct_init",
        "run": "waivern.cli.commands.wct_run",
        "plan": "waivern.cli.commands.wct_plan",
        "runs": "waivern.cli.commands.wct_runs",
        "inspect": "waivern.cli.commands.wct_inspect",
        "why": "waivern.cli.commands.wct_why",
        "diff": "waivern.cli.commands.wct_diff",
        "findings": "waivern.cli.commands.wct_findings",
        "graph": "waivern.cli.commands.wct_graph",
        "export": "waivern.cli.commands.wct_export",
        "report": "waivern.cli.commands.wct_report",
        "validate": "waivern.cli.commands.wct_validate",
        "schema": "waivern.cli.commands.wct_schema",
        "new": "waivern.cli.commands.wct_new",
        "doctor": "waivern.cli.commands.wct_doctor",
        "explain": "waivern.cli.commands.wct_explain",
        "serve": "waivern.cli.commands.wct_serve",
        **{each.name: "waivern.cli.ui.component_list" for each in KINDS.values() if each.listing},
        "rules": "waivern.cli.commands.wct_rules",
        "store": "waivern.cli.commands.wct_store",
        "config": "waivern.cli.commands.wct_config",
        "completion": "waivern.cli.commands.wct_completion",
    },
    groups=("runs", "findings", "rules", "store", "config"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80},
    epilog=_epilog(),
)
@click.version_option(__version__, message="wct %(version)s")
def wct() -> None:
    """Run runbooks, and inspect what the runs produced."""
