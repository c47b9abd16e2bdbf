"""The values of the options that every command that runs something has."""

import os
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from waivern.cli.ui.options import supplied_params
from waivern.cli.ui.screen import screen
from waivern.errors import UsageError
from waivern.record.text_forms import clean_lines, near

if TYPE_CHECKING:
    from waivern.cli.ui.event_lines import LogFormat
    from waivern.cli.ui.exporting import PreparedExports
    from waivern.cli.ui.progress import ProgressDisplay
    from waivern.cli.ui.screen import Screen
    from waivern.language.project import Project
    from waivern.runs.run_options import RunOptions
    from waivern.runs.run_params import RequestedParams
    from waivern.store.base import RunStore


class TypedOptions(NamedTuple):
    """The values of `running_options` on the command line."""

    params: tuple[str, ...]
    params_file: str | None
    output: str | None
    exports: tuple[str, ...]
    export_settings: tuple[str, ...]
    store: str | None
    max_concurrency: int | None
    executor: str | None
    fail_fast: bool
    max_failures: int | None
    fail_on: tuple[str, ...]
    baseline: str | None
    reviewed: str | None
    min_coverage: float | None
    min_recall: float | None
    no_cache: bool
    refresh: tuple[str, ...]
    grace: float | None
    as_json: bool
    quiet: bool
    verbose: int
    log_format: "LogFormat"
    base: str | None = None
    trust_run: bool = False

    def __repr__(self) -> str:
        return type(self).__name__  # the parameters may be secrets

    def supplied_params(self) -> "RequestedParams":
        """Return the parameters. Raises UsageError, InvalidError and NotFoundError."""
        return supplied_params(self.params, self.params_file)

    def options(
        self, display: "ProgressDisplay", where: "RunStore", project: "Project | None"
    ) -> "RunOptions":
        """Return the options of the attempt."""
        from waivern.runs.run_options import DEFAULT_GRACE_S, RunOptions, fraction

        if self.fail_fast and self.max_failures not in (None, 1):
            raise UsageError("--fail-fast is --max-failures 1", hint="use one of the two")
        return RunOptions(
            environ=dict(os.environ),
            project=project,
            max_concurrency=self.max_concurrency,
            executor=self.executor,
            max_failures=1 if self.fail_fast else self.max_failures,
            cache=False if self.no_cache else None,
            refresh=frozenset(self.refresh),
            min_coverage=None if self.min_coverage is None else fraction(self.min_coverage),
            min_recall=None if self.min_recall is None else Fraction(str(self.min_recall)),
            fail_on=self.fail_on,
            baseline=self.baseline,
            reviewed=self.reviewed,
            output=self._usable_output(where),
            grace_s=DEFAULT_GRACE_S if self.grace is None else self.grace,
            listen=True,
            observers=display.observers,
            on_progress=display.progress,
            on_stop=display.stopping,
            on_wait=display.notice,
            on_output=display.output,
            all_output=self.verbose > 0 or self.log_format == "json",
            on_log=display.log_to,
            on_secrets=display.redact,
            on_start=partial(display.start, where=near(where.url)),
            base=self.base,
            trust_run=self.trust_run,
            on_foreign=partial(describe, screen(display.err)),  # sys.stderr is another meanwhile
        )

    def prepared_exports(
        self, store: "RunStore", project: "Project | None"
    ) -> "PreparedExports | None":
        """Return the exports, if there are any.

        Raises UsageError, NotFoundError, WaivernError, and what reading the baseline raises.
        """
        if not (self.exports or self.export_settings):
            return None
        from waivern.cli.ui.exporting import prepared, requested

        wanted = requested(self.exports, self.export_settings, store, project, as_json=self.as_json)
        return prepared(wanted, store, self.baseline, self.reviewed)

    def _usable_output(self, where: "RunStore") -> str | None:
        if self.output is None:
            return None
        from waivern.runs.output_delivery import usable  # most runs deliver nothing

        return usable(self.output, where)


def describe(err: "Screen", description: str) -> None:
    """Show what a run of another store would execute."""
    err.print(clean_lines(description))
