"""The way from a path or URL to a store: by the scheme, through the entry points of stores."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from waivern.errors import NotFoundError, UsageError, WaivernError
from waivern.store.base import RunStore

if TYPE_CHECKING:  # creating a Protocol takes as long as the rest of this module
    from typing import Protocol

    class StoreOpener(Protocol):
        """The entry point of a store: in the group `waivern.stores`, named like its scheme.

        It returns the store at a URL without creating or reading anything yet. `trust` allows a
        store that another account could have written; `working_folder` is where it is used from.
        """

        def __call__(self, url: str, *, trust: bool, working_folder: str) -> RunStore: ...


KIND = "stores"


def open_store(
    url: str | os.PathLike[str],
    *,
    trust: bool = False,
    working_folder: str | os.PathLike[str] = ".",
) -> RunStore:
    """Return the store at a path or URL; `memory:` is a new, empty one in this process.

    Nothing is created or read yet; `trust` and `working_folder` are those of a
    LocalFilesystemStore. Raises UsageError if it names no folder, or for a scheme of which no store
    is installed.
    """
    text = os.fspath(url)
    if not text or "\0" in text:
        raise UsageError(
            f"{text[:80]!r} does not name a store", hint="give a path, file: or memory:"
        )
    scheme, folder = _scheme(text), os.fspath(working_folder)
    if (shipped := _SHIPPED.get(scheme)) is not None:
        return shipped(text, trust=trust, working_folder=folder)
    opener = _installed(scheme)
    try:
        return opener(text, trust=trust, working_folder=folder)
    except WaivernError:
        raise
    except Exception as error:  # its text is left out: it may repeat a password of the URL
        raise UsageError(
            f"the store for '{scheme}:' cannot be opened: "
            f"{type(error).__name__} in its entry point",
            hint="update the distribution that has it; docs/how-to/write-a-store.md says how an "
            "entry point is called",
        ) from error


def _scheme(text: str) -> str:
    """Return the scheme of a URL; 'file' for a path.

    Without '//' only a plain word is a scheme: the name of a folder may have a ':' too.
    """
    scheme, colon, rest = text.partition(":")
    word = scheme.translate(str.maketrans("", "", "+.-")) if rest.startswith("//") else scheme
    return scheme if colon and word.isalnum() else "file"


def open_file(url: str, *, trust: bool, working_folder: str) -> RunStore:
    """Open the store at a path or a `file:` URL."""
    from waivern.store.local import LocalFilesystemStore

    path = url.removeprefix("file:").removeprefix("//") if url.startswith("file:") else url
    return LocalFilesystemStore(path, trust=trust, working_folder=working_folder)


def open_memory(url: str, *, trust: bool, working_folder: str) -> RunStore:  # noqa: ARG001
    """Open a new, empty store in memory."""
    if url != "memory:":
        raise UsageError(
            f"{url[:80]!r} does not name a store",
            hint="a store in memory has no name: write `memory:`",
        )
    from waivern.store.memory import AsyncInMemoryStore

    return AsyncInMemoryStore()


def open_sqlite(url: str, *, trust: bool, working_folder: str) -> RunStore:
    """Open the store in the SQLite database at a `sqlite:` URL."""
    from waivern.store.sql import sqlite_store

    return sqlite_store.open_sqlite(url, trust=trust, working_folder=working_folder)


def open_objects(url: str, *, trust: bool, working_folder: str) -> RunStore:  # noqa: ARG001
    """Open the store in the bucket at an `s3:`, `gs:` or `az:` URL."""
    from waivern.store.objects.bucket_backend import open_in_bucket

    return open_in_bucket(url)


def open_http(url: str, *, trust: bool, working_folder: str) -> RunStore:  # noqa: ARG001
    """Open the store that a server has at an `https:` or `http:` URL."""
    from waivern.store.remote.remote_http import RemoteHttpStore

    return RemoteHttpStore(url)


def open_postgres(url: str, *, trust: bool, working_folder: str) -> RunStore:
    """Open the store in the PostgreSQL database at a `postgresql:` URL."""
    from waivern.store.sql import postgres_store

    return postgres_store.open_postgres(url, trust=trust, working_folder=working_folder)


_SHIPPED: dict[str, StoreOpener] = {
    "file": open_file,
    "memory": open_memory,
    "sqlite": open_sqlite,
    "postgresql": open_postgres,
    "postgres": open_postgres,
    "s3": open_objects,
    "gs": open_objects,
    "az": open_objects,
    "http": open_http,
    "https": open_http,
}
"""The entry points of this distribution: to read the metadata of all of them, where these are
declared too, would take several times as long as opening the store."""


def _installed(scheme: str) -> StoreOpener:
    """Return the opener of another distribution. Raises UsageError if there is none."""
    from waivern.kinds import installed, load

    try:
        opener: StoreOpener = load(KIND, scheme)
    except NotFoundError as error:
        known = sorted({*_SHIPPED, *installed(KIND)})
        raise UsageError(
            f"no store for '{scheme}:'",
            hint=f"use a path, or a store that is installed: {', '.join(f'{n}:' for n in known)}",
        ) from error
    return opener
