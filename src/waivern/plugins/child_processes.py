"""The processes that components have started: none outlives a process that leaves.

Process groups of commands are known by number. Whatever else user code has started, by
`multiprocessing` or `subprocess`, is found as a descendant of this process: only where the system
lists processes in /proc, and only if the process is `wct` itself, for a library's host may have
children of its own. A process that has detached itself, as daemons do, is no descendant and stays.
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
"""How often the list of processes is read at most: they may start others until they are dead."""

last_words: list[Callable[[], None]] = []
"""Called before the process is left at once, perhaps in a signal handler: they wait for nothing."""


@contextmanager
def known(group: int) -> Iterator[None]:
    """Have a process group killed by `kill_all`, for as long as this lasts."""
    _groups.add(group)
    try:
        yield
    finally:
        _groups.discard(group)


def own_descendants() -> None:
    """Have `kill_all` kill every descendant of this process, too."""
    global _owns_descendants  # noqa: PLW0603 - it is the process that is meant
    _owns_descendants = True


def kill_all() -> None:
    """Kill every known group and descendant. May be called in a signal handler.

    Whoever ends the process with `os._exit` calls it; at any other end it is called by itself.
    """
    global _leaving  # noqa: PLW0603 - it is the process that is meant
    # A thread of a component, such as the one that replaces the dead workers of a pool, goes on
    # until the process has ended: what it forks from now on ends at once, in `_after_fork`.
    _leaving = _owns_descendants
    for group in tuple(_groups):
        send(group, signal.SIGKILL)
    empty = 0
    for look in range(LOOKS if _owns_descendants else 0):
        found = descendants()
        empty = 0 if found else empty + 1
        if empty == 2 or (empty and not look):  # twice, if something was at work before
            return
        for process in found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)


atexit.register(kill_all)


def leave(number: int) -> NoReturn:
    """End the process at once because of a signal, and nothing of it remains."""
    for words in last_words:
        with suppress(Exception):
            words()
    kill_all()
    os._exit(128 + number)


def send(group: int, number: signal.Signals) -> None:
    """Send a signal to all that is left of a process group, which may be nothing."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM where all are zombies
        os.killpg(group, number)


def descendants() -> list[int]:
    """Return the processes that this one has started, and those that these have, zombies apart."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # to read the list takes milliseconds
        return []
    children: dict[int, list[int]] = defaultdict(list)
    dead: set[int] = set()
    for process in _processes():
        try:
            with open(f"/proc/{process}/stat", "rb") as stat:  # noqa: PTH123 - pathlib costs more
                state, parent = stat.read().rpartition(b")")[2].split()[:2]
        except (OSError, ValueError):  # it is gone by now
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
    global _owns_descendants, _leaving  # noqa: PLW0603 - those of the child, which user code forked
    if _leaving:
        os._exit(1)
    _owns_descendants = _leaving = False
    _groups.clear()
    last_words.clear()


os.register_at_fork(after_in_child=_after_fork)
