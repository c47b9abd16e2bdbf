"""Short ways to messages, initial states and runs, for the tests of a store."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import anyio

from waivern.message import Json, Message
from waivern.store.base import RunStore
from waivern.store.store_values import ArtifactRef, InitialState, Owner, Receipt
from waivern.store.writers import Lease

OWNER = Owner("host-a", 4711, "2026-01-02T03:04:05.000Z")
RUNBOOK = b"artifacts: {}\n"


def message(content: Json = None, key: str = "a") -> Message:
    """Return a message; its content is `{"n": 1}` unless given."""
    return Message(id=key, content={"n": 1} if content is None else content)


def initial_state(
    *records: dict[str, Json], children: Mapping[str, bytes] = MappingProxyType({})
) -> InitialState:
    """Return the initial state of a run whose journal has these records."""
    return InitialState(
        runbook=RUNBOOK,
        records=records or ({"type": "born"},),
        run={"run_id": "r", "status": "running"},
        state={"completed": []},
        children=children,
    )


def begin(store: RunStore, run_id: str = "r") -> Lease:
    """Begin a run."""
    return store.begin(run_id, initial_state(), OWNER)


def publish(
    store: RunStore, lease: Lease, key: str, content: Json = None, run_id: str = "r"
) -> Receipt:
    """Stage an artifact and publish it."""
    receipt = store.stage(run_id, key, message(content, key))
    lease.publish([receipt])
    return receipt


def write_log(store: RunStore, run_id: str, key: str | None, text: str) -> None:
    """Append to a log, and close it."""
    with store.log(run_id, key) as log:
        log.write(text)


def ref(receipt: Receipt, *, staged: bool = False) -> ArtifactRef:
    """Return the reference to a published or staged artifact."""
    where = receipt.staged if staged else None
    return ArtifactRef(receipt.key, receipt.digest, receipt.content_digest, where)


def records(store: RunStore, run_id: str = "r") -> list[dict[str, Json]]:
    """Return the records in the journal of a run."""
    return [line.record for line in store.read_journal(run_id).lines]


T = TypeVar("T")


def without_plugin(suite: type[T]) -> type[T]:
    """Let pytest run the asynchronous tests of a class without a plugin for coroutines."""
    for name, test in list(vars(suite).items()):
        if inspect.iscoroutinefunction(test):
            setattr(suite, name, _synchronous(test))
    return suite


def _synchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    @functools.wraps(test)
    def run(*args: object, **options: object) -> None:
        anyio.run(functools.partial(test, *args, **options))

    return run
