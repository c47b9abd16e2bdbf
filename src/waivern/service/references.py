"""What people type for a run: an id, a unique prefix of one, or a reference such as `@last`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePath

from waivern.errors import (
    IntegrityError,
    NotFoundError,
    RefusedError,
    RunNotFoundError,
    WaivernError,
)
from waivern.ids import ArtifactId, parse_artifact_id
from waivern.planning.children import ChildFile, Children
from waivern.planning.plan import Copy, Plan
from waivern.record.fold import RunRecord
from waivern.record.run import RunMetadata
from waivern.record.status import ArtifactStatus, RunStatus
from waivern.runbook.model import Reuse
from waivern.service import read
from waivern.service.children import ChildFiles
from waivern.service.read import RunRow
from waivern.store.base import RunStore

_REFERENCE = re.compile(r"(?P<stem>[^@]*)@(?P<which>last|failed)(?:~(?P<back>[0-9]{1,6}))?")
FORMS = "an id, a unique prefix of one, @last, @last~2, @failed or <runbook stem>@last"


def find(store: RunStore, text: str) -> str:
    """Return the id of the one run that `text` means.

    Raises RunNotFoundError if there is none, NotFoundError if there are several, IntegrityError if
    a run that cannot be read may be meant.
    """
    if "@" in text:
        rows, back = _fitting(store, text)
        if damaged := next((row for row in rows[: back + 1] if row.status == read.CORRUPT), None):
            raise IntegrityError(
                f"'{text}' may mean run {damaged.run_id}, which cannot be read: {damaged.fault}",
                hint="name the run that is meant by its id; "
                f"`wct runs verify {damaged.run_id}` tells what is damaged",
            )
        if len(rows) <= back:
            raise RunNotFoundError(
                f"no run fits '{text}'", hint="`wct runs` lists the runs there are"
            )
        return rows[back].run_id
    runs = store.runs()
    if text in runs:
        return text
    return _by_prefix(text, runs)


def standing(
    store: RunStore, record: RunRecord | None
) -> Callable[[str | None], Mapping[str, ArtifactStatus]]:
    """Return how the artifacts of a run stand that an expression names, or of `record`."""

    def statuses(run: str | None) -> Mapping[str, ArtifactStatus]:
        looked_at = read.load(store, find(store, run)) if run else record
        if looked_at is None:
            raise RefusedError(
                "a new run has no results yet", hint="name the run: result:failed@RUN"
            )
        return {name: step.status for name, step in looked_at.steps.items()}

    return statuses


def _by_prefix(text: str, runs: list[str]) -> str:
    wanted = text.replace("-", "").casefold()
    fitting = [run for run in runs if wanted and run.replace("-", "").casefold().startswith(wanted)]
    if not fitting:
        raise RunNotFoundError(
            f"no run {text[:200]!r}", hint=f"`wct runs` lists the runs; a run is named by {FORMS}"
        )
    if len(fitting) > 1:
        shown = ", ".join(fitting[:5]) + (", …" if len(fitting) > 5 else "")
        raise NotFoundError(
            f"'{text}' fits {len(fitting)} runs: {shown}", hint="type more of the id"
        )
    return fitting[0]


def candidates(store: RunStore, text: str) -> list[str]:
    """Return the runs that a reference with '@' may mean, the best first, if they can be read."""
    rows, back = _fitting(store, text)
    return [row.run_id for row in rows if row.status != read.CORRUPT][back:]


def _fitting(store: RunStore, text: str) -> tuple[list[RunRow], int]:
    """Return the runs among which a reference with '@' counts, the best first, and how far back.

    A run that cannot be read is among them, at its place if that can be told, unless it surely
    does not fit: of its runbook if that is known, and it may have failed.
    """
    parsed = _REFERENCE.fullmatch(text)
    if parsed is None:
        raise NotFoundError(
            f"'{text[:200]}' does not name a run", hint=f"a run is named by {FORMS}"
        )
    rows = [
        row._replace(metadata=row.metadata or _head(store, row)) for row in read.list_runs(store)
    ]
    rows.sort(key=lambda row: row.metadata.started_at if row.metadata else "~", reverse=True)
    if stem := parsed["stem"]:
        rows = [row for row in rows if row.metadata is None or _stem(row.metadata) == stem]
    if parsed["which"] == "failed":
        rows = [row for row in rows if row.status in (RunStatus.FAILED, read.CORRUPT)]
    return rows, int(parsed["back"] or 0)


def _head(store: RunStore, row: RunRow) -> RunMetadata | None:
    """Return what one of the two records of a damaged run still says of it."""
    with suppress(WaivernError):
        return RunMetadata.from_document(store.read_json(row.run_id, "run"))
    with suppress(WaivernError):
        return read.fold(store, row.run_id)[1].metadata
    return None


def _stem(run: RunMetadata) -> str | None:
    return PurePath(run.runbook_path).stem if run.runbook_path else None


class StoreResolver:
    """Pins the artifacts that a runbook reuses, from any run but the one that reuses them.

    Child runbooks come from `children`.
    """

    def __init__(
        self, store: RunStore, children: Children | None = None, reusing: str | None = None
    ) -> None:
        self._store = store
        self._children = children or ChildFiles(Path())
        self._reusing = reusing

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Find a child runbook."""
        return self._children.child(path, parent, templates)

    def reuse(self, _artifact: ArtifactId, source: Reuse) -> Copy:
        """Find the run, then what its journal says of the artifact, then check the bytes."""
        wanted = parse_artifact_id(source.artifact)
        if "@" in source.from_run:
            return self._newest(source.from_run, wanted)
        return self._pin(find(self._store, source.from_run), wanted)

    def _newest(self, reference: str, wanted: str) -> Copy:
        for run_id in candidates(self._store, reference):
            try:
                return self._pin(run_id, wanted)
            except (NotFoundError, IntegrityError):
                continue  # a run that has it not is passed over, as the reference asks
        raise RunNotFoundError(
            f"no run that '{reference}' may mean has completed '{wanted}'",
            hint="run that runbook first; `wct runs` lists the runs there are",
        )

    def _pin(self, run_id: str, wanted: str) -> Copy:
        if run_id == self._reusing:
            raise NotFoundError(
                f"run {run_id} is the one that is resumed",
                hint="an artifact of the same run is read with 'inputs'",
            )
        record = read.load(self._store, run_id)
        done = read.artifact(record, wanted)
        fault = self._store.verify(run_id, wanted, size=done.size, digest=done.digest)
        if fault:
            raise IntegrityError(
                f"artifact '{wanted}' of run {run_id} is {fault}",
                hint=f"resuming run {run_id} makes it again",
            )
        seq = record.steps[wanted].seq or 0
        return Copy(run_id, wanted, seq, done.digest, done.content_digest, done.schema)


