"""The pool of workers of one attempt, as the coordinator sees it."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import suppress
from functools import cache
from weakref import WeakSet

from waivern.engine.site import Site
from waivern.engine.workers.channel import Channel
from waivern.engine.workers.fork_template import ENDED, FORKED
from waivern.engine.workers.handover import brisk
from waivern.engine.workers.template_process import TemplateProcess
from waivern.engine.workers.worker_handle import ComponentKey, WorkerHandle

START_S = 30.0
"""How long the template may take to fork a worker, on a machine that is busy."""
TIDY_S = 0.5
"""How long idle workers have to end by themselves, with what components have registered."""
STARTS = 3
"""How often a worker is started that ends at once, as when the template was killed."""
END_S = 2.0
"""How long the report of the end of a worker may take."""


class PoolError(Exception):
    """No worker can be had; the text says why."""


class _GoneError(PoolError):
    """A worker, or the template, has ended while the worker was started: another may be started."""


_NO_TEMPLATE = "the process that starts workers is gone"
_ENDED = "the attempt has ended"


class WorkerPool:
    """The workers of one attempt, and the template that forks them. Thread-safe.

    At most `most` workers are idle; each serves calls of one component only. A worker that was
    taken belongs to the taker, until it is given back or dropped. `component` is the module of the
    first component, if it belongs to this distribution: workers are forked with it.
    """

    def __init__(self, site: Site, most: int, component: str = "") -> None:
        self._site = site
        self._document = site.document()
        self._most = most
        self._component = component
        self._lock = threading.Lock()
        self._workers: dict[int, WorkerHandle] = {}
        """All that have not ended, by number."""
        self._idle: list[WorkerHandle] = []
        self._next = 0
        self._template: TemplateProcess | None = None
        self._former: list[TemplateProcess] = []
        """Templates that are gone, and were replaced."""
        self._closed = False
        self._lost = False
        """Whether the template is gone, and all workers with it."""
        _pools().add(self)

    def idle(self, key: ComponentKey) -> WorkerHandle | None:
        """Return an idle worker of a component; None: there is none."""
        with self._lock:
            for worker in reversed(self._idle):
                if worker.key == key:
                    self._idle.remove(worker)
                    return worker
        return None

    def start_ahead(self) -> threading.Event:
        """Start the template; return the event that it can fork workers. Raises PoolError."""
        with self._lock, brisk():
            if self._closed:
                raise PoolError(_ENDED)
            return self._working_template().ready

    def start(self, key: ComponentKey) -> WorkerHandle:
        """Return a new worker for a component. Raises PoolError."""
        with brisk():
            for _ in range(STARTS - 1):
                with suppress(_GoneError):
                    return self._start(key)
            return self._start(key)

    def _start(self, key: ComponentKey) -> WorkerHandle:
        with self._lock:
            if self._closed:
                raise PoolError(_ENDED)
            worker = self._fork(key, self._working_template())
        if not worker.forked.wait(START_S):  # the template is stopped
            worker.template.hang_up()
            self._forget(worker)
            raise _GoneError("the process that starts workers does not answer")
        if not worker.pid:
            self._forget(worker)
            if worker.orphaned:
                raise _GoneError(_NO_TEMPLATE)
            raise PoolError("the system could not start another process")
        try:
            worker.channel.send(self._document)
        except OSError as error:
            self._forget(worker)
            raise _GoneError(worker.end) from error
        return worker

    def give_back(self, worker: WorkerHandle) -> None:
        """Have a worker that is ready for another call of its component."""
        with self._lock:
            if worker.ended.is_set() or self._closed:
                self._close(worker)
                return
            self._idle.append(worker)
            if len(self._idle) > self._most:
                self._close(self._idle.pop(0))  # it finds the end of its channel, and ends

    def drop(self, worker: WorkerHandle) -> None:
        """End a worker, and forget it."""
        worker.kill()
        self._forget(worker)

    def close(self) -> None:
        """End all workers, with everything they have started, and the template."""
        with self._lock:
            template = self._template
            self._closed = True
            idle = list(self._idle)
        if template is None:
            return
        for worker in idle:
            worker.hang_up()
        deadline = time.monotonic() + TIDY_S
        for worker in idle:
            worker.ended.wait(max(0, deadline - time.monotonic()))
        for each in (*self._former, template):
            each.end()
        with self._lock:
            for worker in self._idle:
                self._close(worker)
            self._idle.clear()

    def forget_in_child(self) -> None:
        """Close the descriptors in a forked child, or the end of this process goes unnoticed."""
        for each in (*self._former, *filter(None, [self._template])):
            each.close_in_child()
        for worker in list(self._workers.values()):
            worker.close_in_child()

    def _working_template(self) -> TemplateProcess:
        """Return the template, after the start of another one if it is gone; the lock is held."""
        if self._template is None or self._lost:
            before = self._template
            try:
                self._template = TemplateProcess(
                    self._site, self._component, self._reported, self._gone
                )
            except OSError as error:
                raise PoolError(
                    f"the system could not start a process: {error.strerror}"
                ) from error
            self._lost = False
            if before is not None:
                self._former.append(before)
        return self._template

    def _fork(self, key: ComponentKey, template: TemplateProcess) -> WorkerHandle:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise _not_started(error) from error
        try:
            output, written = os.pipe()
        except OSError as error:
            ours.close()
            theirs.close()
            raise _not_started(error) from error
        os.set_blocking(output, False)
        self._next += 1
        worker = WorkerHandle(self._next, key, Channel(ours), output, template)
        self._workers[worker.number] = worker
        try:
            template.fork(worker.number, theirs.fileno(), written)
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

    def _gone(self, template: TemplateProcess) -> None:
        """Record that a template has ended, and end what it has left of its workers."""
        with self._lock:
            self._lost = self._lost or template is self._template
            for worker in list(self._workers.values()):
                if worker.template is template:
                    worker.kill()
                    worker.orphaned = True
                    worker.forked.set()
                    self._ended(worker)

    def _reported(self, what: bytes, number: int, value: int, process: int | None) -> None:
        with self._lock:
            if what == FORKED:
                if (worker := self._workers.get(number)) is not None:
                    worker.began(value, process)
                elif process is not None:
                    os.close(process)
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


def _not_started(error: OSError) -> PoolError:
    return PoolError(f"no worker could be started: {error.strerror}")


@cache
def _pools() -> WeakSet[WorkerPool]:
    """Return the pools of this process; a forked child closes what it has inherited of them."""
    pools: WeakSet[WorkerPool] = WeakSet()

    def forget() -> None:
        for pool in list(pools):
            pool.forget_in_child()

    os.register_at_fork(after_in_child=forget)
    return pools
