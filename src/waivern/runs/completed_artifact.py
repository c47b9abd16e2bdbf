"""A completed artifact of a run, for callers of the Python API."""

from __future__ import annotations

from dataclasses import dataclass, field

from waivern.message import Message
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.record.status import How
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef


@dataclass(frozen=True)
class Artifact:
    """A completed artifact of a run; what it holds is read when it is asked for."""

    run_id: str
    name: str
    how: How
    schema: str
    """'name/version'."""
    size: int
    """Bytes of its file."""
    digest: str
    """`sha256:` of its file, as `sha256sum` prints it."""
    content_digest: str
    """`sha256:` of its content, whatever stands around it: equal where the content is."""
    _store: RunStore = field(repr=False, compare=False)

    @classmethod
    def of(cls, store: RunStore, run_id: str, done: ArtifactCompletedRecord) -> Artifact:
        """Return the artifact that an event completed."""
        return cls(
            run_id=run_id,
            name=done.artifact,
            how=How(done.how),
            schema=done.schema,
            size=done.size,
            digest=done.digest,
            content_digest=done.content_digest,
            _store=store,
        )

    def message(self) -> Message:
        """Return the artifact, read and checked now.

        Raises IntegrityError if it is not what was recorded any more, ArtifactNotFoundError if it
        is gone, RunNotFoundError if the whole run is.
        """
        ref = ArtifactRef(self.name, self.digest, self.content_digest)
        return self._store.fetch(self.run_id, ref)
