"""Arguments of the public functions that are of a type they cannot have: refused with the name.

A message names the type and never the value, which may be a secret.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from waivern.errors import UsageError
from waivern.store.base import RunStore


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


def check(terms: Mapping[str, object]) -> None:
    """Raise UsageError for a term that is of a wrong type."""
    for name in ("params", "data"):
        if terms.get(name) is not None:
            mapping(name, terms[name])
    if not isinstance(terms.get("store"), RunStore):
        path("store", terms.get("store"), otherwise=", a URL, or a store")
    path("project_root", terms.get("project_root"))
    text("by", terms.get("by"), optional=True)
    for name in ("allow_changed", "force", "ask_again"):
        switch(name, terms.get(name, False))


def _wrong(name: str, value: object, wanted: str) -> UsageError:
    kind = type(value).__name__
    what = "None" if value is None else f"of the type {kind}"
    return UsageError(f"{name}= cannot be {what}", hint=f"give {wanted}")
