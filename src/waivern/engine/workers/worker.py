"""A worker: a process that carries out calls of one component, one after the other.

It opens the inputs, lets the component work and stages the result, as a thread of the coordinator
would; everything it has to say goes to the coordinator over its channel. What is written to the
descriptors 1 and 2 behind Python's back, by C code or by a child process, goes to a pipe instead,
which outlives a crash.
"""

from __future__ import annotations

import atexit
import errno
import faulthandler
import fcntl
import inspect
import os
import resource
import socket
import sys
import termios
import time
import warnings
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from waivern.clock import Clock
from waivern.engine.artifact_identity import UnknownIdentity
from waivern.engine.awaiter import CoroutineRunner, carry_out
from waivern.engine.cache import Cache
from waivern.engine.calls import (
    Awaiting,
    Call,
    Failed,
    NotProduced,
    Outcome,
    Produced,
    Suspended,
)
from waivern.engine.logs import ArtifactLog, RunLogs, no_log
from waivern.engine.producer import Producer
from waivern.engine.site import Site
from waivern.engine.workers.call_documents import WorkerCall
from waivern.engine.workers.channel import Channel, Document
from waivern.engine.workers.split_items import (
    DistributedItems,
    FollowedItems,
    ReleasedError,
    WorkerItems,
)
from waivern.engine.workers.unfinished_line import UnfinishedLine
from waivern.engine.workers.worker_handle import STACK
from waivern.files import high
from waivern.language.error_names import MAX_MEMORY
from waivern.language.secrets import Secrets
from waivern.planning.plan import Extract, Transform
from waivern.plugins.call_scope import CallScope
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.context import Context
from waivern.plugins.restrictions import restrict
from waivern.plugins.tally import Progress
from waivern.store.opening import open_store

PROGRESS_S = 0.05
"""The least time between two reports of progress."""


def serve(end: socket.socket, line: UnfinishedLine) -> None:
    """Carry out calls until the coordinator is gone; `line` is what a component has begun to print.

    The stack of a crash, and of a call that takes too long, is in the log of its artifact.
    """
    output = high(os.dup(1))
    faulthandler.enable(file=output)
    faulthandler.register(STACK, file=output)
    channel = Channel(socket.socket(fileno=high(end.detach())))
    with suppress(EOFError, BrokenPipeError):
        worker = Worker(channel, output, line, Site.of(channel.receive()))
        with worker.logs.capturing():
            while True:
                document = channel.receive()
                if "artifact" in document:  # else it was for a call that has ended here meanwhile
                    for stream in (1, 2):  # the call before may have closed them
                        os.dup2(output, stream)
                    worker.carry_out(document)
    atexit._run_exitfuncs()  # noqa: SLF001 - a fork is ended without them otherwise


class Worker:
    """The calls of one worker."""

    def __init__(self, channel: Channel, output: int, line: UnfinishedLine, site: Site) -> None:
        self._channel = channel
        self._output = output
        self._site = site
        os.environ.clear()
        os.environ.update(site.process_environ)
        address = site.address
        self._store = open_store(
            address.url, trust=address.trust, working_folder=address.working_folder
        )
        self.logs = _ForwardedLogs(channel, line)
        self._producer = _WorkerProducer(
            self._store,
            Path(site.base),
            site.environ,
            Secrets(site.secrets, site.environ),
            Clock(),
            _ProgressReports(channel),
            Cache(self._store, site.environ, frozenset(site.refresh)) if site.cached else None,
            Catalogue(site.component_folders, within=site.within),
            self.logs,
        )
        self._producer.channel = channel
        self._awaiter = CoroutineRunner()
        restrict()

    def carry_out(self, document: Document) -> None:
        """Carry out a call and report its outcome."""
        address = self._site.address
        request = WorkerCall.of(document, address.run_id)
        self._store.join(address)
        for staged, text in document["held"].items():
            self._store.accept(address.run_id, staged, text.encode())
        with suppress(OSError):  # it may be gone, and few components need it
            os.chdir(self._site.folder)
        self._producer.request = request
        call, scope = request.call, CallScope(request.call.artifact)
        with _limited(call.node.max_memory):
            outcome = carry_out(call, self._producer, self._awaiter, lambda _call: True, scope)
        if self._producer.waits or request.follows:
            ended = {"waits": self._producer.waits, "number": document["number"]}
            self._channel.send(ended)
            self._producer.waits = False
            return
        report: Document = {"done": request.outcome_document(_explained(call, outcome))}
        if isinstance(outcome, Produced):
            held = self._store.export(address.run_id, outcome.receipt.staged)
            report["data"] = None if held is None else held.decode()
        at_work = scope.at_work()
        names = [thread.name for thread in at_work if not thread.daemon]
        report["spent"] = _is_spent(outcome)
        report["threads"], report["leaves"] = names, bool(at_work) or _has_children()
        report["printed"] = _is_unread(self._output)
        self._channel.send(report)
        if names:
            scope.join()
            self._channel.send({"threads": []})


def _is_spent(outcome: Outcome) -> bool:
    """Report whether memory or descriptors have run out, which may never be released here."""
    if isinstance(outcome, Failed) and "MemoryError" in outcome.kinds:
        return True
    return _out_of_descriptors()


def _out_of_descriptors() -> bool:
    try:
        os.close(os.dup(0))
    except OSError as error:
        return error.errno == errno.EMFILE
    return False


