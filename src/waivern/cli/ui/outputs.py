"""`-o`: copies of a run's outputs in a folder of the user's choice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from waivern.errors import StoreError, UsageError
from waivern.message import encode
from waivern.planning.plan import Plan
from waivern.record.fold import RunRecord
from waivern.store.base import ArtifactRef, RunStore
from waivern.store.disk import Folder, explained, make_way


def usable(text: str) -> Path:
    """Return the folder to copy to; it may not be there yet. Raises UsageError if it cannot be."""
    path = Path(text)
    if not text or "\0" in text or (path.exists() and not path.is_dir()):
        raise UsageError(
            f"-o {text!r} is not a folder", hint="give a folder; it is made if need be"
        )
    return path


def copy_outputs(store: RunStore, plan: Plan, record: RunRecord, folder: Path) -> list[Path]:
    """Copy the completed artifacts marked `output: true`; return the files, in declared order.

    Each is replaced at once or not at all. Raises StoreError, IntegrityError.
    """
    copied = []
    with explained(f"write to {folder}"), _ours(folder):
        _make(folder)
        with Folder.root(str(folder)) as root:
            for name in plan.outputs:
                done = record.steps[name].completed
                if done is None:
                    continue
                ref = ArtifactRef(name, done.digest, done.content_digest)
                data = encode(store.fetch(record.metadata.run_id, ref)).data
                *parents, last = f"{name}.json".split("/")
                with root.below(parents, make=True) as place:
                    place.replace(last, data)
                copied.append(folder / f"{name}.json")
    return copied


@contextmanager
def _ours(folder: Path) -> Iterator[None]:
    """Say of a folder that may not be written to that it is that of `-o`, not the store's."""
    try:
        yield
    except PermissionError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror}",
            hint="give -o a folder that you may write to; the run is kept, and needs no other",
        ) from error


def _make(folder: Path) -> None:
    try:
        make_way(str(folder))
    except FileNotFoundError as error:  # where nothing can be made: below /proc, say
        raise StoreError(f"cannot make {folder}: {error.strerror}") from error
