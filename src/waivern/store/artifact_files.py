"""The files of an artifact, its own and those of its streams, in the order a crash may interrupt.

The file of an artifact describes its streams: while it is there, they must be the ones that it
describes. So streams get their names before it, and lose them after it; a stream without it is a
leftover that no reader sees.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from waivern.errors import IntegrityError
from waivern.message import STREAMS, StreamKind
from waivern.store.backend import CHUNK_BYTES, FileHandle, FolderHandle
from waivern.store.layout import artifact_parts, staged_stream, stream_of


class Staged(NamedTuple):
    """The files of an artifact where no reader sees them; their bytes are durable."""

    folder: FolderHandle
    name: str
    streams: tuple[StreamKind, ...]


def streams_there(run: FolderHandle, key: str) -> set[StreamKind]:
    """Return the kinds of streams of which there is a file under an artifact's key."""
    return {kind for kind in STREAMS if _is_there(run, artifact_parts(key, kind))}


def _is_there(run: FolderHandle, parts: list[str]) -> bool:
    *parents, name = parts
    try:
        with run.below(parents) as folder:  # step by step: the whole path may be too long
            return folder.has(name)
    except (FileNotFoundError, NotADirectoryError):
        return False


def put(
    run: FolderHandle, key: str, staged: Staged, *, each_step: bool, over: bool = False
) -> None:
    """Give staged files their names, in place of those that are there.

    `each_step` makes every step durable before the next; without it, all is durable once the
    folder of the artifact is synced, and until then the artifact may be missing or incomplete.
    With `over` its file stays until it is replaced, although its streams are replaced before.
    """
    before, now = streams_there(run, key), set(staged.streams)
    *parents, name = artifact_parts(key)
    with run.below(parents) as folder:
        if before & now and not over:  # the file there would describe other bytes than it finds
            folder.unlink(name)
            folder.sync()
        for kind in staged.streams:
            *inner, stream = artifact_parts(key, kind)
            with run.below(inner, make=True) as target:
                staged.folder.rename(staged_stream(staged.name, kind), stream, target)
                if each_step or inner != parents:
                    target.sync()
        staged.folder.rename(staged.name, name, folder)
        if each_step or before - now:
            folder.sync()
    remove_streams(run, key, before - now)


def remove(run: FolderHandle, key: str) -> None:
    """Remove an artifact and its streams, durably; nothing happens if there is none."""
    streams = streams_there(run, key)
    _unlink(run, artifact_parts(key))
    remove_streams(run, key, streams)


def remove_streams(run: FolderHandle, key: str, kinds: Iterable[StreamKind]) -> None:
    """Remove streams that no artifact's file describes, durably."""
    for kind in kinds:
        _unlink(run, artifact_parts(key, kind))


def _unlink(run: FolderHandle, parts: list[str]) -> None:
    with suppress(FileNotFoundError), run.below(parts[:-1]) as folder:
        folder.unlink(parts[-1])
        folder.sync()


def leftovers(paths: Sequence[str], keys: Iterable[str]) -> Iterator[str]:
    """Yield the paths in a run that are to be swept: what is staged, and artifacts by their keys.

    So are streams without an artifact.
    """
    doomed = {"/".join(artifact_parts(key)) for key in keys}
    kept = {path for path in paths if path not in doomed}
    for path in paths:
        stream = stream_of(path)
        orphaned = stream is not None and "/".join(artifact_parts(stream[1])) not in kept
        if path not in kept or orphaned or path.rpartition("/")[2].startswith(".tmp-"):
            yield path


class StreamFacts(NamedTuple):
    """The size and digest of a stream, as the file of its artifact describes it."""

    kind: StreamKind
    size: int
    digest: str


def described_streams(file: FileHandle) -> Iterator[StreamFacts]:
    """Yield the streams that an intact file of an artifact describes.

    They stand at its head, so that a large one need not be held in memory. Raises IntegrityError
    if something else stands there.
    """
    head = file.read(CHUNK_BYTES, 0)
    for kind in STREAMS:
        # keys of the document alone have this indentation, and text has no line ends
        _, found, rest = head.partition(b'\n  "%b": ' % kind.encode())
        if found:
            try:
                told, _ = json.JSONDecoder().raw_decode(rest.decode(errors="ignore"))
                yield StreamFacts(kind, int(told["size"]), str(told["digest"]))
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                raise IntegrityError(f"what it says of its {kind} cannot be read") from error
