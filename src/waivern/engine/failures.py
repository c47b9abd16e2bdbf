"""Failures as data: what a call raised, in words that may be stored."""

from __future__ import annotations

from collections.abc import Callable

from waivern.engine.calls import Failed
from waivern.errors import StoreError, WaivernError


def failure(error: BaseException, presentable: Callable[[str], str], duration_ms: int) -> Failed:
    """Return the failure of a call; `presentable` redacts and shortens a text."""
    if isinstance(error, WaivernError):
        message, hint = error.message, error.hint
    else:
        message, hint = _text(error), None
    classes = type(error).__mro__
    kinds = tuple(each.__name__ for each in classes)
    kinds += tuple(f"{each.__module__}.{each.__qualname__}" for each in classes)
    return Failed(
        presentable(type(error).__name__),
        presentable(message or "no message"),
        presentable(hint) if hint else None,
        duration_ms,
        isinstance(error, StoreError),
        kinds,
    )


def _text(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"sys.exit({'' if error.code is None else repr(error.code)}) was called"
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - an error that cannot say what it is, is one all the same
        return ""
