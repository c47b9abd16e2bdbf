"""Restrictions on what a component does to the process, which all artifacts of a run share."""

from __future__ import annotations

import _thread
import os
import posix
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from typing import Any, TypeAlias

from waivern.errors import ComponentError
from waivern.plugins.callscope import CallScope, current

_ENDS = "it would end every artifact of the run: return, or raise an error"
_INTERRUPTS = "it would interrupt every artifact of the run: return, or raise an error"
_TIMES = "the process has one timer: give the artifact a `timeout`"
_CLOSES = "it would close what other artifacts have open: close what you have opened yourself"
_CLONE_FS = 0x200
"""Of Linux: a thread that unshares this has a working folder and a umask of its own."""
_MARK = "waivern_restriction"

Function: TypeAlias = Callable[..., Any]


def restrict() -> None:
    """Refuse to components, from here on, what ends or interrupts the whole process.

    The working folder and the umask that a component sets last until it returns; on Linux only its
    own thread has them. Threads of no component, and child processes, are not restricted.
    """
    for system in (os, posix):  # what one takes from the other, each has for itself
        for name in ("_exit", "abort", "execv", "execve"):
            _replace(system, name, partial(_refusing, _ENDS))
        _replace(system, "closerange", partial(_refusing, _CLOSES))
        _replace(system, "kill", partial(_refusing, _ENDS, when=_targets_process))
        _replace(system, "killpg", partial(_refusing, _ENDS, when=_targets_group))
        for name in ("chdir", "fchdir"):
            _replace(system, name, _restoring_folder)
        _replace(system, "umask", _restoring_umask)
    for module, name in ((signal, "raise_signal"), (signal, "pthread_kill")):
        _replace(module, name, partial(_refusing, _INTERRUPTS))
    _replace(_thread, "interrupt_main", partial(_refusing, _INTERRUPTS))
    for name in ("alarm", "setitimer"):
        _replace(signal, name, partial(_refusing, _TIMES))


@contextmanager
def restricted(name: str) -> Iterator[None]:
    """Restrict the code of a component that is loaded here, outside of any call."""
    restrict()
    with (current() or CallScope(name)).entered():
        yield


def _replace(module: Any, name: str, restricted: Callable[[str, Function], Function]) -> None:
    original = getattr(module, name)
    if not hasattr(original, _MARK):
        replacement = wraps(original)(restricted(f"{module.__name__}.{name}", original))
        setattr(replacement, _MARK, True)
        setattr(module, name, replacement)


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
