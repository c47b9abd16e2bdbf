"""The document: from the bytes of a runbook to a frozen Runbook, or to everything wrong with it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from waivern.runbook.codes import Code
    from waivern.runbook.document import Document
    from waivern.runbook.env import expand, names
    from waivern.runbook.loader import load, parse
    from waivern.runbook.model import Artifact, Process, Producer, Reuse, Runbook, Settings, Source

__all__ = [
    "Artifact",
    "Code",
    "Document",
    "Process",
    "Producer",
    "Reuse",
    "Runbook",
    "Settings",
    "Source",
    "expand",
    "load",
    "names",
    "parse",
]

_HOMES = {"Code": "codes", "Document": "document"}
_HOMES |= {"expand": "env", "names": "env", "load": "loader", "parse": "loader"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'model')}"), name)
