"""Child processes of components: they are killed when this process ends.

Process groups of commands are registered. Other processes that user code has started, with
`multiprocessing` or `subprocess`, are found as descendants of this process: only where the system
lists processes in /proc, and only if the process is `wct` itself, because the host of a library may
have children of its own. A process that has detached itself, as daemons do, is not a descendant and
continues.

The state of this module is per process, because a signal handler needs it: it has no run at hand.
"""

from __future__ import annotations

import atexit
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn

_groups: set[int] = set()
_owns_descendants = False
_leaving = False
LOOKS = 20
"""How often the list of processes is read at most: until they are dead, they may start others."""

last_words: list[Callable[[], None]] = []
"""Called before the process exits at once, perhaps in a signal handler: they must not block."""


@contextmanager
def known(group: int) -> Iterator[None]:
    """Register a process group for `kill_all`, for as long as this lasts."""
    _groups.add(group)
    try:
        yield
    finally:
        _groups.discard(group)


def own_descendants() -> None:
    """Include every descendant of this process in `kill_all`."""
    global _owns_descendants  # noqa: PLW0603 - state of the process
    _owns_descendants = True


def kill_all() -> None:
    """Kill every registered group and descendant. May be called in a signal handler.

    Code that ends the process with `os._exit` must call it; otherwise it is called at exit.
    """
    global _leaving  # noqa: PLW0603 - state of the process
    # Threads of components run until the process has ended, such as the one that replaces the dead
    # workers of a pool: a child that they fork from now on ends at once, in `_after_fork`.
    _leaving = _owns_descendants
    for group in tuple(_groups):
        send(group, signal.SIGKILL)
    empty = 0
    for look in range(LOOKS if _owns_descendants else 0):
        found = descendants()
        empty = 0 if found else empty + 1
        if empty == 2 or (empty and not look):  # twice: one may have forked meanwhile
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)


atexit.register(kill_all)


def leave(number: int) -> NoReturn:
    """End the process at once because of a signal, with all its children."""
    for words in last_words:
        with suppress(Exception):
            words()
    kill_all()
    os._exit(128 + number)


def send(group: int, number: signal.Signals) -> None:
    """Send a signal to a process group, which may have ended."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM where all are zombies
        os.killpg(group, number)


def descendants() -> list[int]:
    """Return the children of this process and their children, without zombies."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # no children: to read the list would take milliseconds
        return []
    children: dict[int, list[int]] = defaultdict(list)
    dead: set[int] = set()
    for process in _processes():
        try:
            with open(f"/proc/{process}/stat", "rb") as stat:  # noqa: PTH123 - pathlib costs more
                state, parent = stat.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):  # it has ended meanwhile
            continue
        children[int(parent)].append(process)
        if state == b"Z":
            dead.add(process)
    found, frontier = [], [os.getpid()]
    while frontier:
        below = children[frontier.pop()]
        found += [process for process in below if process not in dead]
        frontier += below
    return found


def _processes() -> list[int]:
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdecimal()]  # noqa: PTH208
    except OSError:  # not on Linux
        return []


def _after_fork() -> None:
    global _owns_descendants, _leaving  # noqa: PLW0603 - state of the child process
    if _leaving:
        os._exit(1)
    _owns_descendants = _leaving = False
    _groups.clear()
    last_words.clear()


os.register_at_fork(after_in_child=_after_fork)
