"""Capture of what components print, log and warn, while any run of this process is at work.

Streams, `logging`, `warnings` and `contextlib.redirect_stdout` belong to the process, not to a run:
they are replaced when the first run begins and restored when the last one has ended. What comes
from code that works for no artifact passes through as before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, TextIO

from waivern.plugins import streams
from waivern.plugins.module_folders import short
from waivern.plugins.streams import AttributedOutput, NoInput, Sink, current, muted, no_terminal

STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")

own_stderr = 2
"""The descriptor of this process's own stderr, wherever descriptor 2 leads meanwhile."""

_lock = threading.Lock()
_runs = 0
_installed = ExitStack()
_outputs: dict[str, AttributedOutput] = {}


@contextmanager
def captured() -> Iterator[None]:
    """Capture for as long as this lasts; runs at the same time share it."""
    global _runs  # noqa: PLW0603 - what it counts belongs to the process
    with _lock:
        _runs += 1
        if _runs == 1:
            _install(_installed)
    try:
        yield
    finally:
        with _lock:
            _runs -= 1
            if _runs == 0:
                _installed.close()


class attributed:  # noqa: N801 - as a generator, which would take twice as long
    """The attribution of what is printed, logged and warned to the artifact of a log.

    A child that was forked in between and comes back here is none of ours: it ends.
    """

    __slots__ = ("_process", "_sink", "_token")

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def __enter__(self) -> None:
        self._token, self._process = streams.enter(self._sink), os.getpid()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if os.getpid() != self._process:
            if kind is not None:
                traceback.print_exception(kind, error, trace)
            os._exit(0 if kind is None else 1)
        streams.leave(self._token)
        for name, output in list(_outputs.items()):
            if getattr(sys, name, None) is not output:  # the component has left its own, or none
                setattr(sys, name, output)


def _install(stack: ExitStack) -> None:
    stack.callback(_outputs.clear)
    made: dict[int, AttributedOutput] = {}
    for name in STREAMS:
        original: TextIO | None = getattr(sys, name)
        _outputs[name] = made.setdefault(id(original), AttributedOutput(original))
        _replace(stack, sys, name, _outputs[name])
    _replace(stack, sys, "stdin", NoInput(sys.stdin))
    _replace(stack, sys, "breakpointhook", _breakpoint)
    _capture_warnings(stack)
    _capture_logging(stack)
    redirect: Any = contextlib.redirect_stdout.__mro__[1]
    _replace(stack, redirect, "__enter__", _divert(redirect.__enter__))
    _replace(stack, redirect, "__exit__", _undivert(redirect.__exit__))


def _replace(stack: ExitStack, owner: Any, name: str, value: object) -> None:
    """Put a value in the place of another; at the end that comes back, unless it was replaced."""
    before = getattr(owner, name)

    def restore() -> None:
        if getattr(owner, name) is value:
            setattr(owner, name, before)

    setattr(owner, name, value)
    stack.callback(restore)


def _breakpoint(*args: Any, **kwargs: Any) -> Any:
    if current() is None or "PYTHONBREAKPOINT" in os.environ:
        return sys.__breakpointhook__(*args, **kwargs)  # noqa: T100 - the hook that was there
    raise no_terminal("`breakpoint()`")


# warnings and logging


def _capture_warnings(stack: ExitStack) -> None:
    before: Any = warnings.showwarning

    def show(
        message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None
    ) -> None:
        sink = current()
        if sink is None or file is not None:
            before(message, category, filename, lineno, file, line)
            return
        text = warnings.formatwarning(message, category, filename, lineno, line)
        sink.warning((category, str(message), filename, lineno), text.rstrip())
        with muted():  # whoever records warnings goes on to
            before(message, category, filename, lineno, file, line)

    _replace(stack, warnings, "showwarning", show)


class _ToLog(logging.Handler):
    """Hands records to the log of the artifact that they come from."""

    def emit(self, record: logging.LogRecord) -> None:
        sink = current()
        if sink is None:
            return
        try:
            name = "" if record.name == "root" else f"{short(record.name)}: "
            text = f"{record.levelname} {name}{self.format(record)}"
        except Exception:  # noqa: BLE001 - as every handler: a bad call does not fail the work
            self.handleError(record)
            return
        sink.line(text, echo=record.levelno >= logging.WARNING)


def _capture_logging(stack: ExitStack) -> None:
    """Have every record of an artifact from INFO on logged, whatever the host has configured.

    The root logger is left as it was found; what a component did to it ends with the run.
    """
    enabled: Any = logging.Logger.isEnabledFor
    call: Any = logging.Logger.callHandlers
    to_log = _ToLog()

    def is_enabled_for(logger: logging.Logger, level: int) -> bool:
        if current() is None or not _shared(logger):
            return bool(enabled(logger, level))
        return not logger.disabled and logging.root.manager.disable < level >= _level(logger)

    def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
        if current() is None or not _shared(logger):
            call(logger, record)
            return
        to_log.handle(record)
        if enabled(logger, record.levelno):
            with muted():
                call(logger, record)

    root, manager = logging.root, logging.root.manager
    level, handlers, disabled = root.level, root.handlers[:], manager.disable

    def restore() -> None:
        if root.handlers != handlers:
            root.handlers[:] = handlers
        if root.level != level:
            root.setLevel(level)
        manager.disable = disabled

    stack.callback(restore)
    _replace(stack, logging.Logger, "isEnabledFor", is_enabled_for)
    _replace(stack, logging.Logger, "callHandlers", call_handlers)


def _shared(logger: logging.Logger) -> bool:
    """Say whether a logger is one of the process: `ctx.log` is of nobody else's."""
    return logger is logging.root or logger.parent is not None


def _level(logger: logging.Logger) -> int:
    at: logging.Logger | None = logger
    while at is not None and at is not logging.root:
        if at.level:
            return at.level
        at = at.parent
    return min(logging.root.level, logging.INFO)


# redirect_stdout and redirect_stderr


class _Diverted:
    def __init__(self, output: AttributedOutput, token: Any) -> None:
        self.output = output
        self.token = token


def _divert(enter: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a component redirect its own output, and nobody else's."""

    def diverting(self: Any) -> Any:
        output = getattr(sys, self._stream)
        if current() is None or not isinstance(output, AttributedOutput):
            return enter(self)
        self._old_targets.append(_Diverted(output, output.divert(self._new_target)))
        return self._new_target

    return diverting


def _undivert(leave: Callable[..., Any]) -> Callable[..., Any]:
    def ending(self: Any, *error: Any) -> Any:
        if not isinstance(self._old_targets[-1], _Diverted):
            return leave(self, *error)
        diverted = self._old_targets.pop()
        diverted.output.undivert(diverted.token)
        return None

    return ending


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a thread that is not there any more may have held it
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)
