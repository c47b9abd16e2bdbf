"""The pool of workers of one attempt, as the coordinator sees it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from functools import cache
from typing import NamedTuple
from weakref import WeakSet

from waivern.engine.site import Site
from waivern.engine.workers.channel import Channel
from waivern.engine.workers.fork_template import ENDED, FORK, FORKED, KILL, REPORT, REQUEST

START_S = 30.0
"""How long the template may take to fork a worker, on a machine that is busy."""
TIDY_S = 0.5
"""How long idle workers have to end by themselves, with what components have registered."""
STARTS = 3
"""How often a worker is started that ends at once, as when the template was killed."""
END_S = 2.0
"""How long the report of the end of a worker may take."""
CLOSE_S = 5.0
"""How long the template may take to end all that the workers have started."""
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from waivern.engine.workers.fork_template import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[4])"
)
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE")
_INHERITED_PREFIXES = ("LC_", "LD_", "DYLD_", "PYTHON", "MALLOC_", "COVERAGE_")
"""What an interpreter and its libraries read when they start. All other variables are sent over the
channel, so that the environment of a worker, which others on the machine may see, has no secret."""


class PoolError(Exception):
    """No worker can be had; the text says why."""


class _GoneError(PoolError):
    """A worker, or the template, has ended while the worker was started: another may be started."""


class ComponentKey(NamedTuple):
    """The component that a worker serves, with the digests of its code."""

    kind: str
    type: str
    code: str


class WorkerHandle:
    """A worker process, at work on one call or idle."""

    def __init__(
        self,
        number: int,
        key: ComponentKey,
        channel: Channel,
        output: int,
        control: socket.socket,
    ) -> None:
        self.number = number
        self.control = control
        """The connection to the template that has forked it."""
        self.orphaned = False
        """Whether it has ended because its template had."""
        self.key = key
        self.channel = channel
        self.output = output
        """The end of the pipe from which what it prints behind Python's back is read."""
        self.calls = 0
        """The number of calls that it has had. What it says of an earlier one may come late."""
        self.served: set[str] = set()
        """The artifacts whose calls it has had."""
        self.pid = 0
        self.forked = threading.Event()
        self.ended = threading.Event()
        self.exit_code: int | None = None
        """Known when it has ended; negative for the number of a signal."""
        self._lock = threading.Lock()
        self._closed = False

    @property
    def end(self) -> str:
        """How it ended, for people."""
        code = self.exit_code
        if code is None:
            return "its worker is gone"
        if code >= 0:
            return f"its worker ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"its worker was ended by {name}" + (_OUT_OF_MEMORY if name == "SIGKILL" else "")

    def hang_up(self) -> None:
        """Receive nothing that is sent from now on, so that no one waits for it.

        A child that the component forked may hold the other end of the channel open.
        """
        with self._lock:
            if not self._closed:
                self.channel.hang_up()

    def close(self) -> None:
        """Release the descriptors. Only for the thread that uses them."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self.close_in_child()

    def close_in_child(self) -> None:
        """Release the descriptors in a forked child, where no thread is left that has the lock."""
        self.channel.close()
        with suppress(OSError):
            os.close(self.output)


_NO_TEMPLATE = "the process that starts workers is gone"
_OUT_OF_MEMORY = ", as the system does when memory runs out"


class WorkerPool:
    """The workers of one attempt, and the template that forks them. Thread-safe.

    At most `most` workers stay idle when a new one is forked; each serves calls of one component
    only. A worker that was taken belongs to the taker, until it is given back or dropped.
    `component` is the module of the first component, if it belongs to this distribution: workers
    are forked with it.
    """

    def __init__(self, site: Site, most: int, component: str = "") -> None:
        self._site = site.document()
        self._most = most
        self._component = component
        self._lock = threading.Lock()
        self._workers: dict[int, WorkerHandle] = {}
        """All that have not ended, by number."""
        self._idle: list[WorkerHandle] = []
        self._next = 0
        self._control: socket.socket | None = None
        self._template: subprocess.Popen[bytes] | None = None
        self._reader: threading.Thread | None = None
        self._closed = False
        self._lost = False
        """Whether the template is gone, and all workers with it."""
        _pools().add(self)

    def take(self, key: ComponentKey) -> WorkerHandle:
        """Return a worker for a component: an idle one, or a new one. Raises PoolError."""
        for _ in range(STARTS - 1):
            with suppress(_GoneError):
                return self._take(key)
        return self._take(key)

    def _take(self, key: ComponentKey) -> WorkerHandle:
        with self._lock:
            if self._closed:
                raise PoolError("the attempt has ended")
            for worker in reversed(self._idle):
                if worker.key == key:
                    self._idle.remove(worker)
                    return worker
            if len(self._idle) >= self._most:
                self._close(self._idle.pop(0))  # it finds the end of its channel, and ends
            if self._template is None or self._lost:
                self._start()
            worker = self._fork(key)
        if not worker.forked.wait(START_S) or not worker.pid:
            self._forget(worker)
            if worker.orphaned:
                raise _GoneError(_NO_TEMPLATE)
            raise PoolError("the system could not start another process")
        try:
            worker.channel.send(self._site)
        except OSError as error:
            self._forget(worker)
            raise _GoneError(worker.end) from error
        return worker

    def give_back(self, worker: WorkerHandle) -> None:
        """Have a worker that is ready for another call of its component."""
        with self._lock:
            if worker.ended.is_set() or self._closed:
                self._close(worker)
            else:
                self._idle.append(worker)

    def kill(self, worker: WorkerHandle) -> None:
        """End a worker with all the processes of its group."""
        if self._control is not None and worker.pid:
            with suppress(OSError):
                self._control.sendall(REQUEST.pack(KILL, worker.pid))

    def drop(self, worker: WorkerHandle) -> None:
        """End a worker, and forget it."""
        if not worker.ended.is_set():
            self.kill(worker)
        self._forget(worker)

    def close(self) -> None:
        """End all workers, with everything they have started, and the template."""
        with self._lock:
            template, control = self._template, self._control
            self._closed = True
            idle = list(self._idle)
        if template is None or control is None:
            return
        for worker in idle:
            worker.hang_up()
        deadline = time.monotonic() + TIDY_S
        for worker in idle:
            worker.ended.wait(max(0, deadline - time.monotonic()))
        with suppress(OSError):
            control.shutdown(socket.SHUT_RDWR)
        try:
            template.wait(CLOSE_S)
        except subprocess.TimeoutExpired:  # it was stopped, or one of its children cannot end
            template.kill()
            template.wait()
        if self._reader is not None:
            self._reader.join()
        control.close()
        with self._lock:
            for worker in self._idle:
                self._close(worker)
            self._idle.clear()

    def forget_in_child(self) -> None:
        """Close the descriptors in a forked child, or the end of this process goes unnoticed."""
        if self._control is not None:
            self._control.close()
        for worker in list(self._workers.values()):
            worker.close_in_child()

    def _start(self) -> None:
        ours, theirs = _socket_pair()
        command = [
            sys.executable,
            *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]  # noqa: SLF001
            "-P",
            "-c",
            _BOOT,
            str(theirs.fileno()),
            str(os.getpid()),
            json.dumps(sys.path),
            self._component,
        ]
        try:
            template = subprocess.Popen(  # noqa: S603 - this interpreter, and arguments of our own
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=self._environment(),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            raise PoolError(f"the system could not start a process: {error.strerror}") from error
        finally:
            theirs.close()
        if self._template is not None and self._control is not None:  # that one is lost
            self._template.kill()
            self._template.wait()
            self._control.close()
        self._template, self._control, self._lost = template, ours, False
        self._reader = threading.Thread(
            target=self._read, args=(ours,), name="waivern-worker-reports", daemon=True
        )
        self._reader.start()

    def _environment(self) -> dict[str, str]:
        secret = set(self._site["secrets"])
        return {
            name: value
            for name, value in os.environ.items()
            if (name in _INHERITED or name.startswith(_INHERITED_PREFIXES)) and name not in secret
        }

    def _fork(self, key: ComponentKey) -> WorkerHandle:
        assert self._control is not None
        ours, theirs = _socket_pair()
        try:
            output, written = os.pipe()
        except OSError as error:
            ours.close()
            theirs.close()
            raise PoolError(f"no worker could be started: {error.strerror}") from error
        os.set_blocking(output, False)
        self._next += 1
        worker = WorkerHandle(self._next, key, Channel(ours), output, self._control)
        self._workers[worker.number] = worker
        try:
            request = REQUEST.pack(FORK, worker.number)
            socket.send_fds(self._control, [request], [theirs.fileno(), written])
        except OSError as error:
            self._workers.pop(worker.number).close()
            self._lost = True
            raise _GoneError(_NO_TEMPLATE) from error
        finally:
            theirs.close()
            os.close(written)
        return worker

    def _forget(self, worker: WorkerHandle) -> None:
        with self._lock:
            self._close(worker)

    def _close(self, worker: WorkerHandle) -> None:
        """Forget a worker that no one uses; the lock is held."""
        self._workers.pop(worker.number, None)
        worker.close()

    def _read(self, control: socket.socket) -> None:
        """Record what the template reports, until it has ended."""
        rest = b""
        while True:
            try:
                data = control.recv(REPORT.size * 64)
            except OSError:
                data = b""
            if not data:
                break
            rest += data
            while len(rest) >= REPORT.size:
                self._reported(*REPORT.unpack_from(rest))
                rest = rest[REPORT.size :]
        with self._lock:
            self._lost = self._lost or control is self._control
            orphans = [each for each in self._workers.values() if each.control is control]
            for worker in orphans:
                _kill_group(worker)
                worker.orphaned = True
                worker.forked.set()
                self._ended(worker)

    def _reported(self, what: bytes, number: int, value: int) -> None:
        with self._lock:
            if what == FORKED and (worker := self._workers.get(number)) is not None:
                worker.pid = value
                worker.forked.set()
            if what == ENDED:
                for worker in list(self._workers.values()):
                    if worker.pid == number:
                        worker.exit_code = value
                        self._ended(worker)

    def _ended(self, worker: WorkerHandle) -> None:
        """Record that a worker has ended; the lock is held."""
        worker.ended.set()
        if worker in self._idle:
            self._idle.remove(worker)
            self._close(worker)
        else:
            worker.hang_up()


def _kill_group(worker: WorkerHandle) -> None:
    """End what a template that is gone itself has left of a worker."""
    if worker.pid and not worker.ended.is_set():
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.pid, signal.SIGKILL)


def _socket_pair() -> tuple[socket.socket, socket.socket]:
    try:
        return socket.socketpair()
    except OSError as error:
        raise PoolError(f"no worker could be started: {error.strerror}") from error


@cache
def _pools() -> WeakSet[WorkerPool]:
    """Return the pools of this process; a forked child closes what it has inherited of them."""
    pools: WeakSet[WorkerPool] = WeakSet()

    def forget() -> None:
        for pool in list(pools):
            pool.forget_in_child()

    os.register_at_fork(after_in_child=forget)
    return pools
