"""Artifacts that a runbook reuses from other runs: resolved once, verified, recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from waivern.errors import (
    ArtifactNotFoundError,
    IntegrityError,
    NotFoundError,
    RedactedError,
    RunNotFoundError,
    WaivernError,
)
from waivern.ids import ArtifactId, parse_artifact_id
from waivern.language.producer_specs import ReuseSpec
from waivern.planning.child_runbooks import ChildFile, ChildFinder, ChildReference
from waivern.planning.plan import Copy, Plan
from waivern.planning.resolver import Resolver
from waivern.record.fold import RunRecord
from waivern.record.wording import redacted
from waivern.runs import queries
from waivern.runs.child_files import ChildFiles
from waivern.store.base import RunStore


class StoreResolver:
    """Pins the artifacts that a runbook in `folder` reuses, from any run but `reusing`.

    Child runbooks come from `children`, else from the folder; that is the current one unless given.
    """

    def __init__(
        self,
        store: RunStore,
        children: ChildFinder | None = None,
        reusing: str | None = None,
        *,
        folder: Path | None = None,
    ) -> None:
        self._store = store
        self._folder = folder or Path()
        self._children = children or ChildFiles(self._folder)
        self._reusing = reusing

    def child(self, path: str, parent: str, templates: tuple[str, ...]) -> ChildFile:
        """Find a child runbook."""
        return self._children.child(path, parent, templates)

    def reuse(self, _artifact: ArtifactId, source: ReuseSpec) -> Copy:
        """Find the run, then what its journal says of the artifact, then check the bytes."""
        wanted = parse_artifact_id(source.artifact)
        if "@" in source.from_run:
            record = self._newest(source.from_run, wanted)
        else:
            record = self._named(source.from_run)
        return self._pin(record, wanted)

    def _named(self, reference: str) -> RunRecord:
        from waivern.runs.run_references import find  # most runbooks reuse nothing

        run_id = find(self._store, reference, folder=str(self._folder))
        if run_id == self._reusing:
            raise NotFoundError(
                f"run {run_id} is the one that is resumed",
                hint="an artifact of the same run is read with 'inputs'",
            )
        return self._loaded(run_id)

    def _loaded(self, run_id: str) -> RunRecord:
        try:
            return queries.load(self._store, run_id)
        except IntegrityError as error:
            raise IntegrityError(
                f"run {run_id} cannot be verified: {error.message}",
                hint=f"`wct runs verify {run_id}` reports what is damaged",
            ) from error

    def _newest(self, text: str, wanted: str) -> RunRecord:
        """Return the run that a reference resolves to, among those that completed the artifact.

        Raises IntegrityError rather than pass over a run that may be the one.
        """
        from waivern.runs.run_references import parse

        reference = parse(text)
        for number, record in enumerate(self._with(wanted, text)):
            if number == reference.back:
                return record
        raise RunNotFoundError(
            f"no run that '{text}' matches has completed '{wanted}'",
            hint="run that runbook first; `wct runs` lists the runs there are",
        )

    def _with(self, wanted: str, text: str) -> Iterator[RunRecord]:
        """Yield the other runs that a reference fits and that completed an artifact, newest first.

        Raises IntegrityError at one that cannot be read.
        """
        from waivern.runs.run_references import fitting, parse, unreadable

        reference = parse(text)
        for row in fitting(self._store, reference, folder=str(self._folder)):
            if row.run_id == self._reusing:
                continue
            if row.status in queries.DAMAGED:
                raise unreadable(self._store, reference, row)
            try:
                record = self._loaded(row.run_id)
                queries.artifact(record, wanted)
            except (ArtifactNotFoundError, RunNotFoundError):  # it has none, or was removed
                continue
            yield record

    def _pin(self, record: RunRecord, wanted: str) -> Copy:
        run_id = record.metadata.run_id
        done = queries.artifact(record, wanted)
        if (event := record.steps[wanted].redacted) is not None:
            raise RedactedError(
                f"artifact '{wanted}' of run {run_id} is redacted: {redacted(event)}",
                hint="run its runbook again and reuse that run, or name a run that has it",
            )
        fault = self._store.verify(run_id, wanted, size=done.size, digest=done.digest)
        if not done.content_digest:  # of a run without a journal
            fault = fault or "no artifact file"
        if fault:
            hint = f"`wct runs verify {run_id}` reports what is damaged"
            hint += f", `wct runs resume {run_id}` rebuilds it" if record.vouched else ""
            raise IntegrityError(f"artifact '{wanted}' of run {run_id} is {fault}", hint=hint)
        seq = record.steps[wanted].seq or 0
        schema, keep = done.schema, done.keep
        return Copy(run_id, wanted, seq, done.digest, done.content_digest, schema, keep=keep)


class RecordedResolver:
    """A resolver that returns what was pinned when the run began: a resume never looks again."""

    def __init__(self, pinned: dict[str, dict[str, object]], fallback: Resolver) -> None:
        self._pinned = pinned
        self._fallback = fallback

    async def children(
        self, wanted: Sequence[ChildReference]
    ) -> Sequence[ChildFile | WaivernError]:
        """Return each child runbook, or the error of its lookup."""
        return await self._fallback.children(wanted)

    async def copies(
        self, wanted: Mapping[ArtifactId, ReuseSpec]
    ) -> Mapping[ArtifactId, Copy | WaivernError]:
        """Return each pinned artifact; look up those that the runbook did not have before."""
        pinned = {id_: self._recorded(id_, source) for id_, source in wanted.items()}
        unknown = {id_: wanted[id_] for id_, copy in pinned.items() if copy is None}
        found = await self._fallback.copies(unknown) if unknown else {}
        return {id_: found[id_] if copy is None else copy for id_, copy in pinned.items()}

    def _recorded(self, artifact: ArtifactId, source: ReuseSpec) -> Copy | WaivernError | None:
        pinned = self._pinned.get(artifact)
        if pinned is None or pinned.get("as") != [source.from_run, source.artifact]:
            return None
        try:
            return Copy(**{key: value for key, value in pinned.items() if key != "as"})  # type: ignore[arg-type]
        except TypeError:
            return IntegrityError(f"the journal does not say what '{artifact}' reuses")


def pins(plan: Plan) -> dict[str, dict[str, object]]:
    """Return what the first event records of the reuse references; RecordedResolver reads it."""
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
            **({} if copy.keep is None else {"keep": copy.keep}),
        }
        for name, copy in copies.items()
    }
