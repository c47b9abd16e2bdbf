"""The site of calls: all that the calls of one attempt have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from waivern.store.store_values import AttemptAddress


class Site(NamedTuple):
    """The facts that another process needs beside a call, to carry it out like this one.

    It has the values of variables. It is sent over a private channel only, never written to a file,
    an argument or an environment.
    """

    address: AttemptAddress
    base: str
    """The folder of the run's runbook."""
    folder: str
    """The working folder of the coordinator."""
    environ: Mapping[str, str]
    """The values of `${VAR}`."""
    process_environ: Mapping[str, str]
    """The environment of the coordinator's process."""
    secrets: tuple[str, ...]
    """The names of the variables whose values are redacted."""
    component_folders: tuple[str, ...]
    within: str
    """The folder in which they must be."""
    cached: bool
    """Whether the attempt uses the cache."""
    refresh: tuple[str, ...]
    """The artifacts that are rebuilt although a cached result may exist."""

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            **self._asdict(),
            "environ": dict(self.environ),
            "process_environ": dict(self.process_environ),
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Self:
        """Return the site of a document."""
        return cls(**{**document, "address": AttemptAddress(*document["address"])})


def working_folder() -> str:
    """Return the working folder of this process; the root if it was removed."""
    try:
        return str(Path.cwd())
    except OSError:
        return "/"
