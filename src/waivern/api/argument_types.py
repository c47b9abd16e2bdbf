"""Checks of the types of arguments of the public functions.

A message names the argument and the type, never the value, which may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from waivern.errors import UsageError


def text(name: str, value: object, *, optional: bool = False) -> None:
    """Raise UsageError unless the value is text."""
    if not (isinstance(value, str) or (optional and value is None)):
        raise _wrong(name, value, "a text")


def switch(name: str, value: object) -> None:
    """Raise UsageError unless the value is True or False."""
    if not isinstance(value, bool):
        raise _wrong(name, value, "True or False")


def path(name: str, value: object, *, otherwise: str = "") -> None:
    """Raise UsageError unless the value is None or a path of text."""
    fits = value is None or isinstance(value, str | os.PathLike)
    if not fits or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), bytes)):
        raise _wrong(name, value, f"a path, as text or pathlib.Path{otherwise}")


def mapping(name: str, value: object) -> None:
    """Raise UsageError unless the value is a mapping with names for keys."""
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a mapping such as {'name': value}")
    odd = next((key for key in value if not isinstance(key, str)), None)
    if odd is not None:
        kind = type(odd).__name__
        message = f"{name}= has a key that is not text: it is of the type {kind}"
        raise UsageError(message, hint="give a mapping from names to values")


def _wrong(name: str, value: object, wanted: str) -> UsageError:
    kind = type(value).__name__
    what = "None" if value is None else f"of the type {kind}"
    return UsageError(f"{name}= cannot be {what}", hint=f"give {wanted}")
