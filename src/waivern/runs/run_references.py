"""References to runs: an id, a unique prefix of one, or a reference such as `@last`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePath
from typing import NamedTuple

from waivern.errors import (
    IntegrityError,
    NotFoundError,
    RunNotFoundError,
    StoreError,
)
from waivern.files import absolute
from waivern.language.loader import SUFFIXES
from waivern.record.status import RunStatus
from waivern.runs import queries, runbook_file
from waivern.runs.listing import RunGlance, RunListing
from waivern.runs.runbook_file import RunbookFile
from waivern.store.base import RunStore

_WHICH = r"(?P<which>last|failed)(?:~(?P<back>[0-9]{1,6}))?"
_REFERENCE = rf"(?s)(?P<head>.*)@{_WHICH}"
_WITH_ARTIFACT = rf"(?s)(?P<run>.*@{_WHICH})(?:/(?P<artifact>.*))?"
FORMS = (
    "an id, a unique prefix of one, @last, @last~2, @failed, "
    "<runbook>@last or <path of the runbook>@last"
)


class RunReference(NamedTuple):
    """A reference with '@', taken apart."""

    text: str
    head: str
    """A runbook, by its stem or its path; empty: any."""
    failed: bool
    back: int
    """How many of the runs that fit are newer."""


def find(
    store: RunStore, text: str, *, folder: str | None = None, of: RunbookFile | None = None
) -> str:
    """Return the id of the one run that `text` refers to.

    Paths start from `folder`, the current one unless given. References that name no runbook are
    looked up among the runs of `of`, if that is given. Raises RunNotFoundError if there is no such
    run, NotFoundError if `text` is ambiguous, IntegrityError if a run that cannot be read may be
    meant.
    """
    if "@" not in text:
        runs = store.runs()
        return text if text in runs else _by_prefix(text, runs)
    reference = parse(text)
    rows = fitting(store, reference, folder=folder, of=of)
    if damaged := next(filter(_unreadable, rows[: reference.back + 1]), None):
        raise unreadable(store, reference, damaged)
    if len(rows) <= reference.back:
        among = f" among the runs of {of.path or of.name}" if of and not reference.head else ""
        raise RunNotFoundError(
            f"no run matches '{text[:200]}'{among}", hint="`wct runs` lists the runs there are"
        )
    return rows[reference.back].run_id


def find_after_at(store: RunStore, text: str, of: RunbookFile) -> str:
    """Return the run after the '@' of `result:failed@RUN`, where `last` is short for `@last`."""
    if re.fullmatch(_WHICH, text) and text not in store.runs():
        text = f"@{text}"
    return find(store, text, of=of)


def split(text: str) -> tuple[str, str]:
    """Return the two parts of RUN/ARTIFACT; the second is empty if there is none.

    The path of a runbook in a reference may have a '/', too.
    """
    if parsed := re.fullmatch(_WITH_ARTIFACT, text):
        return parsed["run"], parsed["artifact"] or ""
    run, _, artifact = text.partition("/")
    return run, artifact


def parse(text: str) -> RunReference:
    """Return a reference with '@' taken apart. Raises NotFoundError if it is none."""
    parsed = re.fullmatch(_REFERENCE, text)
    if parsed is None:
        raise NotFoundError(
            f"'{text[:200]}' does not name a run", hint=f"a run is named by {FORMS}"
        )
    return RunReference(text, parsed["head"], parsed["which"] == "failed", int(parsed["back"] or 0))


def _found(store: RunStore, text: str, of: RunbookFile) -> str:
    """Return the run after the '@' of `result:failed@RUN`, where `last` is short for `@last`."""
    if re.fullmatch(_WHICH, text) and text not in store.runs():
        text = f"@{text}"
    return find(store, text, of=of)


def _by_prefix(text: str, runs: list[str]) -> str:
    wanted = text.replace("-", "").casefold()
    found = [run for run in runs if wanted and run.replace("-", "").casefold().startswith(wanted)]
    if not found:
        raise RunNotFoundError(
            f"no run {text[:200]!r}", hint=f"`wct runs` lists the runs; a run is named by {FORMS}"
        )
    if len(found) > 1:
        shown = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
        raise NotFoundError(f"'{text}' fits {len(found)} runs: {shown}", hint="type more of the id")
    return found[0]


def fitting(
    store: RunStore,
    reference: RunReference,
    *,
    folder: str | None = None,
    of: RunbookFile | None = None,
) -> list[RunGlance]:
    """Return the runs among which a reference counts, newest first.

    A run that cannot be read is among them, at its place if that is known, unless it surely does
    not fit. Raises NotFoundError if the reference fits the runs of several runbooks.
    """
    rows = RunListing(store).glances
    rows.sort(key=lambda row: row.started_at or "~", reverse=True)
    if reference.head:
        rows = _of_runbook(store, reference, rows, Path(absolute(folder or "")))
    elif of is not None:
        rows = [
            row
            for row in rows
            if row.head is None or runbook_file.of_run(store, row.head).same_as(of)
        ]
    if reference.failed:
        rows = [row for row in rows if row.status in (RunStatus.FAILED, *queries.DAMAGED)]
    return rows


def _unreadable(row: RunGlance) -> bool:
    return row.status in queries.DAMAGED


def unreadable(
    store: RunStore, reference: RunReference, row: RunGlance
) -> IntegrityError | StoreError:
    """Return the error for a run that a reference may name but that cannot be read."""
    found = queries.look(store, row.run_id)
    kind = StoreError if found.status == queries.UNREADABLE else IntegrityError
    return kind(
        f"'{reference.text}' may mean run {row.run_id}, which cannot be read: {found.fault}",
        hint="name the run that is meant by its id; "
        f"`wct runs verify {row.run_id}` reports what is damaged",
    )


# runbooks


def _of_runbook(
    store: RunStore, reference: RunReference, rows: list[RunGlance], folder: Path
) -> list[RunGlance]:
    """Return the runs of the runbook that the head names, and those that may be of it."""
    head = Path(reference.head).expanduser()
    files: dict[str, str] = {}
    for row in rows:
        path = row.head and row.runbook_path
        if path and head.name in (PurePath(path).stem, PurePath(path).name):
            files[row.run_id] = runbook_file.of_run(store, row).path or ""
    meant = set(_meant(reference.head, set(files.values()), folder / head))
    if len(meant) > 1:
        raise _ambiguous(reference, sorted(meant), folder)
    return [row for row in rows if row.head is None or files.get(row.run_id) in meant]


def _meant(head: str, files: set[str], path: Path) -> Iterator[str]:
    """Yield the files that a head names: exactly its path, else all that end in it."""
    if os.sep not in head and not head.endswith(SUFFIXES):  # a stem
        yield from files
        return
    target = os.path.realpath(path)
    exact = {target, *(f"{target}{suffix}" for suffix in SUFFIXES)}
    if found := exact & files:
        yield from found
    elif not any(map(os.path.lexists, exact)):  # it is not one that has no run yet
        end = PurePath(os.path.normpath(head)).parts
        yield from (path for path in files if _ends_in(path, end))


def _ends_in(path: str, end: tuple[str, ...]) -> bool:
    parts = PurePath(path).parts
    return any(one[-len(end) :] == end for one in (parts, (*parts[:-1], PurePath(path).stem)))


def _ambiguous(reference: RunReference, files: list[str], folder: Path) -> NotFoundError:
    near = [_near(path, folder) for path in files]
    shown = ", ".join(islice(near, 10)) + (f" and {len(near) - 10} more" if near[10:] else "")
    which = reference.text[len(reference.head) :]
    return NotFoundError(
        f"'{reference.text[:200]}' fits the runs of {len(files)} runbooks: {shown}",
        hint=f"name one by its path, as in '{near[0]}{which}'",
    )


def _near(path: str, folder: Path) -> str:
    """Return a path as it is typed in a folder; one of a single part would be a bare name."""
    relative = os.path.relpath(path, os.path.realpath(folder))
    if relative.startswith(os.pardir):
        return path
    return relative if os.sep in relative else f"{os.curdir}{os.sep}{relative}"