class RecordedResolver:
    """Gives back what was pinned when the run began: a resume never looks again."""

    def __init__(self, pinned: dict[str, dict[str, object]], fallback: StoreResolver) -> None:
        self._pinned = pinned
        self._fallback = fallback

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Find a child runbook."""
        return self._fallback.child(path, parent, templates)

    def reuse(self, artifact: ArtifactId, source: Reuse) -> Copy:
        """Return the pinned artifact; look it up if the runbook did not have it before."""
        pinned = self._pinned.get(artifact)
        if pinned is None or pinned.get("as") != [source.from_run, source.artifact]:
            return self._fallback.reuse(artifact, source)
        try:
            return Copy(**{key: value for key, value in pinned.items() if key != "as"})  # type: ignore[arg-type]
        except TypeError as error:
            raise IntegrityError(f"the journal does not say what '{artifact}' reuses") from error


def pins(plan: Plan) -> dict[str, dict[str, object]]:
    """Return what the first event keeps of the reuse references; RecordedResolver reads it."""
    copies = {node.id: node.work for node in plan.nodes.values() if isinstance(node.work, Copy)}
    return {
        name: {
            "as": list(copy.asked),
            "run": copy.run,
            "artifact": copy.artifact,
            "seq": copy.seq,
            "digest": copy.digest,
            "content_digest": copy.content_digest,
            "schema": copy.schema,
        }
        for name, copy in copies.items()
    }
