"""Completion of command lines in bash, zsh and fish, through click.

A shell calls `wct` with the variable `_WCT_COMPLETE`, and gets words. What a parameter may be
follows from its metavar in the help text, so that commands declare nothing for it. A key that is
pressed must never hang or print an error: what fails or takes too long offers nothing.
"""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    ShellComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

if TYPE_CHECKING:
    from waivern.language.models import Runbook
    from waivern.store.base import RunStore

VARIABLE = "_WCT_COMPLETE"
LIMIT_S = 1.0
"""The seconds that a store has to answer; one on a server may take longer, or for ever."""
MOST = 100
"""The runs, newest first, or findings that are offered."""
FINDING = 8
"""The characters of the id of a finding that are offered first."""

Words: TypeAlias = "Iterable[CompletionItem[str]]"  # click 8.2 has no such form at run time
Source: TypeAlias = Callable[[click.Context, str], Words]
"""Returns the words for a parameter that begins as the text does."""


def answer(command: click.Command) -> int:
    """Print the words that the shell asks for and return the exit code."""
    shell, _, _ = os.environ[VARIABLE].partition("_")
    class_ = get_completion_class(shell)
    if class_ is None:
        return 1
    found: list[str] = []
    asking = class_(command, {}, "wct", VARIABLE)

    def work() -> None:
        try:
            found.append(asking.complete())
        except BaseException:  # noqa: BLE001 - a message would be printed into the command line
            return

    thread = threading.Thread(target=work, name="wct-complete", daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    sys.stdout.write((found[0] if found else "") + "\n")
    return 0


def script(shell: str, command: click.Command) -> str:
    """Return the script that a shell reads once, to ask from then on."""
    class_ = get_completion_class(shell)
    assert class_ is not None
    return ShellComplete.source(class_(command, {}, "wct", VARIABLE))  # not bash's own check


def words(command: click.Command, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
    """Return what may follow `args`, beginning with `incomplete`."""
    return _Asked(command, {}, "wct", VARIABLE).get_completions(args, incomplete)


class _Asked(ShellComplete):
    """The completion of click, with the sources below for parameters of the project."""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[str]]:
        from click.shell_completion import _resolve_context, _resolve_incomplete

        # An option whose value is asked for would have click drop the arguments before it.
        before = args[:-1] if args and args[-1].startswith("-") else args
        context = _resolve_context(self.cli, self.ctx_args, self.prog_name, before)
        default = getattr(context.command, "default", None)
        if default is not None and (incomplete.startswith("-") or before != args):
            before = [*before, default]  # `wct runs --status`
            context = _resolve_context(self.cli, self.ctx_args, self.prog_name, before)
        asked, incomplete = _resolve_incomplete(context, args, incomplete)
        source = source_of(context, asked) if isinstance(asked, click.Parameter) else None
        if source is None:
            return asked.shell_complete(context, incomplete)
        found = source(context, incomplete)
        return [each for each in found if each.type != "plain" or each.value.startswith(incomplete)]


@add_completion_class
class _Zsh(_Asked, get_completion_class("zsh")):  # type: ignore[misc]
    """The completion of zsh."""


@add_completion_class
class _Fish(_Asked, get_completion_class("fish")):  # type: ignore[misc]
    """The completion of fish, whose script ends a description at a comma."""

    def format_completion(self, item: CompletionItem[Any]) -> str:
        about = item.help and item.help.replace(",", ";")
        return str(super().format_completion(CompletionItem(item.value, item.type, about)))


@add_completion_class
class _Bash(_Asked, BashComplete):
    """The completion of bash.

    The script of click passes the words as bash splits them, also at `@`, `:` and `=`, so that
    `@last` would be two. This one passes the line, and shows descriptions where words are listed.
    What bash replaces begins behind the last such character, an `@` included.
    """

    source_template = """\
%(complete_func)s() {
    local line=${COMP_LINE:0:COMP_POINT} cur=${COMP_WORDS[COMP_CWORD]} whole="" strip=""
    local kind value help
    [[ $cur == [@:=] ]] && cur=""
    COMPREPLY=()
    while IFS=$'\\t' read -r kind value help; do
        case $kind in
        word) whole=$value; [[ $whole == *"$cur" ]] && strip=${whole%%"$cur"}; strip=${strip%%@} ;;
        dir) compopt -o dirnames 2>/dev/null ;;
        file) compopt -o default 2>/dev/null ;;
        plain)
            [[ $value == *[/=] ]] && compopt -o nospace 2>/dev/null
            value=${value#"$strip"}
            if [[ $COMP_TYPE == 63 && $help != _ ]]; then value="$value  ($help)"; fi
            COMPREPLY+=("$value") ;;
        esac
    done < <(COMP_LINE="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s 2>/dev/null ||
    complete -F %(complete_func)s %(prog_name)s
"""

    def get_completion_args(self) -> tuple[list[str], str]:
        line = os.environ["COMP_LINE"]
        typed = split_arg_string(line)[1:]
        incomplete = typed.pop() if typed and not line[-1:].isspace() else ""
        return typed, incomplete

    def complete(self) -> str:
        args, incomplete = self.get_completion_args()
        found = self.get_completions(args, incomplete)
        lines = [self.format_completion(each) for each in found]
        return "\n".join([f"word\t{incomplete}", *lines])

    def format_completion(self, item: CompletionItem[Any]) -> str:
        about = " ".join((item.help or "_").split())
        return f"{item.type}\t{item.value or '_'}\t{about}"


# what a parameter may be


def source_of(context: click.Context, asked: click.Parameter) -> Source | None:
    """Return the source of words for a parameter; None: what click knows of it."""
    if isinstance(asked.type, click.Choice):
        return None
    metavar = re.sub(r"^\[(.+)\]$", r"\1", (asked.metavar or "").removesuffix("..."))
    by_name = _BY_NAME.get((asked.name or "", context.info_name or ""))
    return by_name or _BY_NAME.get((asked.name or "", "")) or _BY_METAVAR.get(metavar)


def _runs(context: click.Context, incomplete: str) -> Words:
    """Yield the newest runs, shortly named if that is clear, with their age and status."""
    import time

    from waivern.record.text_forms import ago, clean, short
    from waivern.runs.listing import RunListing

    listing, now = RunListing(_store(context)), time.time()
    fitting = [each for each in listing.glances if each.run_id.startswith(incomplete)]
    for each in fitting[:MOST]:
        name = short(each.run_id)
        clear = len(incomplete) <= len(name) and [
            other for other in listing.glances if other.run_id.startswith(name)
        ] == [each]
        about = f"{listing.status(each)}, {ago(each.started_at, now)}, {each.runbook_name}"
        yield CompletionItem(name if clear else each.run_id, help=clean(about))
    for alias, about in (("@last", "the newest run"), ("@failed", "the newest that failed")):
        yield CompletionItem(alias, help=about)


def _artifacts(context: click.Context, incomplete: str) -> Words:
    """Yield runs, and behind a `/` the artifacts of the run before it, with their status."""
    run, slash, _ = incomplete.partition("/")
    if not slash:
        yield from _runs(context, incomplete)
        return
    from waivern.record.text_forms import clean

    for name, status in _steps(context, run).items():
        yield CompletionItem(f"{run}/{name}", help=clean(status))


def _expressions(context: click.Context, incomplete: str) -> Words:
    """Yield the artifacts of the runbook or run on the command line, and its tags."""
    sign = re.match(r"\d*\+|", incomplete)
    before = sign[0] if sign else ""
    run = context.params.get("run")
    if isinstance(run, str):
        yield from (
            CompletionItem(before + name, help=s) for name, s in _steps(context, run).items()
        )
        return
    runbook = _runbook(context)
    for name, spec in runbook.artifacts.items():
        yield CompletionItem(before + name, help=spec.name or None)
    if context.command.name != "resume":
        yield CompletionItem("result:failed", help="those that failed in the resumed run")


def _parameters(context: click.Context, incomplete: str) -> Words:  # noqa: ARG001
    """Yield the parameters of the runbook, each to be continued by its value."""
    for name, param in _runbook(context).params.items():
        yield CompletionItem(f"{name}=", help=param.description or param.type)


def _of_kind(*kinds: str) -> Source:
    """Return the source of the installed entries of kinds; nothing of them is imported."""

    def source(_context: click.Context, _incomplete: str) -> Words:
        from waivern.kinds import KINDS, installed

        for kind in kinds:
            if kind in KINDS:
                yield from map(CompletionItem, sorted(installed(kind)))

    return source


def _export_options(context: click.Context, _incomplete: str) -> Words:
    """Yield the options of the formats that are exported, each to be continued by its value."""
    from waivern.errors import WaivernError
    from waivern.kinds import load

    for name in dict.fromkeys(each.partition("=")[0] for each in context.params["exports"] or ()):
        with suppress(WaivernError):  # there is none of that name, or its extra is missing
            for option, field in load("exporters", name).Config.model_fields.items():
                yield CompletionItem(f"{name}.{option}=", help=field.description or "")


def _components(context: click.Context, _incomplete: str) -> Words:
    """Yield the components of the kind that the command lists, those of the project included."""
    from waivern.runs.locate import find_project
    from waivern.runs.prepare import catalogue_of

    yield from map(CompletionItem, catalogue_of(find_project()).names(context.info_name or ""))


def _codes(_context: click.Context, _incomplete: str) -> Words:
    from waivern.cli.ui.problem_explanations import EXPLANATIONS

    return [CompletionItem(code, help=each.title) for code, each in EXPLANATIONS.items()]


def _tags(context: click.Context, _incomplete: str) -> Words:
    """Yield the tags that runs have."""
    from waivern.runs.listing import RunListing

    found: dict[str, None] = {}
    for each in RunListing(_store(context)).glances:
        tags = each.metadata.get("tags")
        found |= dict.fromkeys(map(str, tags if isinstance(tags, list) else ()))
    return map(CompletionItem, sorted(found))


def _runbooks_of_runs(context: click.Context, _incomplete: str) -> Words:
    """Yield the names of the runbooks that runs have."""
    from waivern.runs.listing import RunListing

    names = {name for each in RunListing(_store(context)).glances for name in each.names}
    return [*map(CompletionItem, sorted(names)), CompletionItem("", type="file")]


def _findings(context: click.Context, incomplete: str) -> Words:
    """Yield the findings of the run on the command line, else of the newest; masked as ever."""
    from waivern.record.text_forms import clean
    from waivern.runs import queries
    from waivern.runs.recorded_findings import RunFindings
    from waivern.runs.run_references import find

    given = context.params.get("of") or context.params.get("reference") or "@last"
    store = _store(context)
    record = queries.load(store, find(store, str(given).partition("/")[0]))
    fitting = (each for each in RunFindings(store, record) if each.id.startswith(incomplete))
    for each in islice(fitting, MOST):
        shown = each.id if len(incomplete) > FINDING else each.id[:FINDING]
        yield CompletionItem(shown, help=clean(f"{each.type} in {each.place}"))


def _runs_or_files(context: click.Context, incomplete: str) -> Words:
    """Yield the runs; a shell offers files where no run fits."""
    yield from _runs(context, incomplete)
    yield CompletionItem(incomplete, type="file")


def _files(_context: click.Context, incomplete: str) -> Words:
    return [CompletionItem(incomplete, type="file")]


def _folders(_context: click.Context, incomplete: str) -> Words:
    return [CompletionItem(incomplete, type="dir")]


def _nothing(_context: click.Context, _incomplete: str) -> Words:
    return []


_BY_METAVAR: Mapping[str, Source] = {
    "RUN": _runs,
    "RUN[/ARTIFACT]": _artifacts,
    "RUN[/GATE]": _artifacts,
    "RUN/ARTIFACT": _artifacts,
    "RUN|FILE": _runs_or_files,
    "RUNBOOK|RUN": _runs_or_files,
    "EXPR": _expressions,
    "ARTIFACT": _expressions,
    "RUNBOOK": _files,
    "NAME|PATH": _runbooks_of_runs,
    "FILE": _files,
    "PATH|URL": _folders,
    "DIR": _folders,
    "TAG": _tags,
    "TEXT": _nothing,
}
_BY_NAME: Mapping[tuple[str, str], Source] = {
    ("runbook", ""): _files,
    ("ruleset", ""): _files,
    ("run", "list"): _runs,
    ("before", "diff"): _runs,
    ("after", "diff"): _runs,
    ("findings", "accept"): _findings,
    ("findings", "reject"): _findings,
    ("finding", "inspect"): _findings,
    ("folder", "init"): _folders,
    ("store", "check"): _folders,
    ("source", "copy"): _folders,
    ("target", "copy"): _folders,
    ("params", ""): _parameters,
    ("executor", ""): _of_kind("executors"),
    ("exports", ""): _of_kind("exporters"),
    ("export_settings", ""): _export_options,
    ("name", "connectors"): _components,
    ("name", "processors"): _components,
    ("name", "exporters"): _components,
    ("code", "explain"): _codes,
    ("runbook", "list"): _runbooks_of_runs,
    ("runbook", "stats"): _runbooks_of_runs,
    ("runbook", "export"): _runbooks_of_runs,
}
"""Name of a parameter and of its command, which is empty for all, to the source of its words."""


def _store(context: click.Context) -> RunStore:
    from waivern.runs.locate import locate
    from waivern.store.opening import open_store

    return open_store(locate(context.params.get("store"), recorded=True))


def _steps(context: click.Context, reference: str) -> dict[str, str]:
    """Return the artifacts of a run with their status."""
    from waivern.runs import queries
    from waivern.runs.run_references import find

    store = _store(context)
    record = queries.load(store, find(store, reference))
    return {str(name): str(step.status) for name, step in record.steps.items()}


def _runbook(context: click.Context) -> Runbook:
    """Return the runbook on the command line, as far as it can be read; none of its code is run."""
    from waivern.runs.prepare import drafted

    path = context.params.get("runbook")
    if not isinstance(path, str):
        raise TypeError("no runbook is on the command line")
    return drafted(path, os.environ).runbook
