"""The workers that work on parts of a call for the worker that has it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from waivern.engine.workers.channel import Document
from waivern.engine.workers.worker_handle import WorkerHandle
from waivern.engine.workers.worker_pool import PoolError

if TYPE_CHECKING:
    from waivern.engine.workers.call_session import CallSession
    from waivern.engine.workers.slots import Slots

AHEAD = 4
"""Parts for each follower that may be ready before they are needed: they wait in memory."""


class Followers:
    """The followers of one leader; used by the thread of its call only.

    The leader hardly computes while it has followers, so that they have its slot, and each further
    one a slot that is free. Where calls wait for a slot, followers make room.
    """

    def __init__(self, slots: Slots, session: CallSession, leader: WorkerHandle) -> None:
        self._slots = slots
        self._session = session
        self._leader = leader
        self._extra = 0
        """The slots taken for followers."""
        self._at_work: dict[WorkerHandle, int | None] = {}
        """The part that each follower works on, of whatever pass; None: it waits."""
        self._pass = 0
        self._size = 1
        self._first = 0
        self._next = 0
        """The first part of this pass that is not assigned."""
        self._needed: int | None = None
        """The part that the leader has asked for last."""
        self._waits = False
        """Whether it waits for it."""
        self._ready: dict[int, Document] = {}
        """The parts of this pass that are done, and are not needed yet. They are kept here: the
        leader, which may have much to say, reads nothing until it needs a part."""
        self._end: int | None = None
        """A part behind which there are no items."""

    def begin_pass(self, number: int, size: int, first: int) -> None:
        """Let the leader go through other items, from `first` on in parts of `size` items."""
        self._pass, self._size, self._first = number, size, first
        self._next, self._end, self._needed = 0, None, None
        self._ready.clear()

    def need(self, number: int, part: int) -> None:
        """Let the leader have a part of a pass."""
        if number != self._pass:  # it has begun another one meanwhile
            self._send({"pass": number, "part": part, "receipt": None, "data": None})
            return
        self._needed, self._waits = part, True
        if part in self._ready:
            self._done(self._ready.pop(part))
            self._assign()
            return
        self._add()
        self._assign()
        if self._next <= part:  # no follower works on it
            self._leave(part)
            self._next = part + 1
            self._assign()

    def handle(self, worker: WorkerHandle, document: Document) -> None:
        """Take what a follower has sent."""
        if "part" in document:
            self._at_work[worker] = None
            if document["pass"] == self._pass:
                if document["receipt"] is not None and document["items"] < self._size:
                    self._end = document["part"]
                self._done(document)
            self._make_room()
            self._assign()
        elif "waits" in document or "done" in document:  # its component has ended
            self.ended(worker)
            self._session.give_back(worker)

    def ended(self, worker: WorkerHandle) -> None:
        """Let the leader work on what a follower does not finish."""
        part = self._at_work.pop(worker, None)
        if part is not None:
            self._leave(part)
        self._give_slots()
        if self._needed is not None and self._next <= self._needed and not self._at_work:
            self._leave(self._needed)
            self._next = self._needed + 1

    def release(self) -> None:
        """Release all followers: the leader has what it needs, or has ended."""
        for worker in list(self._at_work):
            self._let_go(worker)
        self._give_slots()

    def _add(self) -> None:
        """Begin with followers if there are slots for at least two workers."""
        while self._slots.take():
            self._extra += 1
        while self._extra and len(self._at_work) < self._extra + 1:
            try:
                worker = self._session.take()
            except PoolError:
                break
            try:
                worker.channel.send(self._session.document(worker, follows=True))
            except OSError:
                self._session.drop(worker)
                break
            self._at_work[worker] = None
        self._give_slots()

    def _give_slots(self) -> None:
        while self._extra and self._extra > len(self._at_work) - 1:
            self._extra -= 1
            self._slots.give()

    def _make_room(self) -> None:
        """Release followers while calls wait for a slot."""
        while self._extra and self._slots.wanted:
            idle = [worker for worker, part in self._at_work.items() if part is None]
            if not idle:
                return
            self._let_go(idle[0])
            self._give_slots()
        if len(self._at_work) == 1 and not self._extra:  # the leader can do that itself
            worker, part = next(iter(self._at_work.items()))
            if part is None:
                self._let_go(worker)

    def _let_go(self, worker: WorkerHandle) -> None:
        part = self._at_work.pop(worker)
        if part is not None:
            self._session.drop(worker)
            return
        try:
            worker.channel.send({"release": True})
        except OSError:
            self._session.drop(worker)
        else:
            self._session.give_back(worker)

    def _assign(self) -> None:
        for worker, part in list(self._at_work.items()):
            last = (self._needed or 0) + AHEAD * len(self._at_work)
            if part is not None or self._next > last:
                continue
            if self._end is not None and self._next > self._end:
                continue
            first = self._first + self._next * self._size
            asked = {"pass": self._pass, "part": self._next, "first": first, "size": self._size}
            try:
                worker.channel.send(asked)
            except OSError:
                continue  # its end is noticed soon
            self._at_work[worker] = self._next
            self._next += 1

    def _leave(self, part: int) -> None:
        self._done({"pass": self._pass, "part": part, "receipt": None, "data": None})

    def _done(self, document: Document) -> None:
        """Let the leader have a part now, or when it needs it."""
        if self._waits and document["part"] == self._needed:
            self._waits = False
            self._send(document)
        else:
            self._ready[document["part"]] = document

    def _send(self, document: Document) -> None:
        with suppress(OSError):  # its end is noticed soon
            self._leader.channel.send(document)
