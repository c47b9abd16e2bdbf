"""What several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from waivern.store.base import RunStore

F = TypeVar("F", bound=Callable[..., Any])


def store_option(command: F) -> F:
    """Add `--store`."""
    return click.option("--store", metavar="PATH|URL", help="Where the runs are kept.")(command)


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document.")(command)


def opened(store: str | None) -> RunStore:
    """Return the store that a command is to use; `store` is what was typed."""
    from waivern.service.locate import locate
    from waivern.store.opening import open_store

    return open_store(locate(store))
