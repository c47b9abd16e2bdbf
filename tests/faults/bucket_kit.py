"""A bucket that processes share, and runs in it with a fault at one of their requests."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
import time
import traceback
import urllib.parse
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from waivern import Runbook, load, resume, run
from waivern.store.backend_store import BackendStore
from waivern.store.objects.bucket import Bucket, BucketEntry
from waivern.store.objects.bucket_backend import BucketBackend

BOOK = """
name: book
artifacts:
  one: {source: {type: python, properties: {call: "steps.py:value", args: {x: 1}}}}
  two: {source: {type: python, properties: {call: "steps.py:value", args: {x: 2}}}}
  all: {inputs: [one, two], process: {type: python, properties: {call: "steps.py:total"}}}
  rows: {inputs: all, process: {type: python, properties: {call: "steps.py:rows"}}}
"""
STEPS = """
def value(x):
    return {"value": x, "more": "some text " * 20}

def total(inputs):
    return {"total": sum(each["value"] for each in inputs)}

def rows(inputs):
    return [{"n": n, "text": "r" * 100} for n in range(2000)]
"""
Action = Literal["before", "after", "kill", "kill after", "wait"]


class FolderBucket(Bucket):
    """A bucket whose objects are files, so that several processes can use it.

    `fault` is carried out at the request with the number `at`, counted from 1: it fails before or
    after its effect, the process is killed before or after it, or it waits until the file `go` is
    there. With `lasting` all later requests fail too.
    """

    def __init__(
        self, folder: Path, fault: Action | None = None, at: int = 0, *, lasting: bool = False
    ) -> None:
        self.url = f"folder:{folder}"
        self.folder = folder
        self.count = 0
        self._fault = fault
        self._at = at
        self._lasting = lasting
        self._mutex = threading.Lock()

    def _request(self, effect: Callable[[], object]) -> object:
        with self._mutex:
            self.count += 1
            here = self.count == self._at or (self._lasting and self.count > self._at > 0)
        if not here:
            return effect()
        if self._fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._fault == "wait":
            (self.folder.parent / "waits").touch()
            while not (self.folder.parent / "go").exists():
                time.sleep(0.01)
            return effect()
        if self._fault != "before":
            with suppress(OSError):
                effect()
        if self._fault == "kill after":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.EIO, "the bucket did not answer")

    def _path(self, key: str) -> Path:
        return self.folder / urllib.parse.quote(key, safe="")

    def put(self, key: str, data: bytes) -> None:
        self._request(lambda: self._staged(data).rename(self._path(key)))

    def create(self, key: str, data: bytes) -> None:
        def effect() -> None:
            staged = self._staged(data)
            try:
                os.link(staged, self._path(key))
            finally:
                staged.unlink()

        self._request(effect)

    def _staged(self, data: bytes) -> Path:
        path = self.folder / f".{uuid.uuid4()}"
        path.write_bytes(data)
        return path

    def get(self, key: str, start: int = 0, size: int | None = None) -> bytes:
        found = self._request(self._path(key).read_bytes)
        assert isinstance(found, bytes)
        return found[start:] if size is None else found[start : start + size]

    def changed_ns(self, key: str) -> int:
        found = self._request(self._path(key).stat)
        assert isinstance(found, os.stat_result)
        return found.st_mtime_ns

    def list(self, prefix: str, after: str = "") -> Iterator[BucketEntry]:
        found = self._request(lambda: sorted(self.entries(prefix)))
        assert isinstance(found, list)
        yield from (entry for entry in found if entry.key > after)

    def entries(self, prefix: str = "") -> Iterator[BucketEntry]:
        """Yield the objects, in any order, without a request."""
        for path in self.folder.iterdir():
            key = urllib.parse.unquote(path.name)
            if key.startswith(prefix) and not path.name.startswith("."):
                try:
                    status = path.stat()
                except FileNotFoundError:  # another process has deleted it
                    continue
                yield BucketEntry(key, status.st_size, status.st_mtime_ns)

    def delete(self, keys: Iterable[str]) -> None:
        doomed = list(keys)

        def effect() -> None:
            for key in doomed:
                self._path(key).unlink(missing_ok=True)

        self._request(effect)


def store_in(bucket: Bucket) -> BackendStore:
    """Return a store in a bucket."""
    return BackendStore(BucketBackend(bucket))


def book(folder: Path) -> Runbook:
    """Return the runbook."""
    (folder / "steps.py").write_text(STEPS)
    return load(text=BOOK, folder=folder)


def start_or_resume(bucket: Bucket, folder: Path) -> str:
    """Do what a person does: begin the run, or resume it if there is one; return its status."""
    store = store_in(bucket)
    if "r" in store.runs():
        return str(resume("r", book(folder), store=store).status)
    return str(run(book(folder), store=store, run_id="r").status)


def forked(action: Callable[[], object]) -> int:
    """Begin an action in a child process; return its id. An error there is exit code 1."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        action()
        code = 0
    except BaseException:  # noqa: BLE001
        traceback.print_exc()
    finally:
        os._exit(code)


def exit_of(pid: int) -> int:
    """Wait for a child process; return its exit code, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
