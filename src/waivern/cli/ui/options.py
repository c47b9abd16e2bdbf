"""The options of the commands, each declared once, and what the shared ones mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from waivern.runs.listing import RunFilter
    from waivern.runs.run_params import RequestedParams
    from waivern.store.base import RunStore

F = TypeVar("F", bound=Callable[..., Any])
TRUST = "waivern.trust_store"
"""The key under which the context of click records `--trust-store`."""
RUNBOOK = "waivern.runbook"
"""The key under which it records the runbook that a command names."""


def option(*names: str, help: str, **attributes: Any) -> Callable[[F], F]:  # noqa: A002 - click's word
    """Return the decorator that adds an option."""
    return click.option(*names, help=help, **attributes)


def all_of(*decorators: Callable[[F], F]) -> Callable[[F], F]:
    """Return the decorator that adds several options, in this order."""

    def add(command: F) -> F:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return add


def examples(*commands: str) -> str:
    """Return the end of a help text that shows command lines."""
    word = "Example" if len(commands) == 1 else "Examples"
    return "\n".join(["\b", f"{word}:", *(f"  {command}" for command in commands)])


def _finite(_ctx: click.Context, _param: click.Parameter, value: float | None) -> float | None:
    if value is not None and not math.isfinite(value):
        raise click.BadParameter("it must be a number of seconds")
    return value


def _percentage(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Return a number from 0 to 100; the percent sign is optional."""
    if value is None:
        return None
    try:
        number = float(value.removesuffix("%"))
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise click.BadParameter(f"{value!r} is not a percentage from 0 to 100")
    return number


