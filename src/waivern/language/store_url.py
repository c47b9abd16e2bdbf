"""The store that a project file chooses: by the name of a backend, a path, or a URL.

Without pydantic, like `project_file`: lists of runs need it (ADR 9).
"""

from __future__ import annotations

from typing import TypeAlias

from waivern.yamldoc.runbook_codes import RunbookCode

Fault: TypeAlias = tuple[tuple[str, ...], RunbookCode, str, str | None]
"""The key below `persistence`, the code, the message and the hint."""

SCHEMES = {
    "filesystem": ("file",),
    "memory": ("memory",),
    "sqlite": ("sqlite",),
    "postgres": ("postgresql", "postgres"),
    "s3": ("s3",),
    "gcs": ("gs",),
    "azure": ("az",),
    "http": ("https", "http"),
}
"""The shipped backends, each with the schemes of its URLs."""
EXAMPLES = {
    "postgres": "postgresql://user@host/database",
    "s3": "s3://bucket/prefix",
    "gcs": "gs://bucket/prefix",
    "azure": "az://container/prefix",
    "http": "https://host/",
}
"""An example of the URL of each backend that needs one."""
DATABASE_URL = "sqlite:///"
DATABASE = ".waivern/runs.db"
"""The path of the SQLite database if none is written, below the data directory."""


def backend_of(url: str) -> str:
    """Return the backend that a URL leads to: its name, or its scheme if it is not shipped."""
    scheme = url.partition(":")[0]
    return next((name for name, schemes in SCHEMES.items() if scheme in schemes), scheme)


def fault(backend: str | None, path: str | None, url: str | None) -> Fault | None:
    """Return what is wrong with the three keys together; None if they choose one store."""
    if url is None:
        if backend in EXAMPLES:
            example = f"add `url: {EXAMPLES[backend]}`"
            return (
                ("backend",),
                RunbookCode.MISSING,
                f"{{}} is {backend}, which needs a URL",
                example,
            )
        return None
    if ":" not in url:
        return ("url",), RunbookCode.VALUE, "{} is not a URL", "write a folder or file as `path`"
    if path is not None:
        hint = "omit one of the two: 'path' is for filesystem and sqlite"
        return ("path",), RunbookCode.CONFLICT, "{} cannot be combined with 'url'", hint
    if backend is not None and backend_of(url) != backend:
        hint = f"a URL of {backend} begins with `{SCHEMES[backend][0]}:`; 'backend' may be omitted"
        return ("url",), RunbookCode.CONFLICT, f"{{}} does not lead to {backend}", hint
    if ":" in (account := url.partition("://")[2].rpartition("@")[0]) and "/" not in account:
        hint = "leave it to the environment; docs/how-to/choose-a-store.md says how"
        return ("url",), RunbookCode.VALUE, "{} must not have a password in it", hint
    return None


def store_url(folder: str, backend: str | None, path: str | None, url: str | None) -> str | None:
    """Return the path or URL of the store; None if the file chooses none.

    `path` is absolute; `folder` is the data directory, from which a database starts, too.
    """
    if backend == "sqlite" and url is None:
        return f"sqlite:///{path or f'{folder}/{DATABASE}'}"
    if url and (name := url.removeprefix(DATABASE_URL)) != url and name[:1] not in ("", "/", "~"):
        return f"{DATABASE_URL}{folder}/{name}"
    return url or path
