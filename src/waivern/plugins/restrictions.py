"""Restrictions on components: they must not end, interrupt or change the process of a run."""

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
from waivern.plugins.process_patches import SharedPatches, replace

_ENDS = "it would end every artifact of the run: return, or raise an error"
_INTERRUPTS = "it would interrupt every artifact of the run: return, or raise an error"
_TIMES = "the process has one timer: give the artifact a `timeout`"
_CLOSES = "it would close what other artifacts have open: close what you have opened yourself"
_CLONE_FS = 0x200
"""On Linux, a thread that unshares this has a working folder and a umask of its own."""
_MARK = "waivern_restriction"

Function: TypeAlias = Callable[..., Any]


def restrict() -> None:
    """Refuse, until `release`, what ends or interrupts the whole process.

    The working folder and the umask that a component sets last until it returns; on Linux only its
    own thread has them. Threads of no component, and child processes, are not restricted. Runs at
    the same time share the restrictions.
    """
    _RESTRICTIONS.hold()


def release(left: Iterable[CallScope] = ()) -> None:
    """Remove the restrictions, unless another run is at work.

    Work that was `left` behind remains restricted: the next release then removes them.
    """
    _RESTRICTIONS.release(left)


def _install(stack: ExitStack) -> None:
    for system in (os, posix):  # `os` has copies of the functions of `posix`: both are patched
        for name in ("_exit", "abort", "execv", "execve"):
            _restrict(stack, system, name, partial(_refusing, _ENDS))
        _restrict(stack, system, "closerange", partial(_refusing, _CLOSES))
        _restrict(stack, system, "kill", partial(_refusing, _ENDS, when=_targets_process))
        _restrict(stack, system, "killpg", partial(_refusing, _ENDS, when=_targets_group))
        for name in ("chdir", "fchdir"):
            _restrict(stack, system, name, _restoring_folder)
        _restrict(stack, system, "umask", _restoring_umask)
    for module, name in ((signal, "raise_signal"), (signal, "pthread_kill")):
        _restrict(stack, module, name, partial(_refusing, _INTERRUPTS))
    _restrict(stack, _thread, "interrupt_main", partial(_refusing, _INTERRUPTS))
    for name in ("alarm", "setitimer"):
        _restrict(stack, signal, name, partial(_refusing, _TIMES))
    _restrict(stack, threading.Thread, "start", adopting)


@contextmanager
def restricted(name: str) -> Iterator[None]:
    """Restrict the code of a component while it is loaded, outside of any call."""
    restrict()
    try:
        with (current() or CallScope(name)).entered():
            yield
    finally:
        release()


def _restrict(
    stack: ExitStack, owner: Any, name: str, restricted: Callable[[str, Function], Function]
) -> None:
    """Replace a function by a restricted one, unless it is one already."""
    original = getattr(owner, name)
    if not hasattr(original, _MARK):
        replacement = wraps(original)(restricted(f"{owner.__name__}.{name}", original))
        setattr(replacement, _MARK, True)
        replace(stack, owner, name, replacement)


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
    """Give the current thread its own working folder and umask, where that is possible."""
    thread = threading.current_thread()
    if sys.platform != "linux" or thread is threading.main_thread() or scope.restore:
        return
    unshare: Function | None = getattr(os, "unshare", None)  # from Python 3.12
    if unshare is None:
        import ctypes  # its import costs more than most components

        unshare = ctypes.CDLL(None).unshare
    with suppress(OSError):  # a container may forbid it: then threads share them during the call
        unshare(_CLONE_FS)


_RESTRICTIONS = SharedPatches(_install)
