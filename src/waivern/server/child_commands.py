"""Commands that a server carries out for its clients, each a `wct` process of its own.

No component ever runs in the server: whatever it does to its process cannot reach other requests.
A child survives the server, so that a run does not depend on who started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import IO, NamedTuple

from waivern.errors import Exit
from waivern.message import Json
from waivern.server.error_documents import RequestError
from waivern.server.server_options import ServerOptions
from waivern.store.base import RunStore

CHILDREN = 32
"""The child processes of a server at a time."""
WAIT_S = 30.0
"""How long a request waits for its command to end, or for the run to begin."""
LOOK_S = 0.05
OUTPUT_BYTES = 16 << 20
_STATUSES = {
    Exit.USAGE: 422,
    Exit.INVALID: 422,
    Exit.NOT_FOUND: 404,
    Exit.REFUSED: 409,
    Exit.INTEGRITY: 500,
    Exit.STORE: 503,
}
ENDED = (Exit.OK, Exit.FAILED, Exit.POLICY, Exit.SUSPENDED, Exit.TIMEOUT)
"""The exit codes of commands that did what was asked, whatever became of the run."""
_PROGRAM = ("-P", "-c", "from waivern.cli.main import script; script()")


class ChildCommands:
    """The child processes of a server; its methods block, and are called on threads."""

    def __init__(self, store: RunStore, options: ServerOptions) -> None:
        self._store = store
        self._more = ["--store", store.url, "--json"]
        if options.trust_store:
            self._more.append("--trust-store")
        self._free = threading.BoundedSemaphore(CHILDREN)

    def carry_out(self, words: Sequence[str], *operands: str) -> dict[str, Json]:
        """Return the answer of a command that ends soon. Raises RequestError."""
        with ExitStack() as files:
            child = self._start(words, operands, files)
            try:
                child.process.wait(WAIT_S)
            except subprocess.TimeoutExpired:
                raise RequestError(
                    503, "the command has not ended yet", "look at the run"
                ) from None
            return child.answer()

    def begin(
        self,
        words: Sequence[str],
        operand: str,
        begun: Callable[[int], bool],
        params: dict[str, Json] | None = None,
    ) -> int:
        """Start a command, and return its process id when the run has begun.

        `begun` reports that for a process id. Raises RequestError if the command is refused.
        """
        with ExitStack() as files:
            child = self._start(words, [operand], files, params)
            process, deadline = child.process, time.monotonic() + WAIT_S
            while process.poll() is None and time.monotonic() < deadline:
                if begun(process.pid):
                    return process.pid
                time.sleep(LOOK_S)
            if process.poll() is not None:
                child.answer()
            return process.pid

    def _start(
        self,
        words: Sequence[str],
        operands: Sequence[str],
        files: ExitStack,
        params: dict[str, Json] | None = None,
    ) -> _Child:
        if not self._free.acquire(blocking=False):
            raise RequestError(429, f"{CHILDREN} commands are running", None, {"retry-after": "5"})
        try:
            answer = files.enter_context(_file())
            passed: tuple[int, ...] = ()
            more = list(self._more)
            if params:
                # not among the arguments: other users of the computer can see those
                given = files.enter_context(_file())
                given.write(json.dumps(params).encode())
                given.seek(0)
                passed = (given.fileno(),)
                more += ["--params", f"/dev/fd/{given.fileno()}"]
            process = subprocess.Popen(  # noqa: S603 - our own program
                [sys.executable, *_PROGRAM, *words, *more, "--", *operands],
                stdin=subprocess.DEVNULL,
                stdout=answer,
                stderr=subprocess.DEVNULL,
                pass_fds=passed,
                start_new_session=True,  # Ctrl-C at the server's terminal is not for it
            )
        except BaseException:
            self._free.release()
            raise
        threading.Thread(target=self._reap, args=(process,), daemon=True).start()
        return _Child(process, answer)

    def _reap(self, process: subprocess.Popen[bytes]) -> None:
        process.wait()
        self._free.release()


def _file() -> IO[bytes]:
    """Return a file without a name, which no other process can open."""
    return tempfile.TemporaryFile()


class _Child(NamedTuple):
    process: subprocess.Popen[bytes]
    output: IO[bytes]

    def answer(self) -> dict[str, Json]:
        """Return what the command answered. Raises RequestError if it was refused."""
        size = os.fstat(self.output.fileno()).st_size
        data = os.pread(self.output.fileno(), min(size, OUTPUT_BYTES), 0)
        try:
            found = json.loads(data)["data"]
        except (ValueError, KeyError, TypeError, RecursionError):
            found = {}
        code = self.process.returncode
        if code in ENDED:
            return found if isinstance(found, dict) else {}
        if not isinstance(found, dict) or "message" not in found:
            raise RequestError(500, f"the command exited with {code}")
        status = next((number for each, number in _STATUSES.items() if each == code), 500)
        problems = {"problems": found["problems"]} if found.get("problems") else {}
        raise RequestError(status, found["message"], found.get("hint"), more=problems)