def _is_unread(output: int) -> bool:
    """Report whether the coordinator has not read all that was printed behind Python's back."""
    size = bytearray(4)
    fcntl.ioctl(output, termios.FIONREAD, size)
    return any(size)


def _has_children() -> bool:
    """Report whether a child process is left at work, except those that only serve this one."""
    while True:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if not ended:
            children = _children()
            return not children or not children <= _helpers()  # they cannot be listed everywhere


def _children() -> set[int]:
    """Return the child processes of this one."""
    listed = Path("/proc/self/task").glob("*/children")
    return {int(pid) for each in listed for pid in each.read_text().split()}


def _helpers() -> set[int]:
    """Return the processes of `multiprocessing` that end with this one."""
    tracker = sys.modules.get("multiprocessing.resource_tracker")
    server = sys.modules.get("multiprocessing.forkserver")
    found = (
        getattr(getattr(tracker, "_resource_tracker", None), "_pid", None),
        getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None),
    )
    return {pid for pid in found if pid is not None}


def _explained(call: Call, outcome: Outcome) -> Outcome:
    """Return a failure for lack of memory as one that names the limit.

    One of the store for lack of descriptors is the fault of this call alone.
    """
    limit = call.node.max_memory
    if isinstance(outcome, Failed) and outcome.store and _out_of_descriptors():
        return outcome._replace(store=False)
    if limit is None or not isinstance(outcome, Failed) or "MemoryError" not in outcome.kinds:
        return outcome
    return outcome._replace(
        kind=MAX_MEMORY,
        message=f"it needed more memory than its limit, {limit / 2**20:,.0f} MiB",
        hint="raise `max_memory`, or give it less to hold at a time",
        kinds=(MAX_MEMORY, *outcome.kinds),
    )


@contextmanager
def _limited(limit: int | None) -> Iterator[None]:
    """Limit the memory that this process, and each child of it, takes beside what it has now."""
    if limit is None:
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_DATA)
    most = _data_bytes() + limit
    if before[1] != resource.RLIM_INFINITY:
        most = min(most, before[1])
    resource.setrlimit(resource.RLIMIT_DATA, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _data_bytes() -> int:
    """Return the private memory of this process that the system counts against the limit."""
    with suppress(OSError, ValueError):
        return int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


class _WorkerProducer(Producer):
    """A producer whose calls come from the coordinator, which has looked for earlier results."""

    request: WorkerCall
    channel: Channel
    waits = False
    """Whether the component turned out to wait: the coordinator is to carry out the call."""

    def _made(self, call: Call, ctx: Context, began: float, scope: CallScope) -> Outcome | Awaiting:
        work, request, components = call.node.work, self.request, self.components
        limit = call.node.max_memory
        assert isinstance(work, (Extract, Transform))
        lists = request.identity is None
        with scope.entered():
            known = request.identity or UnknownIdentity("the source is its own fingerprint")
            lookup = components.lookup(call.node, components.tool(work), known)
            found = components.code(lookup)
        if found != request.code:
            return _changed(call)
        if lists:
            return components.work(call, work, ctx, began, scope)
        shared = WorkerItems(self.store, call, self.channel)
        if request.follows:
            components.item_results = partial(FollowedItems, shared)
            components.follow(call, lookup, ctx, scope)
            return NotProduced("")
        components.item_results = partial(DistributedItems, shared) if request.splits else None
        made = components.carry_out(call, lookup, ctx, began, scope)
        if isinstance(made, Awaiting) and inspect.iscoroutine(made.result) and not limit:
            _discard(made.result)
            self.waits = True
            return NotProduced("")
        return made

    def failed(self, call: Call, error: BaseException, began: float) -> Failed | Suspended:
        if isinstance(error, ReleasedError):
            return Failed("released", "", None, 0)
        return super().failed(call, error, began)


def _discard(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Close a coroutine of which nothing has run, and what it would have awaited."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        inner = list((inspect.getcoroutinelocals(coroutine) or {}).values())
        coroutine.close()
        for each in inner:
            if inspect.iscoroutine(each):
                each.close()


def _changed(call: Call) -> Failed:
    return Failed(
        "code_changed",
        f"the code of {call.node.work.label} was changed during the run",
        "resume the run: it then uses the new code for all that is left",
        0,
        kinds=("code_changed",),
    )


class _ForwardedLogs(RunLogs):
    """Logs whose lines are sent to the coordinator, which redacts and writes them."""

    def __init__(self, channel: Channel, line: UnfinishedLine) -> None:
        super().__init__(no_log)
        self.prompt = True
        self._channel = channel
        self._line = line

    def append(self, log: ArtifactLog, lines: list[tuple[str, bool]]) -> None:
        if self.forked:  # the channel is the parent's
            text = "".join(f"{line}\n" for line, _ in lines)
            os.write(1, text.encode(errors="backslashreplace"))
            return
        with suppress(OSError):  # the coordinator is gone, and so is this process soon
            self._channel.send({"log": lines, "of": log.name})

    def unfinished(self, text: str) -> None:
        if not self.forked:  # it is that of the parent
            self._line.set(text)


class _ProgressReports:
    """Progress, sent to the coordinator twenty times a second at most."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._last = 0.0

    def __call__(self, _artifact: str, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last >= PROGRESS_S:
            self._last = now
            self._channel.send({"progress": progress})
