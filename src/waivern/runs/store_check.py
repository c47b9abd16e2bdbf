"""The check of a whole store: its id, its history, its access log, and every run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from waivern.errors import IntegrityError, NotFoundError, RunLockedError, RunNotFoundError
from waivern.message import Json
from waivern.record.run_summary import REMOVED, RunSummary
from waivern.record.text_forms import counted
from waivern.runs.verify import verify
from waivern.store.backend_store import BackendStore
from waivern.store.base import RunStore

CheckState: TypeAlias = Literal["intact", "altered", "unverifiable", "running", "note"]
"""`note`: something that a crash explains, and that the next run mends."""


class CheckedPart(NamedTuple):
    """A part of a store, and what was found."""

    part: str
    """`id`, `history`, `access log`, `leftovers`, or the id of a run."""
    state: CheckState
    detail: str

    def document(self) -> dict[str, Json]:
        """Return it for programs."""
        return self._asdict()


def check_store(store: RunStore) -> Iterator[CheckedPart]:
    """Check a store without changing it, and yield each part as soon as it is known.

    Raises NotFoundError if there is no store at its place.
    """
    if store.identity() is None and not store.runs() and not store.read_history():
        raise NotFoundError(
            f"there is no store at {store.url}, or nothing has run in it yet",
            hint="`wct config show` shows the store that commands use, and why",
        )
    yield from _on_identity(store)
    yield from _on_history(store)
    yield from _on_access_log(store)
    yield from _on_leftovers(store)
    for run_id in store.runs():
        yield from _on_run(store, run_id)


def _on_identity(store: RunStore) -> Iterator[CheckedPart]:
    try:
        found = store.identity()
    except IntegrityError as error:
        yield CheckedPart("id", "altered", error.message)
    else:
        detail = found or "none yet: the first run creates it"
        yield CheckedPart("id", "intact" if found else "note", detail)


def _on_history(store: RunStore) -> Iterator[CheckedPart]:
    lines = store.read_history()
    strange = [line for line in lines if RunSummary.of(line) is None and not _is_removal(line)]
    if strange:
        detail = f"{len(strange):,} of {len(lines):,} lines are no summary of a run, and skipped"
        yield CheckedPart("history", "altered", detail)
    else:
        yield CheckedPart("history", "intact", counted(len(lines), "line"))


def _is_removal(line: dict[str, Json]) -> bool:
    return line.get("event") == REMOVED


def _on_access_log(store: RunStore) -> Iterator[CheckedPart]:
    try:
        found = store.read_access()
    except IntegrityError as error:
        yield CheckedPart("access log", "altered", error.message)
    else:
        yield CheckedPart("access log", "intact", counted(len(found.lines), "line"))


def _on_leftovers(store: RunStore) -> Iterator[CheckedPart]:
    names = store.leftovers() if isinstance(store, BackendStore) else []
    if names:
        detail = f"{', '.join(names[:3])}: a crash left it, and the next run sweeps it"
        yield CheckedPart("leftovers", "note", detail)


def _on_run(store: RunStore, run_id: str) -> Iterator[CheckedPart]:
    try:
        found = verify(store, run_id)
    except RunLockedError:
        yield CheckedPart(run_id, "running", "it is checked when it has ended")
    except RunNotFoundError:  # it was removed meanwhile
        return
    else:
        if found.faults:
            fault, *more = found.faults
            others = f", and {len(more):,} more" if more else ""
            yield CheckedPart(run_id, "altered", f"{fault.path}: {fault.what}{others}")
        elif not found.vouched:
            yield CheckedPart(run_id, "unverifiable", "it has no journal")
        else:
            detail = (
                f"{counted(found.lines, 'journal line')}, {counted(found.artifacts, 'artifact')}"
            )
            yield CheckedPart(run_id, "intact", detail)
