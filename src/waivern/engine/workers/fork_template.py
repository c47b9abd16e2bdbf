"""The template of the workers: a process that has imported what they need, and forks them.

To fork takes a few milliseconds where a new interpreter takes half a second, and what was imported
before is shared. The template has one thread, so that forking is safe, and is the parent of all
workers: it reports how each of them ended. When its parent, the keeper, is gone, it ends them all,
with everything that they have started.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import struct
import time
import traceback
from contextlib import suppress
from importlib import import_module
from typing import NamedTuple, NoReturn

from waivern.engine.workers.keeper import (
    LOOK_S,
    adopt_orphans,
    end_children,
    kept,
    kill_group,
    signal_at_end_of_parent,
)
from waivern.engine.workers.unfinished_line import UnfinishedLine

REQUEST = struct.Struct("!cq")
"""FORK and a number, with the two descriptors of the worker; KILL and a process id."""
FORK, KILL = b"F", b"K"
REPORT = struct.Struct("!cqq")
"""FORKED, the number and the process id (0: it failed), with a descriptor of the process; ENDED,
the process id and its status; READY: all is imported."""
FORKED, ENDED, READY = b"f", b"e", b"r"

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
KEEPER_S = 0.2
"""How long the keeper has to end all, before its template does that."""


def main(control: int, coordinator: int, component: str) -> NoReturn:
    """Serve the coordinator, the process that has the other end of the descriptor `control`.

    `component` is a module of this distribution that workers will need; empty: it is not known.
    """
    parent = kept(control, coordinator)
    gc.disable()  # imports create many lasting objects, and little garbage
    for name in PRELOADED:
        import_module(name)
    with suppress(ImportError):  # of a folder of components
        import_module(component or __name__)
    adopt_orphans()
    gc.collect()
    gc.freeze()  # or the collector would write to the memory that is shared with the workers
    gc.enable()
    template = _Template(socket.socket(fileno=control), parent, coordinator)
    try:
        template.serve()
    finally:
        template.end()
        os._exit(0)


class _Worker(NamedTuple):
    """The things of a worker that the template has until it has ended."""

    output: int
    """The pipe that it prints to."""
    line: UnfinishedLine


class _Template:
    def __init__(self, control: socket.socket, parent: int, coordinator: int) -> None:
        self._control = control
        self._parent = parent
        """Its keeper, or the coordinator where there is none."""
        self._coordinator = coordinator
        self._workers: dict[int, _Worker] = {}
        """Those that have not ended, by process id."""
        self._woken, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Serve requests until the coordinator or the keeper is gone."""
        self._report(READY, 0, 0)
        while os.getppid() == self._parent:
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
                kill_group(number)
        elif len(descriptors) < 2:  # this process has no room for them
            for each in descriptors:
                os.close(each)
            self._report(FORKED, number, 0)
        else:
            self._fork(number, *descriptors)

    def _fork(self, number: int, channel: int, output: int) -> None:
        pid, line = 0, UnfinishedLine()
        with suppress(OSError):  # the system has no room for another process
            pid = os.fork()
            if pid == 0:
                self._become_worker(channel, output, line)
        os.close(channel)
        if pid:
            self._workers[pid] = _Worker(output, line)
        else:
            os.close(output)
        self._report(FORKED, number, pid)

    def _become_worker(self, channel: int, output: int, line: UnfinishedLine) -> NoReturn:
        template = os.getppid()
        try:
            os.setsid()  # no signal of a terminal, and a group that can be ended as a whole
            _die_with(template)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._control.close()
            for other in self._workers.values():
                os.close(other.output)
                other.line.close()
            os.dup2(output, 1)
            os.dup2(output, 2)
            os.close(output)
            from waivern.engine.workers.worker import serve

            serve(socket.socket(fileno=channel), line)
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
                kill_group(pid)  # before it is reaped: until then no other process has its number
            _, status = os.waitpid(pid, 0)
            if (worker := self._workers.pop(pid, None)) is not None:
                worker.line.write(worker.output)
                worker.line.close()
                os.close(worker.output)
                self._report(ENDED, pid, os.waitstatus_to_exitcode(status))

    def _report(self, what: bytes, number: int, value: int) -> None:
        report, process = REPORT.pack(what, number, value), None
        with suppress(OSError):
            if what == FORKED and value and hasattr(os, "pidfd_open"):
                with suppress(OSError):  # a system that has none
                    process = os.pidfd_open(value)
            if process is None:
                self._control.sendall(report)
            else:
                socket.send_fds(self._control, [report], [process])
        if process is not None:
            os.close(process)

    def end(self) -> None:
        """End all workers, and all that they started, where the keeper does not."""
        if os.getppid() == self._parent != self._coordinator:
            time.sleep(KEEPER_S)  # it ends this process, too
            with suppress(ProcessLookupError):
                os.kill(self._parent, signal.SIGKILL)  # it is stopped
        for pid in self._workers:
            kill_group(pid)
        end_children()


def _die_with(parent: int) -> None:
    """Let the system end this process when its parent, which has one thread only, ends."""
    signal_at_end_of_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
