"""Which code a component is, for telling whether it would still do the same."""

from __future__ import annotations

import sys
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from waivern.message import sha256
from waivern.plugins.component import Component
from waivern.plugins.folders import DIGEST


def code_digest(component: Component) -> str:
    """Return the digest of the source file that defines the component's class.

    Of the built-in ones the version of the package is part of it. What the file imports is not
    seen: helpers in other modules, base classes, installed packages; a component whose helpers
    change has to change its `version`. The file is read once a process, when first asked for: as
    soon as the component is loaded, so that it is what was run.

    Without a source file it is the name and version of the distribution; without either, text
    that no other process returns.
    """
    return _of_class(type(component))


@cache
def _of_class(kind: type) -> str:
    top = kind.__module__.partition(".")[0]
    digest = _source_digest(kind.__module__)
    if digest is None:
        return _distribution(top)
    # looked up, not imported: the package's front leads to all rooms
    return f"waivern {sys.modules[top].__version__} {digest}" if top == "waivern" else digest


def _source_digest(name: str) -> str | None:
    module = sys.modules.get(name)
    if digest := getattr(module, DIGEST, None):
        return str(digest)
    file = getattr(module, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
        return None
    try:
        return sha256(Path(file).read_bytes())
    except OSError:
        return None  # in a zip file, or deleted since


def _distribution(package: str) -> str:
    owners = sorted(set(packages_distributions().get(package, ())))
    return " ".join(f"{name} {version(name)}" for name in owners) or _unrepeatable()


def _unrepeatable() -> str:
    from uuid import uuid4

    return f"unknown {uuid4()}"
