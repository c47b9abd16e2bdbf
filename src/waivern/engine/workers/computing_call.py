"""A call that computes: its way to a slot, and the reports about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from waivern.engine.calls import Call, Outcome
from waivern.engine.executor import CallReport
from waivern.engine.workers.slots import Turn

if TYPE_CHECKING:
    from threading import Event
    from typing import Protocol

    class CallStarter(Protocol):  # creating a Protocol is slow
        """The executor that has the slots."""

        def start(self, call: Call, report: CallReport) -> None:
            """Give a call that has a slot to a thread."""
            ...

        def ended(self, computing: ComputingCall) -> None:
            """Note the end of a call that had a slot, and take the slot back."""
            ...

        def give_slot(self) -> None:
            """Take a slot back."""
            ...


class ComputingCall:
    """A call that computes: the slot it needs, and the reports about it."""

    def __init__(self, call: Call, report: CallReport, executor: CallStarter) -> None:
        self.call = call
        self._report = report
        self._executor = executor
        self.submitted = False
        self._held: list[Callable[[], None]] = []
        """What gives back its slot and its turn: to take something out of a list is atomic."""

    def begin(self) -> None:
        """Begin with a slot."""
        self.submitted = True
        self._held.append(self._executor.give_slot)
        self._executor.start(self.call, self)

    def takes(self, turn: Turn, start_ahead: Callable[[], Event], patience: float) -> bool:
        """Wait for the turn to compute on a thread; return false if it does not come soon."""
        taken = turn.take(self.waiting(), start_ahead, patience)
        if taken:
            self._held.append(turn.give)
        return taken

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Report that the call waits, for as long as this lasts."""
        self._report.waits(self.call, waiting=True)
        try:
            yield
        finally:
            self._report.waits(self.call, waiting=False)

    def leave(self) -> None:
        """Give back what it has, once."""
        while True:
            try:
                give_back = self._held.pop()
            except IndexError:
                return
            give_back()

    # as a receiver of reports

    def began(self, call: Call) -> None:
        self._report.began(call)

    def waits(self, call: Call, *, waiting: bool) -> None:
        self._report.waits(call, waiting=waiting)

    def done(self, call: Call, outcome: Outcome) -> None:
        self._executor.ended(self)
        self._report.done(call, outcome)

    def gone(self, reason: str) -> None:
        self._report.gone(reason)
