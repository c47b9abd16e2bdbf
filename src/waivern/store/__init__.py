"""Stores: the interface, the shipped ones, and the backend port that others are written over.

Each name is imported when it is first used, so that importing one module of this package is cheap.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from waivern.store.backend import Backend as Backend
    from waivern.store.backend_store import BackendStore as BackendStore
    from waivern.store.base import ArtifactStore as ArtifactStore
    from waivern.store.base import RunStore as RunStore
    from waivern.store.local import LocalFilesystemStore as LocalFilesystemStore
    from waivern.store.memory import AsyncInMemoryStore as AsyncInMemoryStore
    from waivern.store.opening import open_store as open_store
    from waivern.store.remote.remote_http import RemoteHttpStore as RemoteHttpStore
    from waivern.store.sql.postgres_store import PostgresStore as PostgresStore
    from waivern.store.sql.sqlite_store import SqliteStore as SqliteStore

_MODULES = {
    "ArtifactStore": "base",
    "AsyncInMemoryStore": "memory",
    "Backend": "backend",
    "BackendStore": "backend_store",
    "LocalFilesystemStore": "local",
    "RemoteHttpStore": "remote.remote_http",
    "PostgresStore": "sql.postgres_store",
    "RunStore": "base",
    "SqliteStore": "sql.sqlite_store",
    "open_store": "opening",
}
"""Public name to the module that defines it."""


if not TYPE_CHECKING:  # a type checker would accept any name

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module 'waivern.store' has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"waivern.store.{_MODULES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(_MODULES)
