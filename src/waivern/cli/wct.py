"""`wct` itself: the names of its commands, and where each of them lives."""

from __future__ import annotations

import click

from waivern import __version__
from waivern.cli.ui.group import LazyGroup

EPILOG = """\b
A RUN is an id, a unique prefix of one, @last, @last~2, @failed, <runbook>@last or <path>@last.
The store is --store, else WAIVERN_STORE, else that of waivern.yaml, else the nearest
.waivern upward; `wct config show` shows which, and every other setting.

\b
Exit codes: 0 done  1 an artifact failed  2 usage  3 invalid runbook  4 not found
5 refused  6 policy  7 suspended  8 timed out  9 integrity  10 work to do (plan)
70 internal error  74 store  129 SIGHUP  130 SIGINT  143 SIGTERM
141 nobody reads stdout  142 stuck beyond the time limit
"""


@click.group(
    cls=LazyGroup,
    commands_at={
        "run": "waivern.cli.commands.wct_run",
        "plan": "waivern.cli.commands.wct_plan",
        "runs": "waivern.cli.commands.wct_runs",
        "inspect": "waivern.cli.commands.wct_inspect",
        "validate": "waivern.cli.commands.wct_validate",
        "connectors": "waivern.cli.commands.wct_connectors",
        "processors": "waivern.cli.commands.wct_processors",
        "config": "waivern.cli.commands.wct_config",
    },
    groups=("runs", "config"),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, message="wct %(version)s")
def wct() -> None:
    """Run runbooks, and inspect what the runs produced."""
