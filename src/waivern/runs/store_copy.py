"""The copy of runs from one store to another, each verified where it arrives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple, TypeAlias

from waivern.errors import IntegrityError, RefusedError, RunLockedError, RunNotFoundError
from waivern.message import Json
from waivern.runs.verify import Verification, verify
from waivern.store.backend_store import BackendStore
from waivern.store.base import RunStore
from waivern.store.lock import this_process

CopyOutcome: TypeAlias = Literal["copied", "present", "refused", "faulty"]
"""`present`: the other store has it already, unchanged. `faulty`: its copy does not verify, and was
removed again."""


class CopiedRun(NamedTuple):
    """The outcome of copying one run."""

    run_id: str
    outcome: CopyOutcome
    artifacts: int | None = None
    """How many artifacts of the copy were verified."""
    reason: str | None = None

    def document(self) -> dict[str, Json]:
        """Return the outcome for programs."""
        return self._asdict()


def copy_runs(source: RunStore, target: RunStore, run_ids: Iterable[str]) -> Iterator[CopiedRun]:
    """Copy runs that have ended, and yield what happened to each as soon as it is known.

    Artifacts, journal, logs, pins and the lines of the history are copied; the cache is not, and is
    filled again. A store that is new takes over the id of the source, so that its runs are its own.
    Raises RefusedError if one of the stores is not written over a backend, or if both are the same.
    """
    if not isinstance(source, BackendStore) or not isinstance(target, BackendStore):
        raise RefusedError(
            "runs can be copied between stores over a backend only",
            hint="docs/how-to/write-a-store.md describes such a store",
        )
    if target.url == "memory:":
        raise RefusedError(
            "a store in memory is gone when the command ends", hint="name a path or a URL as TO"
        )
    if source.url == target.url:
        raise RefusedError(
            f"{source.url} cannot be copied to itself", hint="name another store as TO"
        )
    if (known := source.identity()) and target.identity() is None:
        target.adopt(known)
    for run_id in run_ids:
        yield _copied(source, target, run_id)


def _copied(source: BackendStore, target: BackendStore, run_id: str) -> CopiedRun:
    if (owner := source.owner(run_id)) is not None:
        reason = f"it is running: process {owner.pid} on {owner.host}"
        return CopiedRun(run_id, "refused", reason=reason)
    before = _last_line(source, run_id)
    if run_id in target.runs():
        if _same_journal(source, target, run_id):
            return CopiedRun(run_id, "present")
        reason = "the other store has another run of this id, or another state of it"
        return CopiedRun(run_id, "refused", reason=reason)
    try:
        target.copy_run(source, run_id, this_process())
    except (RefusedError, RunLockedError, RunNotFoundError) as error:
        return CopiedRun(run_id, "refused", reason=error.message)
    found = verify(target, run_id)
    if source.owner(run_id) is not None or _last_line(source, run_id) != before:
        target.remove(run_id, this_process())
        return CopiedRun(run_id, "refused", reason="it was resumed while it was being copied")
    if found.faults:
        target.remove(run_id, this_process())
        return CopiedRun(run_id, "faulty", reason=_first(found))
    _copy_history(source, target, run_id)
    doubt = None if found.vouched else "it has no journal that vouches for it"
    return CopiedRun(run_id, "copied", found.artifacts, doubt)


def _same_journal(source: RunStore, target: RunStore, run_id: str) -> bool:
    try:
        return source.read_journal(run_id).lines == target.read_journal(run_id).lines
    except IntegrityError:
        return False


def _last_line(store: RunStore, run_id: str) -> str | None:
    """Return the hash of the journal's last line; None if no journal can be read."""
    try:
        return store.read_journal(run_id).lines[-1].hash
    except IntegrityError:
        return None


def _first(found: Verification) -> str:
    fault, *more = found.faults
    others = f", and {len(more):,} more" if more else ""
    return f"{fault.path}: {fault.what}{others}"


def _copy_history(source: RunStore, target: RunStore, run_id: str) -> None:
    """Append the lines of a run that the other history does not have yet."""
    known = target.read_history(run_id)
    for line in source.read_history(run_id):
        if line not in known:
            target.append_history(line)
