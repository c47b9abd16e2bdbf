"""Capture of what components print, log and warn, as long as a run of this process is active.

Streams, `logging`, `warnings` and `contextlib.redirect_stdout` are patched. Output of code that
works for no artifact passes through unchanged.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import Any, TextIO

from waivern.plugins import streams
from waivern.plugins.module_folders import short
from waivern.plugins.process_patches import SharedPatches, replace
from waivern.plugins.streams import AttributedOutput, NoInput, Sink, current, muted, no_terminal

STREAMS = ("stdout", "stderr", "__stdout__", "__stderr__")

own_stderr = 2
"""The descriptor of this process's own stderr, also while descriptor 2 is redirected."""

_outputs: dict[str, AttributedOutput] = {}


@contextmanager
def captured() -> Iterator[None]:
    """Capture for as long as this lasts; runs at the same time share it."""
    _CAPTURE.hold()
    try:
        yield
    finally:
        _CAPTURE.release()


class attributed:  # noqa: N801 - used like a context manager function, which would take twice as long
    """The attribution of what is printed, logged and warned to the artifact of a log.

    A child process that the component forked must not continue the run: it ends here.
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
            if getattr(sys, name, None) is not output:  # the component has replaced or removed it
                setattr(sys, name, output)


def _install(stack: ExitStack) -> None:
    stack.callback(_outputs.clear)
    for name in STREAMS:
        original: TextIO | None = getattr(sys, name)
        same = [each for each in _outputs.values() if each.replaces(original)]
        _outputs[name] = same[0] if same else AttributedOutput(original)
        replace(stack, sys, name, _outputs[name])
    replace(stack, sys, "stdin", NoInput(sys.stdin))
    replace(stack, sys, "breakpointhook", _breakpoint)
    _capture_warnings(stack)
    _capture_logging(stack)
    redirect: Any = contextlib.redirect_stdout.__mro__[1]
    replace(stack, redirect, "__enter__", _divert(redirect.__enter__))
    replace(stack, redirect, "__exit__", _undivert(redirect.__exit__))


def _breakpoint(*args: Any, **kwargs: Any) -> Any:
    if current() is None or "PYTHONBREAKPOINT" in os.environ:
        return sys.__breakpointhook__(*args, **kwargs)  # noqa: T100 - the original hook
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
        with muted():  # code that records warnings still gets them
            before(message, category, filename, lineno, file, line)

    replace(stack, warnings, "showwarning", show)


class _ToLog(logging.Handler):
    """The handler that passes records to the log of the artifact that they come from."""

    def emit(self, record: logging.LogRecord) -> None:
        sink = current()
        if sink is None:
            return
        try:
            name = "" if record.name == "root" else f"{short(record.name)}: "
            text = f"{record.levelname} {name}{self.format(record)}"
        except Exception:  # noqa: BLE001 - as in every handler: a bad call does not fail the work
            self.handleError(record)
            return
        sink.line(text, echo=record.levelno >= logging.WARNING)


def _capture_logging(stack: ExitStack) -> None:
    """Log every record of an artifact from INFO on, whatever the host has configured.

    Changes that a component makes to the root logger end with the run.
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
    replace(stack, logging.Logger, "isEnabledFor", is_enabled_for)
    replace(stack, logging.Logger, "callHandlers", call_handlers)


def _shared(logger: logging.Logger) -> bool:
    """Return whether a logger is in the tree of the process; `ctx.log` is not."""
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
    """Redirect only the output of the component that asks for it."""

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


_CAPTURE = SharedPatches(_install)