def _share(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    """Return a number from 0 to 1."""
    if value is None:
        return None
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        raise click.BadParameter(f"{value!r} is not a number from 0 to 1")
    return number


def _remember_trust(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.meta[TRUST] = value


def _remember_runbook(ctx: click.Context, _param: click.Parameter, value: Any) -> Any:
    ctx.meta[RUNBOOK] = value
    return value


runbook_argument = click.argument("runbook", callback=_remember_runbook)

# the store and the answer

store_option = all_of(
    option(
        "--store",
        metavar="PATH|URL",
        help="Use this store; default: WAIVERN_STORE, else that of waivern.yaml, else the nearest"
        " .waivern upward.",
    ),
    option(
        "--trust-store",
        is_flag=True,
        expose_value=False,
        callback=_remember_trust,
        help="Use the store even if other users can write to it.",
    ),
)
json_option = option("--json", "as_json", is_flag=True, help="Print one JSON document.")

# the inputs of a run

params_options = all_of(
    option("-p", "--param", "params", metavar="KEY=VALUE", multiple=True, help="Set a parameter."),
    option(
        "--params", "params_file", metavar="FILE", help="Read parameters from a YAML or JSON file."
    ),
)
cache_options = all_of(
    option("--no-cache", is_flag=True, help="Ignore cached results."),
    option(
        "--refresh",
        metavar="ARTIFACT",
        multiple=True,
        help="Rebuild ARTIFACT, ignoring its cached result.",
    ),
)
selection_options = all_of(
    option("--select", metavar="EXPR", multiple=True, help="Produce only these artifacts."),
    option("--exclude", metavar="EXPR", multiple=True, help="Do not produce these artifacts."),
)
run_id_option = option(
    "--run-id", metavar="ID", help="Use ID for the new run; default: a random UUID."
)

export_options = all_of(
    option(
        "--export",
        "exports",
        metavar="FORMAT[=PATH]",
        multiple=True,
        help="Export the run, to PATH or to a file named after the format; `-` is stdout."
        " `wct exporters` lists the formats.",
    ),
    option(
        "--export-option",
        "export_settings",
        metavar="FORMAT.NAME=VALUE",
        multiple=True,
        help="Set an option of an exported format; `wct exporters FORMAT` lists them.",
    ),
)

# the findings of a run

baseline_option = option(
    "--baseline",
    metavar="RUN|FILE",
    help="Call findings `new` that this run, or file of `wct findings list --json`, has not;"
    " default: none.",
)
reviewed_option = option(
    "--reviewed",
    metavar="FILE",
    help="Read reviewed findings from FILE; default: reviewed-findings.yaml in the data directory,"
    " if there is one.",
)

where_option = option(
    "--where",
    metavar="CONDITION",
    help="Only findings that meet CONDITION, as in `occurrences > 10`; default: all.",
)

# the execution of a run

progress_options = all_of(
    option("-q", "--quiet", is_flag=True, help="Do not show progress."),
    option(
        "-v",
        "--verbose",
        count=True,
        help="Also show what starts, and the log lines of components; -vv: also tracebacks of"
        " internal errors.",
    ),
    option(
        "--log-format",
        type=click.Choice(["text", "json"]),
        default="text",
        metavar="FORMAT",
        help="Show progress as `text`, or as `json`: each event and log line is an object on a line"
        " of its own.  [default: text]",
    ),
)

running_options = all_of(
    params_options,
    option(
        "-o", "--output", metavar="DIR", help="Copy the artifacts marked `output: true` to DIR."
    ),
    export_options,
    store_option,
    option(
        "--max-concurrency",
        type=click.IntRange(1),
        metavar="N",
        help="Run at most N artifacts at once; default: that of the runbook, else of waivern.yaml,"
        " else 8.",
    ),
    option(
        "--executor",
        metavar="NAME",
        help="Run components on `threads`, in worker `processes`, or with another executor;"
        " default: that of waivern.yaml, else `auto`, which uses processes where they pay off.",
    ),
    option("--fail-fast", is_flag=True, help="Stop starting artifacts after the first failure."),
    option(
        "--max-failures",
        type=click.IntRange(1),
        metavar="N",
        help="Stop starting artifacts after N failures; default: no limit.",
    ),
    option(
        "--fail-on",
        metavar="CONDITION",
        multiple=True,
        help="Exit with 6 if CONDITION is true at the end, as in \"status.scan == 'skipped'\", or"
        " of a finding, as in `new and special_category`.",
    ),
    baseline_option,
    reviewed_option,
    option(
        "--min-coverage",
        metavar="PERCENT",
        callback=_percentage,
        help="Exit with 6 if less than PERCENT of any source was examined; default: that of the"
        " runbook, else no minimum.",
    ),
    option(
        "--min-recall",
        metavar="SHARE",
        callback=_share,
        help="Exit with 6 if a scan found less than SHARE, 0 to 1, of its planted values; default:"
        " that of the runbook, else no minimum.",
    ),
    cache_options,
    option(
        "--grace",
        type=click.FloatRange(0),
        metavar="SECONDS",
        callback=_finite,
        help="Wait at most SECONDS for running artifacts after a signal; default: 5.",
    ),
    json_option,
    progress_options,
)
"""The options of `TypedOptions`."""

# the continuation of a recorded run

trust_option = option(
    "--trust-run",
    is_flag=True,
    help="Allow a run of another store to execute code and to name sources that are read.",
)
recorded_options = all_of(
    option(
        "--base", metavar="DIR", help="Resolve relative paths from DIR, if the project was moved."
    ),
    trust_option,
)
"""The options of commands that carry out what a run has recorded."""
resume_options = all_of(
    option(
        "--allow-changed", is_flag=True, help="Resume even if the runbook or parameters changed."
    ),
    option("--ask-again", is_flag=True, help="Ask for new decisions at the gates."),
    option("--force", is_flag=True, help="Resume even if the run was cancelled."),
)

# the person and the reason

by_option = option(
    "--by", metavar="WHO", help="Record WHO as the name of the person; default: your user name."
)
note_option = option("--note", metavar="TEXT", help="Record a reason.")

decision_options = all_of(
    click.argument("findings", metavar="ID...", nargs=-1, required=True),
    option(
        "--of", metavar="RUN", default="@last", help="Look the ids up in RUN.  [default: @last]"
    ),
    option("--reason", metavar="TEXT", required=True, help="Record a reason."),
    option(
        "--until",
        "last_day",
        metavar="DATE",
        required=True,
        help="The last day on which the decision holds, as 2027-03-31; default: none.",
    ),
    by_option,
    reviewed_option,
    json_option,
    store_option,
)


def data_option(text: str) -> Callable[[F], F]:
    """Return the decorator that adds `--data`."""
    return option(
        "--data",
        metavar="KEY=VALUE",
        multiple=True,
        help=f"{text} VALUE is JSON, or text if it is not valid JSON.",
    )


# the annotations of a run

tag_option = option("--tag", "tags", metavar="TAG", multiple=True, help="Record a tag.")
annotation_options = all_of(
    option("--name", metavar="TEXT", help="Record a name for the run."),
    option("--note", "remark", metavar="TEXT", help="Record a note."),
    option("--meta", metavar="KEY=VALUE", multiple=True, help="Record VALUE under KEY."),
)

# the choice among recorded runs

filter_options = all_of(
    option(
        "--runbook", metavar="NAME|PATH", help="Only runs of this runbook: its name, stem or path."
    ),
    option(
        "--since",
        metavar="WHEN",
        help="Only runs that started since WHEN: an age (7d), a date, or a time (UTC).",
    ),
    option(
        "--until", metavar="WHEN", help="Only runs that started until WHEN; a date is included."
    ),
    option("--tag", "having", metavar="TAG", multiple=True, help="Only runs with this tag."),
)


def run_filter(
    status: str | None,
    runbook: str | None,
    since: str | None,
    until: str | None,
    having: tuple[str, ...],
) -> RunFilter:
    """Return the filter that `filter_options` make. Raises UsageError."""
    from waivern.runs.listing import RunFilter

    first = last = None
    if since is not None or until is not None:
        import time

        from waivern.runs.moments import moment

        now = time.time()
        first = None if since is None else moment(since, now)
        last = None if until is None else moment(until, now, ends=True)
    return RunFilter(status, runbook, first, last, having)


def yes_option(text: str) -> Callable[[F], F]:
    """Return the decorator that adds `--yes`."""
    return option("--yes", is_flag=True, help=text)


def status_option(name: str, statuses: Iterable[str], text: str, **more: Any) -> Callable[[F], F]:
    """Return the decorator that adds `--status`."""
    choices = tuple(statuses)
    return option(
        "--status",
        name,
        type=click.Choice(choices),
        metavar="STATUS",
        help=f"{text} STATUS is one of: {', '.join(choices)}.",
        **more,
    )


def supplied_params(params: tuple[str, ...], file: str | None) -> RequestedParams:
    """Return the parameters of the command line.

    Raises UsageError, InvalidError and NotFoundError.
    """
    from waivern.language.supplied_params import read_file, typed
    from waivern.runs.run_params import RequestedParams

    values = read_file(file) if file is not None else {}
    return RequestedParams(typed(params), values, file)


def opened(store: str | None, *, recorded: bool = True) -> RunStore:
    """Return the store that a command is to use; `store` is the option as it was typed.

    Raises RefusedError if the command needs recorded runs and the project records none.
    """
    from waivern.runs.locate import locate
    from waivern.store.opening import open_store

    ctx = click.get_current_context(silent=True)
    return open_store(locate(store, recorded=recorded), trust=bool(ctx and ctx.meta.get(TRUST)))
