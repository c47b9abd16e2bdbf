"""The keeper of a fork template: its parent, which sees to it that nothing outlives the attempt.

    coordinator ── starts ──▶ keeper ── forks ──▶ fork template ── forks ──▶ worker

It does nothing until the coordinator or the template is gone, and then ends the template, all
workers and all that they have started, even what has left their groups and sessions: the system
makes it the parent of what they leave. A template that is stopped or killed cannot do that. If the
keeper itself is killed, the template does it. Both may be stopped, and a process that is stopped
notices nothing: therefore the system continues them when their parent ends.

Where the system does not let a process adopt orphans, as on macOS, there is no keeper.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

LOOK_S = 0.05
"""The interval at which it is checked that the parent exists. A process that a component forked may
have inherited a socket, which then stays open when the coordinator is killed."""
ROUNDS = 10_000
"""How often is looked for processes that the ended ones have left."""
_PR_SET_CHILD_SUBREAPER = 36
_PR_SET_PDEATHSIG = 1


def kept(control: int, coordinator: int) -> int:
    """Fork the process that is to be the template, and keep it; only this child returns.

    `control` is its connection to the coordinator. Return the process that the template depends on.
    """
    if not adopt_orphans():  # it could not end more than the template can
        return coordinator
    signal_at_end_of_parent(signal.SIGCONT)
    keeper = os.getpid()
    if (template := os.fork()) != 0:
        _keep(control, coordinator, template)
    os.setsid()  # what stops the one does not stop the other
    signal_at_end_of_parent(signal.SIGCONT)
    return keeper


def _keep(control: int, coordinator: int, template: int) -> NoReturn:
    try:
        connection = select.poll()
        connection.register(control, 0)  # reports only that the coordinator has closed its end
        while (
            os.getppid() == coordinator
            and not connection.poll(LOOK_S * 1000)
            and os.waitpid(template, os.WNOHANG) == (0, 0)
        ):
            pass
    finally:
        end_children()
        os._exit(0)


def end_children() -> None:
    """End all child processes, and what they leave, until there is none."""
    for _ in range(ROUNDS):
        for pid in _children() or ():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def kill_group(pid: int) -> None:
    """End a process and its group; between its fork and its `setsid` it has no group yet."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _children() -> list[int] | None:
    """Return the processes whose parent this one is; None if the system does not list them."""
    with suppress(OSError):
        return [*map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())]
    return None


def adopt_orphans() -> bool:
    """Become the parent of the processes that workers leave behind, so that they can be ended.

    Return whether the system can do that.
    """
    return _children() is not None and _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def signal_at_end_of_parent(number: int) -> None:
    """Have the system send a signal to this process when its parent ends, on Linux.

    The end of the thread that has started it counts, too: then the signal is sent again later.
    """
    _prctl(_PR_SET_PDEATHSIG, number)


def _prctl(option: int, value: int) -> bool:
    """Set an option of this process; return whether the system has it, as Linux does."""
    if sys.platform != "linux":
        return False
    import ctypes

    return bool(ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0)
