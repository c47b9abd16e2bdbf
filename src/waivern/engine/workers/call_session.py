"""One call on a worker: what the worker says of it, and the workers that follow it."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from waivern.engine.calls import Lost, Outcome, Produced
from waivern.engine.logs import RunLogs
from waivern.engine.workers.call_documents import WorkerCall
from waivern.engine.workers.channel import Document, GarbageError, UnreadError
from waivern.engine.workers.followers import Followers
from waivern.engine.workers.worker_handle import ComponentKey, WorkerHandle
from waivern.engine.workers.worker_pool import END_S, WorkerPool
from waivern.plugins.tally import Progress
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.engine.workers.slots import Slots

TRIES = 3
"""Workers that may end before they begin with a call: then it is given to another one."""
STACK_S = 0.3
"""How long a worker has to write its stack before it is ended."""
READ = 1 << 16
PRINTED = 1 << 20
"""Bytes that are taken at once of what was printed: as much as a pipe has room for at most. A child
that prints without end must not keep the rest waiting."""


class NotBegunError(Exception):
    """A worker has ended before it began with the call, which is not to blame for that."""


class WaitsError(Exception):
    """The component waits for something outside: the coordinator is to carry out the call."""


class CallSession:
    """The conversation about one call, on the thread that has it."""

    def __init__(
        self,
        pool: WorkerPool,
        slots: Slots,
        store: RunStore,
        logs: RunLogs,
        on_progress: Callable[[Progress], None],
        waiting: Callable[[], AbstractContextManager[None]],
        request: WorkerCall,
        key: ComponentKey,
    ) -> None:
        self._pool = pool
        self._slots = slots
        self._store = store
        self._logs = logs
        self.artifact = request.call.artifact
        self._log = logs.of(self.artifact)
        self._on_progress = on_progress
        self._waiting = waiting
        """Reports that the call waits, for as long as it is entered."""
        self._request = request
        self._key = key
        self._workers: set[WorkerHandle] = set()
        """The workers of this call: the leader and those that follow it."""
        self._lock = threading.Lock()
        """Held while these change, and while `abandon` ends them: what was given back is not."""
        self._poll = select.poll()
        self._heard: dict[int, WorkerHandle] = {}
        """Whose channel or output a descriptor is, of those that are listened to."""
        self._followers: Followers | None = None
        self._began = False
        self._abandoned = False
        self._killer: threading.Thread | None = None
        self._outcome: Outcome | None = None
        self.threads: tuple[str, ...] = ()
        """The names of the threads that its component has left at work."""
        self.lingers = False
        """Whether something that it has left may continue in its worker until the attempt ends."""

    def abandon(self) -> None:
        """End the workers of this call soon, from another thread: first they write their stack."""
        with self._lock:
            if self._abandoned:
                return
            self._abandoned = True
            if self._workers:
                self._log.line("its worker is ended while it is at work:")
            for worker in self._workers:
                worker.ask_for_stack()
        self._killer = threading.Timer(STACK_S, self._kill)
        try:
            self._killer.start()
        except RuntimeError:  # the system has no room for another thread
            self._killer = None
            self._kill()

    def abandoned(self) -> None:
        """Wait until the workers of a call that was abandoned are ended."""
        if self._killer is not None:
            self._killer.join()

    def _kill(self) -> None:
        with self._lock:
            for worker in self._workers:
                worker.kill()

    def carry_out(self) -> Outcome:
        """Return the outcome of the call.

        Raises WaitsError if it is to be carried out by the coordinator, PoolError if no worker can
        be had.
        """
        reason = "the call is not wanted any more"
        for _ in range(TRIES):
            if self._abandoned:
                break
            try:
                return self._conversation()
            except NotBegunError as error:
                reason = str(error)
        return Lost(reason)

    def linger(self) -> None:
        """Take what the worker has said since its call ended."""
        self._listen(None, 0)

    def end(self) -> None:
        """End the worker that was kept."""
        for worker in list(self._workers):
            self.drop(worker)

    def _conversation(self) -> Outcome:
        leader = self._pool.idle(self._key)
        if leader is None:
            with self._waiting():
                leader = self._pool.start(self._key)
        self._take(leader)
        try:
            leader.channel.send(self.document(leader, follows=False))
            while self._outcome is None:
                self._listen(leader)
        except OSError:
            if self._began:
                raise
            leader.ended.wait(END_S)
            raise NotBegunError(leader.end) from None
        finally:
            if self._followers is not None:
                self._followers.release()
            if not self.lingers:
                self.end()  # something has failed
        return self._outcome

    def document(self, worker: WorkerHandle, *, follows: bool) -> Document:
        """Return the call for a worker, with the inputs that are in memory here."""
        call = self._request.call
        places = [ref.staged for ref in call.inputs if ref.staged]
        exported = {place: self._store.export(call.run_id, place) for place in places}
        document = self._request.document(follows=follows)
        document["held"] = {at: data.decode() for at, data in exported.items() if data is not None}
        document["number"] = worker.calls
        return document

    # the workers of this call

    def take(self) -> WorkerHandle:
        """Return a follower for this call, and listen to it. Raises PoolError."""
        worker = self._pool.idle(self._key) or self._pool.start(self._key)
        self._take(worker)
        return worker

    def _take(self, worker: WorkerHandle) -> None:
        with self._lock:
            self._workers.add(worker)
            if self._abandoned:
                worker.kill()
        worker.served.add(self.artifact)
        worker.calls += 1
        for descriptor in (worker.channel.fileno(), worker.output):
            self._heard[descriptor] = worker
            self._poll.register(descriptor, select.POLLIN)

    def give_back(self, worker: WorkerHandle, *, printed: bool = True) -> None:
        """Release a worker that is ready for another call; `printed`: its output is to be read."""
        if printed:
            self._print(worker)
        self._leave(worker)
        self._pool.give_back(worker)

    def drop(self, worker: WorkerHandle) -> None:
        """End a worker."""
        self._print(worker)
        self._leave(worker)
        self._pool.drop(worker)

    def _leave(self, worker: WorkerHandle) -> None:
        """Listen to a worker no more."""
        for descriptor in [each for each, whose in self._heard.items() if whose is worker]:
            self._hear_no_more(descriptor)
        with self._lock:
            self._workers.discard(worker)

    def _hear_no_more(self, descriptor: int) -> None:
        del self._heard[descriptor]
        self._poll.unregister(descriptor)

    # what they say

    def _listen(self, leader: WorkerHandle | None, timeout_ms: int | None = None) -> None:
        """Take what has arrived, after a wait for it."""
        for descriptor, _ in reversed(self._poll.poll(timeout_ms)):
            if (worker := self._heard.get(descriptor)) is not None:  # not released meanwhile
                self._attend(leader, worker, descriptor)

    def _attend(self, leader: WorkerHandle | None, worker: WorkerHandle, descriptor: int) -> None:
        if descriptor == worker.output:
            if not self._print(worker):
                self._hear_no_more(descriptor)  # closed by the component
            return
        leads = worker is leader
        try:
            for document in worker.channel.arrived():
                self._handle(worker, document, leads=leads)
        except UnreadError:
            self._ended(worker, leads=leads)
        except EOFError:
            self._began = self._began or leads
            self._ended(worker, leads=leads)
        except (GarbageError, KeyError, TypeError, ValueError, AttributeError):
            worker.kill()
            self._began = self._began or leads
            self._ended(worker, "its component wrote into the channel of its worker", leads=leads)

    def _handle(self, worker: WorkerHandle, document: Document, *, leads: bool) -> None:
        if "log" in document:
            log = self._logs.of(document["of"]) if document["of"] in worker.served else self._log
            for line, echo in document["log"]:
                log.line(str(line), echo=bool(echo))
        elif document.get("number", worker.calls) != worker.calls:
            pass  # it had followed another leader, and its component has ended only now
        elif self._outcome is not None:
            self.threads = tuple(map(str, document.get("threads", self.threads)))
        elif leads:
            self._handle_leader(worker, document)
        elif self._followers is not None:
            self._followers.handle(worker, document)

    def _handle_leader(self, leader: WorkerHandle, document: Document) -> None:
        self._began = True
        if "progress" in document:
            self._on_progress(Progress(*document["progress"]))
        elif "split" in document:
            if self._followers is None:
                self._followers = Followers(self._slots, self, leader)
            self._followers.begin_pass(document["split"], document["size"], document["first"])
        elif "need" in document and self._followers is not None:
            self._followers.need(document["pass"], document["need"])
        elif document.get("waits"):
            self.give_back(leader)
            raise WaitsError
        elif "done" in document:
            self._done(leader, document)

    def _done(self, worker: WorkerHandle, document: Document) -> None:
        outcome = self._request.outcome_of(document["done"])
        self.threads = tuple(map(str, document["threads"]))
        if isinstance(outcome, Produced) and document["data"] is not None:
            self._store.accept(
                self._request.call.run_id, outcome.receipt.staged, document["data"].encode()
            )
        self._outcome = outcome
        if document["spent"]:
            self.drop(worker)
        elif document["leaves"]:
            self.lingers = True
        else:
            self.give_back(worker, printed=document["printed"])

    def _ended(self, worker: WorkerHandle, reason: str | None = None, *, leads: bool) -> None:
        worker.ended.wait(END_S)
        self.drop(worker)
        if self._outcome is not None:
            self.threads = ()
            return
        if not leads:
            if self._followers is not None:
                self._followers.ended(worker)
            return
        if not self._began:
            raise NotBegunError(worker.end)
        if worker.orphaned:
            self._outcome = Lost("the processes that carry out calls are gone")
        else:
            self._outcome = Lost(reason or worker.end, blame=True)

    def _print(self, worker: WorkerHandle) -> bool:
        """Take what was printed behind Python's back; return whether more may come."""
        for _ in range(PRINTED // READ):
            try:
                data = os.read(worker.output, READ)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            self._log.write_bytes(data, echo=not self._abandoned)
        return True
