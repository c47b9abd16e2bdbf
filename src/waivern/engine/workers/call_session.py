"""One call on a worker: what the worker says of it, and the workers that follow it."""

from __future__ import annotations

import os
import selectors
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from waivern.engine.calls import Lost, Outcome, Produced
from waivern.engine.logs import ArtifactLog
from waivern.engine.workers.call_documents import WorkerCall, outcome_of
from waivern.engine.workers.channel import Document, GarbageError
from waivern.engine.workers.followers import Followers
from waivern.engine.workers.worker_pool import (
    END_S,
    ComponentKey,
    WorkerHandle,
    WorkerPool,
)
from waivern.plugins.tally import Progress
from waivern.store.base import RunStore

if TYPE_CHECKING:
    from waivern.engine.workers.slots import Slots

TRIES = 3
"""Workers that may end before they begin with a call: then it is given to another one."""
READ = 1 << 16


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
        log: ArtifactLog,
        on_progress: Callable[[Progress], None],
        request: WorkerCall,
        key: ComponentKey,
    ) -> None:
        self._pool = pool
        self._slots = slots
        self._store = store
        self._log = log
        self._on_progress = on_progress
        self._request = request
        self._key = key
        self._leader: WorkerHandle | None = None
        self._followers: Followers | None = None
        self._began = False
        self._abandoned = False
        self._outcome: Outcome | None = None
        self.threads: tuple[str, ...] = ()
        """The names of the threads that its component has left at work."""
        self.kept: WorkerHandle | None = None
        """The worker, if it has something left that may go on until the attempt ends."""

    def abandon(self) -> None:
        """End the workers of this call, from another thread."""
        self._abandoned = True
        if (leader := self._leader) is not None:
            self._pool.kill(leader)
        if self._followers is not None:
            self._followers.kill()

    def carry_out(self) -> Outcome:
        """Return the outcome of the call.

        Raises WaitsError if it is to be carried out by the coordinator, PoolError if no worker can
        be had.
        """
        reason = ""
        for _ in range(TRIES):
            try:
                self._leader = self._pool.take(self._key)
                if self._abandoned:  # too early to end the worker
                    self._pool.drop(self._leader)
                    break
                return self._conversation(self._leader)
            except NotBegunError as error:
                reason = str(error)
            if self._abandoned:
                break
        return Lost(reason)

    def _conversation(self, leader: WorkerHandle) -> Outcome:
        document = self.document(follows=False)
        try:
            leader.channel.send(document)
        except OSError:
            leader.ended.wait(END_S)
            self._pool.drop(leader)
            raise NotBegunError(leader.end) from None
        with selectors.PollSelector() as selector:
            self._selector = selector
            self.watch(leader)
            try:
                while self._outcome is None:
                    for key, _ in selector.select():
                        self._attend(key.data, key.fd)
            finally:
                if self._followers is not None:
                    self._followers.release()
        return self._outcome

    def document(self, *, follows: bool) -> Document:
        """Return the call for a worker, with the inputs that are in memory here."""
        call = self._request.call
        places = [ref.staged for ref in call.inputs if ref.staged]
        exported = {place: self._store.export(call.run_id, place) for place in places}
        held = {place: data.decode() for place, data in exported.items() if data is not None}
        return {**self._request._replace(follows=follows).document(), "held": held}

    def watch(self, worker: WorkerHandle) -> None:
        """Listen to a worker."""
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        self._selector.register(worker.output, selectors.EVENT_READ, worker)

    def forget(self, worker: WorkerHandle) -> None:
        """Listen to a worker no more, after what it has printed so far."""
        self._print(worker)
        for each in (worker.channel, worker.output):
            with suppress(KeyError, ValueError):
                self._selector.unregister(each)

    def _attend(self, worker: WorkerHandle, descriptor: int) -> None:
        if self._outcome is not None or worker.channel.fileno() < 0:
            return
        if descriptor == worker.output:
            if not self._print(worker):
                self._selector.unregister(worker.output)  # closed by the component
            return
        try:
            for document in worker.channel.arrived():
                self._handle(worker, document)
        except EOFError:
            self._ended(worker)
        except (GarbageError, KeyError, TypeError, ValueError, AttributeError):
            self._pool.kill(worker)
            self._ended(worker, "it wrote into the channel of its worker")

    def _handle(self, worker: WorkerHandle, document: Document) -> None:
        if "log" in document:
            for line, echo in document["log"]:
                self._log.line(str(line), echo=bool(echo))
        elif worker is self._leader:
            self._handle_leader(worker, document)
        elif self._followers is not None:
            self._followers.handle(worker, document)

    def _handle_leader(self, leader: WorkerHandle, document: Document) -> None:
        if "began" in document:
            self._began = True
        elif "progress" in document:
            self._on_progress(Progress(*document["progress"]))
        elif "split" in document:
            if self._followers is None:
                self._followers = Followers(self._pool, self._slots, self, leader)
            self._followers.begin_pass(document["split"], document["size"], document["first"])
        elif "need" in document and self._followers is not None:
            self._followers.need(document["need"])
        elif document.get("waits"):
            self.forget(leader)
            self._pool.give_back(leader)
            raise WaitsError
        elif "done" in document:
            self._done(leader, document)

    def _done(self, worker: WorkerHandle, document: Document) -> None:
        outcome = outcome_of(document["done"])
        self.forget(worker)
        if isinstance(outcome, Produced) and document["data"] is not None:
            self._store.accept(
                self._request.call.run_id, outcome.receipt.staged, document["data"].encode()
            )
        self._outcome = outcome
        self.threads = tuple(map(str, document["threads"]))
        if document["leaves"]:
            self.kept = worker
        else:
            self._pool.give_back(worker)

    def _ended(self, worker: WorkerHandle, reason: str | None = None) -> None:
        worker.ended.wait(END_S)
        self.forget(worker)
        self._pool.drop(worker)
        if worker is not self._leader:
            if self._followers is not None:
                self._followers.ended(worker)
            return
        if not self._began:
            raise NotBegunError(worker.end)
        if self._pool.lost and worker.exit_code is None:
            self._outcome = Lost("the processes that carry out calls are gone")
        else:
            self._outcome = Lost(reason or worker.end, blame=True)

    def _print(self, worker: WorkerHandle) -> bool:
        """Take what was printed behind Python's back; return whether more may come."""
        while True:
            try:
                data = os.read(worker.output, READ)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not data:
                return False
            if self._began:
                self._log.write_bytes(data)
