"""What the terms of a verb for programs come to, and the runs that are carried out on them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import NamedTuple, TypeAlias, cast

from waivern.api import argument_types
from waivern.api.parameters import PlanTerms, ReplayTerms, ResumeTerms
from waivern.api.run_queries import chosen, folder_of, project_at
from waivern.diagnostics import did_you_mean, shown
from waivern.errors import UsageError
from waivern.language.models import Runbook
from waivern.message import Json
from waivern.runs import rerun
from waivern.runs.attempt import RunOptions, part
from waivern.runs.locate import refuse_unkept, unkept
from waivern.runs.output_delivery import usable
from waivern.runs.result import RunResult
from waivern.runs.run_params import GivenParams
from waivern.runs.selection import Selection
from waivern.runs.start import start
from waivern.store.base import RunStore

Source: TypeAlias = str | os.PathLike[str] | Runbook
"""The path of a runbook, or a Runbook."""

NONE: Mapping[str, Json] = MappingProxyType({})


def readable(source: Source) -> str | Runbook:
    """Return the source as the use cases take it. Raises UsageError for what is neither."""
    if isinstance(source, Runbook):
        return source
    if source is None or isinstance(source, Mapping | bytes):
        hint = "give a path; a runbook's text goes through waivern.load(text=...)"
        kind = "None" if source is None else f"of the type {type(source).__name__}"
        raise UsageError(f"source= cannot be {kind}", hint=hint)
    argument_types.path("source", source, otherwise=", or what waivern.load returns")
    return os.fspath(source)


class ApiSession(NamedTuple):
    """A store, and how to go about it."""

    store: RunStore
    options: RunOptions
    params: GivenParams
    selection: Selection
    unkept: str | None = None
    """Why there is no run in the store; None if there may be."""

    def start(self, source: Source, run_id: str | None, options: RunOptions) -> RunResult:
        """Run a runbook in a new run."""
        return start(
            readable(source),
            self.store,
            options,
            run_id=run_id,
            params=self.params,
            selection=self.selection,
        )

    def resume(
        self, run: str, source: Source | None, terms: ResumeTerms, options: RunOptions
    ) -> RunResult:
        """Continue a run, on terms that are looked at for what only a resume takes."""
        refuse_unkept(self.unkept, "resume")
        return rerun.resume(
            None if source is None else readable(source),
            run,
            self.store,
            options,
            allow_changed=terms.get("allow_changed", False),
            force=terms.get("force", False),
            ask_again=terms.get("ask_again", False),
            params=self.params,
            data=terms.get("data", NONE),
            selection=self.selection,
            by=terms.get("by", ""),
        )

    def replay(self, run: str, run_id: str | None, options: RunOptions) -> RunResult:
        """Run again what a run kept."""
        refuse_unkept(self.unkept, "replay")
        return rerun.replay(run, self.store, options, run_id=run_id, params=self.params)


def situation(verb: str, takes: type[PlanTerms], given: Mapping[str, object]) -> ApiSession:
    """Return what the terms of a verb come to, if they are of those it takes.

    Raises TypeError for one that it does not have, as for any function; UsageError for a value that
    cannot be one, and what `chosen` raises.
    """
    _refuse_unknown(verb, takes, given)
    argument_types.check(given)
    terms = cast("ReplayTerms", given)
    root, output = terms.get("project_root"), terms.get("output")
    project, store = project_at(root), chosen(terms.get("store"), root)
    options = RunOptions(
        environ=dict(os.environ),
        project=project,
        folder=folder_of(root),
        base=_folder(given, "base"),
        trust_run=_switch(given, "trust_run") is True,
        max_concurrency=_count(given, "max_concurrency"),
        max_failures=_count(given, "max_failures"),
        cache=_switch(given, "cache"),
        refresh=frozenset(_texts(given, "refresh")),
        min_coverage=_percentage(given, "min_coverage"),
        fail_on=_texts(given, "fail_on"),
        output=None if output is None else usable(os.fspath(output), store),
    )
    return ApiSession(
        store,
        options,
        GivenParams(values=terms.get("params") or NONE),
        Selection(_texts(given, "select"), _texts(given, "exclude")),
        None if terms.get("store") is not None else unkept(None, os.environ, project),
    )


def _refuse_unknown(verb: str, takes: type[PlanTerms], given: Mapping[str, object]) -> None:
    known = takes.__annotations__
    for name in given.keys() - known.keys():
        hint = did_you_mean(name, known)
        text = f"waivern.{verb}() got an unexpected keyword argument {name!r}"
        raise TypeError(f"{text}; {hint}" if hint else text)


def refuse_others(
    given: Mapping[str, object], what: str, beside: str, takes: type[PlanTerms]
) -> None:
    """Raise UsageError if something is given that says anything, and does not go with `what`."""
    allowed = {what, beside, *takes.__annotations__}
    if others := [name for name, value in given.items() if value and name not in allowed]:
        verb = "run" if what == "source" else what
        raise UsageError(
            f"{what}= and {'=, '.join(others)}= do not go together",
            hint=f"with {what}= goes what waivern.{verb}() takes",
        )


def _count(given: Mapping[str, object], name: str) -> int | None:
    value = given.get(name)
    if value is None or (isinstance(value, int) and value is not True and value >= 1):
        return value
    raise _wrong(name, value, "a whole number from 1")


def _percentage(given: Mapping[str, object], name: str) -> Fraction | None:
    value = given.get(name)
    if value is None:
        return None
    if isinstance(value, int | float) and value is not True and 0 <= value <= 100:
        return part(value)
    raise _wrong(name, value, "a percentage from 0 to 100")


def _switch(given: Mapping[str, object], name: str) -> bool | None:
    value = given.get(name)
    if value is None or isinstance(value, bool):
        return value
    raise _wrong(name, value, "True or False")


def _folder(given: Mapping[str, object], name: str) -> str | None:
    value = given.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, os.PathLike) and isinstance(path := os.fspath(value), str):
        return path
    raise _wrong(name, value, "the path of a folder")


def _texts(given: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = given.get(name, ())
    found = tuple(value) if isinstance(value, Iterable) and not isinstance(value, str) else (value,)
    texts = tuple(each for each in found if isinstance(each, str))
    if len(texts) < len(found):
        raise _wrong(name, value, "a text, or several")
    return texts


def _wrong(name: str, value: object, wanted: str) -> UsageError:
    return UsageError(f"{name}= cannot be {shown(repr(value))}", hint=f"give {wanted}")
