"""Standard streams that attribute output to the artifact at work and write it to its log.

Output that belongs to no artifact goes to the original stream.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import Any, NoReturn, Protocol, TextIO

from waivern.errors import ComponentError
from waivern.plugins import call_scope


class Sink(Protocol):
    """The log of one artifact, as the streams see it. Thread-safe."""

    def write(self, text: str) -> None:
        """Write printed text: any part of a line, or several lines."""
        ...

    def write_bytes(self, data: bytes) -> None:
        """Write printed bytes, as UTF-8."""
        ...

    def line(self, text: str, *, echo: bool = False) -> None:
        """Write whole lines; with `echo`, they are also shown with the progress of the run."""
        ...

    def warning(self, key: object, text: str) -> None:
        """Write a warning, unless one with this key was written before."""
        ...

    def flush(self) -> None:
        """Write the incomplete line too, if the process may end at any time."""
        ...


_sink: ContextVar[Sink | None] = ContextVar("waivern_sink", default=None)
_muted: ContextVar[bool] = ContextVar("waivern_muted", default=False)


def current() -> Sink | None:
    """Return the log of the artifact that this code works for: by its context, else its thread."""
    if (sink := _sink.get()) is not None:
        return sink
    scope = call_scope.current()
    return None if scope is None else scope.output


def enter(sink: Sink) -> Token[Sink | None]:
    """Attribute the output of this context to an artifact, until `leave`."""
    return _sink.set(sink)


def leave(token: Token[Sink | None]) -> None:
    """End the attribution that `enter` began."""
    _sink.reset(token)


@contextmanager
def muted() -> Iterator[None]:
    """Drop the output of this context: the artifact's log has it already."""
    token = _muted.set(True)
    try:
        yield
    finally:
        _muted.reset(token)


class _Delegate:
    """A stream in front of another one; it has the attributes of the other one."""

    def __init__(self, original: TextIO | None) -> None:
        self._original = original

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)

    def fileno(self) -> int:
        if self._original is None:
            raise io.UnsupportedOperation("fileno")
        return self._original.fileno()


class AttributedOutput(_Delegate, io.TextIOBase):
    """A standard output stream; what a component does to it affects no other component."""

    def __init__(self, original: TextIO | None) -> None:
        super().__init__(original)
        self.buffer = _Bytes(self)
        self._diverted: ContextVar[Any] = ContextVar("waivern_diverted", default=None)

    def replaces(self, original: TextIO | None) -> bool:
        """Return whether it is in front of this stream."""
        return self._original is original

    encoding = "utf-8"
    errors = "backslashreplace"
    newlines = None
    line_buffering = True
    write_through = False
    mode = "w"

    @property
    def closed(self) -> bool:
        return False

    def reconfigure(self, **_settings: object) -> None:
        """Accept any settings: a log is UTF-8 whatever they are."""

    def divert(self, target: Any) -> Token[Any]:
        """Send the output of this context to `target`, until `undivert`."""
        return self._diverted.set(target)

    def undivert(self, token: Token[Any]) -> None:
        try:
            self._diverted.reset(token)
        except ValueError:  # called in another context than `divert`
            self._diverted.set(None)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        return self._pass(text, lambda sink: sink.write(text))

    def write_bytes(self, data: bytes) -> None:
        text = data.decode(errors="backslashreplace")
        self._pass(text, lambda sink: sink.write_bytes(data))

    def _pass(self, text: str, take: Callable[[Sink], None]) -> int:
        if (target := self._diverted.get()) is not None:
            target.write(text)
        elif _muted.get():
            pass
        elif (sink := current()) is not None:
            take(sink)
        elif self._original is not None:
            self._original.write(text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:  # type: ignore[override]
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        if (target := self._diverted.get()) is not None:
            target.flush()
        elif (sink := current()) is not None:
            sink.flush()
        elif self._original is not None:
            self._original.flush()

    def close(self) -> None:
        """Stay open: other code prints to it, too."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        attributed = current() is not None or self._original is None
        return not attributed and self._original is not None and self._original.isatty()

    def __del__(self) -> None:
        """Close nothing."""


class _Bytes(io.BufferedIOBase):
    """The binary buffer of an AttributedOutput."""

    def __init__(self, text: AttributedOutput) -> None:
        self._text = text
        self.mode = "wb"

    @property
    def closed(self) -> bool:
        return False

    @property
    def raw(self) -> Any:
        return self

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._text.write_bytes(piece)
        return len(piece)

    def flush(self) -> None:
        self._text.flush()

    def close(self) -> None:
        """Stay open: other code prints to it, too."""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._text.fileno()

    def isatty(self) -> bool:
        return self._text.isatty()

    def __del__(self) -> None:
        """Close nothing."""


def no_terminal(what: str) -> ComponentError:
    """Return the error for a component that asks for input."""
    return ComponentError(
        f"there is no terminal: a component cannot use {what}",
        hint="ask people with a `gate`, or take what you need as a parameter",
    )


class NoInput(_Delegate, io.TextIOBase):
    """Standard input: a component that reads it gets an error instead of waiting for ever."""

    encoding = "utf-8"
    errors = "strict"
    mode = "r"

    @property
    def closed(self) -> bool:
        return False

    @property
    def buffer(self) -> Any:
        return self if current() is not None else getattr(self._original, "buffer", None)

    def read(self, *size: Any) -> Any:
        return self._reading().read(*size)

    read1 = readinto = readall = read

    def readline(self, *size: Any) -> Any:
        return self._reading().readline(*size)

    def readlines(self, *hint: Any) -> Any:
        return self._reading().readlines(*hint)

    def __iter__(self) -> Any:
        return iter(self._reading())

    def __next__(self) -> Any:
        return next(self._reading())

    def fileno(self) -> int:
        return self._reading().fileno()

    def readable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return current() is None and self._original is not None and self._original.isatty()

    def close(self) -> None:
        """Stay open: it does not belong to the component."""

    def __del__(self) -> None:
        """Close nothing."""

    def _reading(self) -> TextIO:
        if current() is not None or self._original is None:
            self._refuse()
        return self._original

    def _refuse(self) -> NoReturn:
        raise no_terminal("stdin, `input()` or a debugger")
