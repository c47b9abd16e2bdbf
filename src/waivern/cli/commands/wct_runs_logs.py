"""`wct runs logs`."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, store_option
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import RefusedError, UsageError
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.record.step_record import ordered
from waivern.record.text_forms import clean, listed

if TYPE_CHECKING:
    from waivern.record.fold import RunRecord
    from waivern.store.base import RunStore


@click.command(
    "logs",
    short_help="Show what the components of a run printed and logged.",
    epilog=examples(
        "wct runs logs @last --failed", "wct runs logs @last/findings", "wct runs logs @last -f"
    ),
)
@click.argument("reference", metavar="RUN[/ARTIFACT]")
@click.option("-f", "--follow", is_flag=True, help="Also show what is logged until the run ends.")
@click.option("--failed", is_flag=True, help="Show only the logs of artifacts that failed.")
@click.option("--reveal", is_flag=True, help="Also show the logs of sensitive artifacts.")
@json_option
@store_option
def command(
    reference: str, *, follow: bool, failed: bool, reveal: bool, as_json: bool, store: str | None
) -> int:
    """Show the log of an artifact, or those of a run: of each artifact, in order of starting.

    Of several logs, each line begins with its artifact, and to a pipe a tab follows. `-` is the run
    itself: what was printed and belongs to no artifact.
    """
    from waivern.runs import queries
    from waivern.runs.recorded_artifacts import meant
    from waivern.runs.run_references import find, split

    if follow and as_json:
        raise UsageError("--json cannot be combined with --follow", hint="omit one of the two")
    where = opened(store)
    run, artifact = split(reference)
    record = queries.load(where, find(where, run))
    only = None if not artifact else meant(record, artifact)
    if only in record.sensitive and not reveal:
        raise RefusedError(f"the log of '{only}' is sensitive", hint="--reveal shows it")
    hidden = frozenset() if reveal else record.sensitive
    if as_json:
        texts = {
            name: where.read_log(record.metadata.run_id, name)
            for name in _names(record, only, hidden, failed=failed)
        }
        logs = [{"artifact": name, "text": text} for name, text in texts.items() if text]
        print_document("logs", {"run_id": record.metadata.run_id, "logs": logs})
        return 0
    printer = _LogPrinter(where, record.metadata.run_id, alone=only is not None)
    printer.print(_names(record, only, hidden, failed=failed))
    if follow and record.metadata.status is RunStatus.RUNNING:
        _follow(where, record, printer, lambda now: _names(now, only, hidden, failed=failed))
    if not printer.printed:
        what = f"'{only}'" if only else "a failed artifact" if failed else "the run"
        stderr().print(f"no log of {what} has a line")
    if left_out := [name for name in hidden if not only and record.steps[name].attempts]:
        stderr().print(f"sensitive, left out: {listed(sorted(left_out))}; --reveal shows them")
    return 0


def _names(
    record: RunRecord, only: str | None, hidden: Collection[str], *, failed: bool
) -> list[str | None]:
    """Return the artifacts whose logs are shown, in order of starting; None is the run itself."""
    if only is not None:
        return [only]
    steps = [step for step in ordered(record.steps.values()) if step.step_index is not None]
    if failed:
        steps = [step for step in steps if step.status is ArtifactStatus.FAILED]
    names: list[str | None] = [] if failed else [None]
    return [*names, *(step.artifact for step in steps if step.artifact not in hidden)]


class _LogPrinter:
    """The printer of logs, which prints each line once."""

    def __init__(self, store: RunStore, run_id: str, *, alone: bool) -> None:
        self.printed = False
        self._store = store
        self._run_id = run_id
        self._alone = alone
        self._out = stdout()
        self._offsets: dict[str | None, int] = {}

    def print(self, names: Iterable[str | None], *, whole: bool = True) -> None:
        """Print what is new in these logs; without `whole`, only lines that have ended."""
        for name in names:
            offset = self._offsets.get(name, 0)
            text = self._store.read_log(self._run_id, name)[offset:]
            if not whole:
                text = text[: text.rfind("\n") + 1]
            self._offsets[name] = offset + len(text)
            for line in text.splitlines():
                self._out.print(self._line(name, clean(line)))
                self.printed = True
        self._out.stream.flush()

    def _line(self, name: str | None, text: str) -> str:
        if self._alone:
            return text
        shown = name or "-"
        return f"{self._out.paint(shown, 'dim')}  {text}" if self._out.tty else f"{shown}\t{text}"


def _follow(
    where: RunStore,
    record: RunRecord,
    printer: _LogPrinter,
    names: Callable[[RunRecord], list[str | None]],
) -> None:
    """Print what is logged until the run ends."""
    from waivern.runs.follow import RunFollower

    follower, at_work = RunFollower(where, record), _at_work(record)
    while True:
        news = follower.look()
        for _, event in news.events:
            record.apply(event)
        before, at_work = at_work, _at_work(record)
        changed = before | at_work | {getattr(event, "artifact", None) for _, event in news.events}
        shown = [name for name in names(record) if name is None or name in changed]
        printer.print(shown, whole=not news.live)
        if not news.live:
            printer.print(names(record))
            return
        if not news.events:
            time.sleep(follower.interval)


def _at_work(record: RunRecord) -> set[str | None]:
    """Return the artifacts that were started and have not ended."""
    waiting = (ArtifactStatus.RUNNING, ArtifactStatus.NOT_STARTED)
    return {name for name in record.executed if record.steps[name].status in waiting}
