"""The template of the workers: a process that has imported what they need, and forks them.

To fork takes a few milliseconds where a new interpreter takes half a second, and what was imported
before is shared. The template has one thread, so that forking is safe, and is the parent of all
workers: it reports how each of them ended, and when the coordinator is gone it ends them all, with
everything that they have started.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import sys
import traceback
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

REQUEST = struct.Struct("!cq")
"""FORK and a number, with the two descriptors of the worker; KILL and a process id."""
FORK, KILL = b"F", b"K"
REPORT = struct.Struct("!cqq")
"""FORKED, the number and the process id (0: it failed); ENDED, the process id and its status."""
FORKED, ENDED = b"f", b"e"

LOOK_S = 0.05
"""The interval at which the template checks that its coordinator exists. A process that a component
forked may have inherited the socket, which then stays open when the coordinator is killed."""
PRELOADED = (
    "waivern.engine.workers.worker",
    "waivern.store.local",
    "waivern.store.artifact_writing",
    "waivern.engine.catalogue_origin",
    "waivern.engine.source_reader_identity",
    "waivern.engine.generators",
    "concurrent.futures.thread",
)
"""The modules that workers need for their first call: they have them from the start."""
ROUNDS = 10_000
"""How often the template looks for processes that the ended workers have left."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(control: int, coordinator: int, component: str) -> NoReturn:
    """Serve the coordinator, the process that has the other end of the descriptor `control`.

    `component` is a module of this distribution that workers will need; empty: it is not known.
    """
    for name in PRELOADED:
        import_module(name)
    with suppress(ImportError):  # of a folder of components
        import_module(component or __name__)
    _adopt_orphans()
    gc.collect()
    gc.freeze()  # or the collector would write to the memory that is shared with the workers
    template = _Template(socket.socket(fileno=control), coordinator)
    try:
        template.serve()
    finally:
        template.end()
        os._exit(0)


class _Template:
    def __init__(self, control: socket.socket, coordinator: int) -> None:
        self._control = control
        self._coordinator = coordinator
        self._workers: set[int] = set()
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Serve requests until the coordinator is gone."""
        while os.getppid() == self._coordinator:
            ready, _, _ = select.select([self._control.fileno(), self._woken], [], [], LOOK_S)
            if self._woken in ready:
                with suppress(BlockingIOError):
                    os.read(self._woken, 4096)
                self._reap()
            if self._control.fileno() in ready:
                data, descriptors, _, _ = socket.recv_fds(self._control, REQUEST.size, 2)
                if len(data) < REQUEST.size:
                    return
                what, number = REQUEST.unpack(data)
                self._handle(what, number, descriptors)

    def _handle(self, what: bytes, number: int, descriptors: list[int]) -> None:
        if what == KILL:
            if number in self._workers:
                _kill_group(number)
            return
        pid = 0
        with suppress(OSError):  # the system has no room for another process
            pid = os.fork()
            if pid == 0:
                self._become_worker(*descriptors)
        for each in descriptors:
            os.close(each)
        if pid:
            self._workers.add(pid)
        self._report(FORKED, number, pid)

    def _become_worker(self, channel: int, output: int) -> NoReturn:
        template = os.getppid()
        try:
            os.setsid()  # no signal of a terminal, and a group that can be ended as a whole
            _die_with(template)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            from waivern.engine.workers.worker import serve

            serve(socket.socket(fileno=channel))
            os._exit(0)
        finally:  # an error: it may not continue as a second template
            traceback.print_exc()
            os._exit(1)

    def _reap(self) -> None:
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            pid = ended.si_pid
            if pid in self._workers:
                _kill_group(pid)  # before it is reaped: until then no other process has its number
            _, status = os.waitpid(pid, 0)
            if pid in self._workers:
                self._workers.discard(pid)
                self._report(ENDED, pid, os.waitstatus_to_exitcode(status))

    def _report(self, what: bytes, number: int, value: int) -> None:
        with suppress(OSError):
            self._control.sendall(REPORT.pack(what, number, value))

    def end(self) -> None:
        """End all workers, and all that they started."""
        for pid in self._workers:
            _kill_group(pid)
        for _ in range(ROUNDS):  # each may have forked another one meanwhile
            for pid in _children():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                return


def _kill_group(pid: int) -> None:
    """End a process and its group; between its fork and its `setsid` it has no group yet."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _children() -> list[int]:
    """Return the processes whose parent this one is."""
    with suppress(OSError):
        return [*map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())]
    return []


def _adopt_orphans() -> None:
    """Become the parent of the processes that workers leave behind, so that they can be ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _die_with(parent: int) -> None:
    """Let the system end this process when its parent, which has one thread only, ends."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
