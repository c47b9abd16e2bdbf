"""The fork template, as the coordinator sees it: it is started, asked for workers, and ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from waivern.engine.site import Site
from waivern.engine.workers.fork_template import FORK, KILL, READY, REPORT, REQUEST

CLOSE_S = 5.0
"""How long the template and its keeper may take to end all that the workers have started."""
_BOOT = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from waivern.engine.workers.fork_template import main; "
    "main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[4])"
)
_INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LANGUAGE")
_INHERITED_PREFIXES = ("LC_", "LD_", "DYLD_", "PYTHON", "MALLOC_", "COVERAGE_")
"""What an interpreter and its libraries read when they start. All other variables are sent over the
channel, so that the environment of a worker, which others on the machine may see, has no secret."""

OnReport = Callable[[bytes, int, int, int | None], None]
"""Takes a report: what it is about, its two numbers, and a descriptor of a new process."""


class TemplateProcess:
    """A fork template, and the thread that reads its reports.

    `on_report` is called with each report, `on_gone` when no more will come. Raises OSError if the
    system cannot start it. `component` is a module that the template is to import for workers.
    """

    def __init__(
        self,
        site: Site,
        component: str,
        on_report: OnReport,
        on_gone: Callable[[TemplateProcess], None],
    ) -> None:
        self._on_report = on_report
        self._on_gone = on_gone
        self.ready = threading.Event()
        """Set when it can fork a worker at once, and when it never will."""
        ours, theirs = socket.socketpair()
        command = [
            sys.executable,
            *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]  # noqa: SLF001
            "-P",
            "-c",
            _BOOT,
            str(theirs.fileno()),
            str(os.getpid()),
            json.dumps(sys.path),
            component,
        ]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this interpreter, own arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(frozenset(site.secrets)),
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._control = ours
        self._reader = threading.Thread(
            target=self._read, name="waivern-worker-reports", daemon=True
        )
        self._reader.start()

    def fork(self, number: int, channel: int, output: int) -> None:
        """Ask for a worker with these descriptors. Raises OSError if the template is gone."""
        socket.send_fds(self._control, [REQUEST.pack(FORK, number)], [channel, output])

    def kill(self, pid: int) -> None:
        """Ask it to end a worker with its group."""
        with suppress(OSError):
            self._control.sendall(REQUEST.pack(KILL, pid))

    def hang_up(self) -> None:
        """Have the template end, with all workers and what they have started."""
        with suppress(OSError):
            self._control.shutdown(socket.SHUT_RDWR)
        self._process.send_signal(signal.SIGCONT)  # it may be stopped

    def end(self) -> None:
        """End it, with all workers and what they have started, and wait for that."""
        self.hang_up()
        try:
            self._process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:  # one of their children cannot end
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._control.close()

    def close_in_child(self) -> None:
        """Release the connection in a forked child, or the end of its parent goes unnoticed."""
        self._control.close()

    def _read(self) -> None:
        """Pass on what the template reports, one at a time: a descriptor belongs to its report."""
        while True:
            try:
                data, descriptors, _, _ = socket.recv_fds(self._control, REPORT.size, 1)
            except OSError:
                break
            if len(data) < REPORT.size:
                break
            what, number, value = REPORT.unpack(data)
            if what == READY:
                self.ready.set()
                continue
            self._on_report(what, number, value, descriptors[0] if descriptors else None)
        self.ready.set()
        self._on_gone(self)


def _environment(secret: frozenset[str]) -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if (name in _INHERITED or name.startswith(_INHERITED_PREFIXES)) and name not in secret
    }
