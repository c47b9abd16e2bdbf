"""Restrictions on what a component does to the process, which all artifacts of a run share."""

from __future__ import annotations

import _thread
import os
import posix
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial, wraps
from typing import Any, TypeAlias

from waivern.errors import ComponentError
from waivern.plugins.call_scope import CallScope, adopting, current

_ENDS = "it would end every artifact of the run: return, or raise an error"
_INTERRUPTS = "it would interrupt every artifact of the run: return, or raise an error"
_TIMES = "the process has one timer: give the artifact a `timeout`"
_CLOSES = "it would close what other artifacts have open: close what you have opened yourself"
_CLONE_FS = 0x200
"""Of Linux: a thread that unshares this has a working folder and a umask of its own."""
_MARK = "waivern_restriction"

Function: TypeAlias = Callable[..., Any]


_lock = threading.Lock()
_holders = 0
"""Runs and loads of components that are at work."""
_left: list[CallScope] = []
"""Calls that were still at work when their run ended."""
_installed = ExitStack()


def restrict() -> None:
    """Refuse to components, until `release`, what ends or interrupts the whole process.

    The working folder and the umask that a component sets last until it returns; on Linux only its
    own thread has them. Threads of no component, and child processes, are not restricted. Runs at
    the same time share the restrictions.
    """
    global _holders  # noqa: PLW0603 - what it counts belongs to the process
    with _lock:
        if _holders == 0:
            _install(_installed)
        _holders += 1


def release(left: Iterable[CallScope] = ()) -> None:
    """Give the functions of the process back to it, unless another run is at work.

    Work that was `left` behind remains restricted: then the next release gives them back.
    """
    global _holders  # noqa: PLW0603 - as above
    with _lock:
        _holders -= 1
        _left[:] = [scope for scope in (*_left, *left) if not scope.over]
        if _holders == 0 and not _left:
            _installed.close()


def _install(stack: ExitStack) -> None:
    for system in (os, posix):  # what one takes from the other, each has for itself
        for name in ("_exit", "abort", "execv", "execve"):
            _replace(stack, system, name, partial(_refusing, _ENDS))
        _replace(stack, system, "closerange", partial(_refusing, _CLOSES))
        _replace(stack, system, "kill", partial(_refusing, _ENDS, when=_targets_process))
        _replace(stack, system, "killpg", partial(_refusing, _ENDS, when=_targets_group))
        for name in ("chdir", "fchdir"):
            _replace(stack, system, name, _restoring_folder)
        _replace(stack, system, "umask", _restoring_umask)
    for module, name in ((signal, "raise_signal"), (signal, "pthread_kill")):
        _replace(stack, module, name, partial(_refusing, _INTERRUPTS))
    _replace(stack, _thread, "interrupt_main", partial(_refusing, _INTERRUPTS))
    for name in ("alarm", "setitimer"):
        _replace(stack, signal, name, partial(_refusing, _TIMES))
    _replace(stack, threading.Thread, "start", adopting)


@contextmanager
def restricted(name: str) -> Iterator[None]:
    """Restrict the code of a component that is loaded here, outside of any call."""
    restrict()
    try:
        with (current() or CallScope(name)).entered():
            yield
    finally:
        release()


def _replace(
    stack: ExitStack, owner: Any, name: str, restricted: Callable[[str, Function], Function]
) -> None:
    """Put a restricted function in the place of another, unless one is there already.

    At the end that one comes back; what somebody else has put there meanwhile stays.
    """
    original = getattr(owner, name)
    if hasattr(original, _MARK):
        return
    replacement = wraps(original)(restricted(f"{owner.__name__}.{name}", original))
    setattr(replacement, _MARK, True)

    def restore() -> None:
        if getattr(owner, name) is replacement:
            setattr(owner, name, original)

    setattr(owner, name, replacement)
    stack.callback(restore)


def _refusing(
    hint: str,
    called: str,
    original: Function,
    when: Callable[..., bool] = lambda *_args, **_named: True,
) -> Function:
    def refusing(*args: Any, **named: Any) -> Any:
        if current() is not None and when(*args, **named):
            raise ComponentError(f"a component cannot call {called}", hint=hint)
        return original(*args, **named)

    return refusing


def _targets_process(pid: int, number: int) -> bool:
    return number != 0 and pid in (os.getpid(), 0, -1, -os.getpgrp())


def _targets_group(group: int, number: int) -> bool:
    return number != 0 and group in (0, os.getpgrp())


def _restoring_folder(_called: str, original: Function) -> Function:
    def changing(path: Any) -> None:
        if (scope := current()) is not None:
            _separate(scope)
            if "folder" not in scope.restore:
                here = os.open(".", getattr(os, "O_PATH", os.O_RDONLY))
                scope.restore["folder"] = partial(_return_to, here)
        original(path)

    return changing


def _return_to(folder: int) -> None:
    try:
        os.fchdir(folder)
    finally:
        os.close(folder)


def _restoring_umask(_called: str, original: Function) -> Function:
    def changing(mask: int) -> int:
        scope = current()
        if scope is not None:
            _separate(scope)
        before: int = original(mask)
        if scope is not None:
            scope.restore.setdefault("umask", partial(original, before))
        return before

    return changing


def _separate(scope: CallScope) -> None:
    """Give the current thread a working folder and a umask of its own, where that is possible."""
    thread = threading.current_thread()
    if sys.platform != "linux" or thread is threading.main_thread() or scope.restore:
        return
    unshare: Function | None = getattr(os, "unshare", None)  # from Python 3.12
    if unshare is None:
        import ctypes  # costs more than most components

        unshare = ctypes.CDLL(None).unshare
    with suppress(OSError):  # a container may forbid it: then it is restored, but not separate
        unshare(_CLONE_FS)


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a thread that is not there any more may have held it
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
