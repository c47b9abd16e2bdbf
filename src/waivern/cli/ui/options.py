"""What several commands take."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from waivern.store.base import RunStore

F = TypeVar("F", bound=Callable[..., Any])
TRUST = "waivern.trust_store"
"""Under which key the context has whether `--trust-store` was typed."""


def store_option(command: F) -> F:
    """Add `--store`, and `--trust-store`, which `opened` finds in the context."""
    trust = click.option(
        "--trust-store",
        is_flag=True,
        expose_value=False,
        callback=_keep_trust,
        help="Use the store even if other users can write to it.",
    )
    where = click.option("--store", metavar="PATH|URL", help="Store the runs there.")
    return where(trust(command))


def _keep_trust(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    ctx.meta[TRUST] = value


def json_option(command: F) -> F:
    """Add `--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")(command)


def opened(store: str | None) -> RunStore:
    """Return the store that a command is to use; `store` is what was typed."""
    from waivern.runs.locate import locate
    from waivern.store.opening import open_store

    ctx = click.get_current_context(silent=True)
    return open_store(locate(store), trust=bool(ctx and ctx.meta.get(TRUST)))
