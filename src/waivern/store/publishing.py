"""The publication of staged artifacts: small ones wait in memory and are written in groups."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from waivern.errors import StoreError
from waivern.store import artifact_files
from waivern.store.artifact_files import Staged
from waivern.store.backend import FileHandle, FolderHandle
from waivern.store.os_errors import explained, failure
from waivern.store.staging import OwnStaging
from waivern.store.store_values import Receipt
from waivern.store.syncers import Syncers

WAVE = 64
"""Files that are written before they are synced; twice as many are open at once, of the 1,024 that
a process usually may have."""


@contextmanager
def there(action: str) -> Iterator[None]:
    """Turn system errors into StoreErrors, a missing file too: a held run has all its files."""
    try:
        with explained(action):
            yield
    except FileNotFoundError as error:
        raise failure(action, error) from error


class Publisher:
    """The artifacts of a held run: those that wait in memory, and the way to their places.

    `found` states that an earlier holder may have published streams, `threads` that several may
    sync at once.
    """

    def __init__(
        self, run: FolderHandle, staging: OwnStaging, *, found: bool, threads: bool
    ) -> None:
        self._run = run
        self._staging = staging
        self._syncers = Syncers(threads=threads)
        self._named: set[str] = set()
        """The folders of artifacts whose names are durable."""
        self._streamed: set[str] = set()
        """The artifacts that this attempt has published with streams, or in place of such."""
        self._found = found

    def publish(self, receipts: Sequence[Receipt], *, over: bool = False) -> None:
        """Make staged artifacts visible under their keys, durably."""
        self._check(receipts)
        self._write(receipts)
        by_folder: dict[str, list[Receipt]] = defaultdict(list)
        for receipt in receipts:
            by_folder[receipt.key.rpartition("/")[0]].append(receipt)
        for path, together in by_folder.items():
            parents = path.split("/") if path else []
            with there("publish artifacts"), self._run.below(parents, make=True) as folder:
                # only now that its bytes are durable does a file get its name, or a power loss
                # could leave an empty artifact; one sync then makes all names durable
                for receipt in together:
                    self._put(folder, receipt, over=over)
                folder.sync()
                self._sync_names(parents)

    def failure(self, receipts: Sequence[Receipt], error: OSError) -> StoreError:
        """Return the error for a group of operations that failed, with the artifact if it is known.

        A backend that delays operations names the file of the one that failed.
        """
        for receipt in receipts:
            if error.filename == receipt.staged.rpartition("/")[2]:
                failed = failure(f"write artifact '{receipt.key}'", error)
                failed.artifact = receipt.key
                return failed
        return failure("publish artifacts", error)

    def release_held(self, receipts: Iterable[Receipt]) -> None:
        """Release the memory of published artifacts: now readers find them in their places."""
        for receipt in receipts:
            self._staging.held.forget(receipt.staged)

    def _check(self, receipts: Sequence[Receipt]) -> None:
        for receipt in receipts:
            if receipt.staged.partition("/")[0] != self._staging.name:
                raise StoreError(f"'{receipt.key}' was staged by another attempt")

    def _put(self, folder: FolderHandle, receipt: Receipt, *, over: bool) -> None:
        """Give a staged artifact its name, and those of its streams before."""
        staged = receipt.staged.rpartition("/")[2]
        if receipt.streams or self._found or receipt.key in self._streamed:
            place = Staged(self._staging.folder, staged, receipt.streams)
            artifact_files.put(self._run, receipt.key, place, each_step=over, over=over)
            self._streamed.add(receipt.key)
        else:  # nothing is there that describes streams
            name = receipt.key.rpartition("/")[2] + ".json"
            self._staging.folder.rename(staged, name, folder)

    def _write(self, receipts: Sequence[Receipt]) -> None:
        """Write what is held in memory, durably: one wave is written as another is synced."""
        durable: list[Callable[[], None]] = []
        held = [
            (each, data)
            for each in receipts
            if (data := self._staging.held.get(each.staged)) is not None
        ]
        try:
            for start in range(0, len(held), WAVE):
                created = self._created(held[start : start + WAVE])
                durable.append(self._syncers.sync(created))
                if len(durable) > 1:
                    self._wait(durable)
        finally:
            while durable:
                self._wait(durable)

    def _wait(self, durable: list[Callable[[], None]]) -> None:
        with there("write artifacts"):
            durable.pop(0)()

    def _created(self, held: list[tuple[Receipt, bytes]]) -> list[FileHandle]:
        """Create the files of those that are held in memory; they are to be synced and closed."""
        files: list[FileHandle] = []
        named = ((each.staged.rpartition("/")[2], data) for each, data in held)
        try:
            self._staging.folder.create_all(named, files)
        except BaseException as error:
            for file in files:
                file.close()
            if not isinstance(error, OSError):
                raise
            key = held[len(files)][0].key  # the first one that is not complete
            failed = failure(f"write artifact '{key}'", error)
            failed.artifact = key
            raise failed from error
        return files

    def _sync_names(self, parents: list[str]) -> None:
        """Make the names of folders durable: another thread that created them may not have yet."""
        for depth in range(len(parents)):
            path = "/".join(parents[: depth + 1])
            if path not in self._named:
                with self._run.below(parents[:depth]) as above:
                    above.sync()
                self._named.add(path)

    def unpublish(self, keys: Iterable[str]) -> None:
        """Remove published artifacts, durably."""
        for key in keys:
            with there(f"withdraw '{key}'"):
                artifact_files.remove(self._run, key)

    def sweep(self, keys: Iterable[str]) -> None:
        """Remove these artifacts, and the leftovers of a process that was killed."""
        self._staging.held.clear()  # of calls that were cut off: it is never published
        with there("remove invalidated artifacts"):
            found: dict[str, list[str]] = defaultdict(list)
            for path in artifact_files.leftovers([path for path, _ in self._run.walk()], keys):
                folder_path, _, name = path.rpartition("/")
                found[folder_path].append(name)
            for folder_path, names in found.items():
                with self._run.below(folder_path.split("/") if folder_path else []) as folder:
                    for name in names:
                        folder.unlink(name)
                    folder.sync()  # or a power loss brings them back when the run has ended

    def forget(self) -> None:
        """Release what is held in memory."""
        self._staging.held.clear()

    def close(self) -> None:
        """Release what is held in memory, and end the threads."""
        self._staging.held.clear()
        self._syncers.close()
