"""One worker process, as the coordinator sees it."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from waivern.engine.workers.channel import Channel
from waivern.engine.workers.keeper import kill_group

if TYPE_CHECKING:
    from waivern.engine.workers.template_process import TemplateProcess

STACK = getattr(signal, "SIGRTMIN", signal.SIGUSR2)
"""The signal on which a worker writes its stack to where its output is read."""
_OUT_OF_MEMORY = ", as the system does when memory runs out"


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
        template: TemplateProcess,
    ) -> None:
        self.number = number
        self.template = template
        """The process that has forked it."""
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
        self._process: int | None = None
        """A descriptor of the process: its number may belong to another one when it has ended."""
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

    def began(self, pid: int, process: int | None) -> None:
        """Record the process; `process` is a descriptor of it, where the system has such."""
        with self._lock:
            self.pid = pid
            if self._closed and process is not None:
                os.close(process)
            else:
                self._process = process
        self.forked.set()

    def ask_for_stack(self) -> None:
        """Have the stack of every thread written to the output, where the system can do that."""
        with self._lock:
            if self._process is not None:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(self._process, STACK)  # type: ignore[attr-defined,unused-ignore]

    def kill(self) -> None:
        """End it with all the processes of its group, even if its template is stopped."""
        with self._lock:
            if not self.pid or self.ended.is_set():
                return
            if self._process is None:
                self.template.kill(self.pid)
                return
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, 0)  # type: ignore[attr-defined,unused-ignore]
                kill_group(self.pid)  # the number is still that of this process

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
        for descriptor in (self.output, self._process):
            if descriptor is not None:
                with suppress(OSError):
                    os.close(descriptor)
        self._process = None
