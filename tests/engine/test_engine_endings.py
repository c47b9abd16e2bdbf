"""How attempts end: limits, late results, observers, secrets, the order of the journal."""

from __future__ import annotations

import itertools
import json
import threading
import time
from pathlib import Path

import anyio
import pytest
from engine_kit import Spec, execute, join_workers, runbook, threads
from engine_steps import Stage

from waivern.engine.outcome import AttemptOutcome, store_failure, worse
from waivern.errors import Exit
from waivern.message import Json
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactStartedRecord,
    AttemptEndedRecord,
    AttemptStartedRecord,
    Event,
    RunStartedRecord,
    to_record,
)
from waivern.record.status import RunStatus
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.store.memory import AsyncInMemoryStore
from waivern.store.store_values import InitialState, Owner
from waivern.store.writers import Lease


@pytest.fixture(params=["memory", "local"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> RunStore:
    if request.param == "memory":
        return AsyncInMemoryStore()
    return LocalFilesystemStore(tmp_path / "store")


# the limit


@pytest.mark.parametrize("call", ["blocked", "blocked_async"])
async def test_a_blocked_component_does_not_hold_up_the_limit(call: str, store: RunStore) -> None:
    stage = Stage()
    document = runbook(
        stage,
        Spec("done"),
        Spec("stuck", call=call),
        Spec("after", ("stuck",)),
        timeout="0.3s",
    )
    began = time.monotonic()
    ran = await anyio.to_thread.run_sync(lambda: execute(document, store=store))
    took = time.monotonic() - began
    assert 0.3 <= took < 2.5
    assert ran.statuses == {"done": "completed", "stuck": "failed", "after": "not_started"}
    assert ran.error("stuck")["kind"] == "timeout"
    assert (ran.ending.status, ran.ending.reason, ran.ending.exit_code) == ("failed", "timeout", 8)
    assert ran.ending.stuck
    last = ran.events[-1]
    assert isinstance(last, AttemptEndedRecord)
    assert (last.status, last.reason) == ("failed", "timeout")

    count, state = len(ran.events), ran.state()
    stage.events["stuck"].set()  # now it returns: too late
    join_workers()
    assert stage.trace[-1] == ("end", "stuck")
    assert await store.list_keys("r") == ["done"]
    assert len(store.read_journal("r").lines) == count
    assert store.read_json("r", "state") == state


def test_a_coroutine_is_cancelled_at_the_limit() -> None:
    stage = Stage()
    ran = execute(runbook(stage, Spec("waits", call="never"), timeout="0.2s"))
    assert ran.statuses == {"waits": "failed"}
    assert ran.error("waits")["kind"] == "timeout"
    assert stage.events["cancelled"].wait(5)
    assert not ran.ending.stuck


def test_what_had_no_turn_before_the_limit_is_not_started() -> None:
    stage = Stage()
    specs = [Spec(f"a{n}", call="blocked") for n in range(6)]
    ran = execute(runbook(stage, *specs, timeout="0.2s"), executor=threads(2))
    statuses = list(ran.statuses.values())
    assert (statuses.count("failed"), statuses.count("not_started")) == (2, 4)
    for spec in specs:
        stage.events[spec.name].set()
    join_workers()
    assert len(stage.trace) == 4  # two began and ended; the others never will


def test_a_limit_that_is_not_reached_changes_nothing() -> None:
    ran = execute(runbook(Stage(), Spec("a"), timeout="60s"))
    assert ran.ending.status == "completed"
    assert ran.ending.reason is None


# observers


def test_observers_are_told_everything_in_order(store: RunStore) -> None:
    seen: list[tuple[int, Event]] = []
    specs = [Spec(f"a{n}") for n in range(20)] + [Spec("z", ("a0", "a1"), args={"fail": True})]
    ran = execute(
        runbook(Stage(), *specs),
        store=store,
        observers=(lambda seq, event: seen.append((seq, event)),),
    )
    # with their lines of the journal; those that were born with the run are not told again
    assert seen == list(enumerate(ran.events, 1))[2:]
    assert len(seen) == 20 + 20 + 2 + 1


def test_an_observer_hears_only_what_is_durable(tmp_path: Path) -> None:
    store = LocalFilesystemStore(tmp_path / "store")
    missing: list[Json] = []

    def look(_seq: int, event: Event) -> None:
        written = [line.record for line in store.read_journal("r").lines]
        if to_record(event) not in written:
            missing.append(to_record(event))
        if isinstance(event, ArtifactCompletedRecord):
            fault = store.verify("r", event.artifact, size=event.size, digest=event.digest)
            if fault:
                missing.append(fault)

    execute(runbook(Stage(), *(Spec(f"a{n}") for n in range(10))), store=store, observers=(look,))
    assert missing == []


def test_observers_that_raise_do_not_harm() -> None:
    seen: list[Event] = []

    def bad(_seq: int, _event: Event) -> None:
        raise RuntimeError("no")

    def good(_seq: int, event: Event) -> None:
        seen.append(event)

    ran = execute(runbook(Stage(), Spec("a"), Spec("b", ("a",))), observers=(bad, good))
    assert ran.ending.status == "completed"
    assert seen == ran.events[2:]


def test_an_observer_that_hangs_does_not_keep_the_run() -> None:
    release = threading.Event()

    def hangs(_seq: int, _event: Event) -> None:
        release.wait(30)

    try:
        ran = execute(runbook(Stage(), Spec("a"), Spec("b", ("a",))), observers=(hangs,))
        assert ran.ending.status == "completed"
        assert ran.state()["completed"] == ["a", "b"]
    finally:
        release.set()


# secrets

CANARY = "canary-3f1c9a/with+odd=characters"


@pytest.mark.parametrize("how", ["error", "component error", "key", "cause"])
def test_a_secret_is_in_no_file(how: str, tmp_path: Path) -> None:
    command = {
        "type": "command",
        "properties": {
            "argv": ["sh", "-c", 'echo "token is $T" >&2; exit 3'],
            "env": {"T": "${CANARY}"},
        },
    }
    document = runbook(
        Stage(), Spec("leaks", call="leak", args={"secret": "Bearer ${CANARY}", "how": how})
    )
    document["artifacts"]["logs"] = {"source": command}
    store = LocalFilesystemStore(tmp_path / "store")
    ran = execute(document, store=store, environ={"CANARY": CANARY})
    assert ran.statuses == {"leaks": "failed", "logs": "failed"}
    assert "token is ${CANARY}" in store.read_log("r", "logs")
    files = [path for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert len(files) > 5
    for path in files:
        assert CANARY.encode() not in path.read_bytes(), path
    assert CANARY not in json.dumps([to_record(event) for event in ran.events])
    assert CANARY not in str(ran.ending)
    if how != "cause":
        assert "Bearer ${CANARY}" in ran.error("leaks")["message"]


def test_a_secret_is_in_no_error_of_what_is_written_late() -> None:
    spec = Spec("late", call="leak_late", args={"secret": "Bearer ${CANARY}"})
    ran = execute(runbook(Stage(), spec), environ={"CANARY": CANARY})
    assert ran.error("late")["kind"] == "SystemExit"
    assert "Bearer ${CANARY}" in str(ran.error("late")["message"])
    assert CANARY not in json.dumps([to_record(event) for event in ran.events])
    assert CANARY not in str(ran.ending)


# where several things end an attempt

STORE = store_failure("no space")
TERM = AttemptOutcome(RunStatus.INTERRUPTED, "SIGTERM", exit_code=Exit.TERMINATED)
LIMIT = AttemptOutcome(RunStatus.FAILED, "timeout", "the limit", Exit.TIMEOUT)
CANCEL = AttemptOutcome(RunStatus.CANCELLED, "cancel", exit_code=Exit.FAILED)
FAST = AttemptOutcome(RunStatus.FAILED, "fail_fast", "a: it broke", Exit.FAILED)


@pytest.mark.parametrize(
    ("graver", "lesser"), [*itertools.combinations([STORE, TERM, LIMIT, FAST], 2)]
)
def test_the_graver_end_counts_whichever_comes_first(
    graver: AttemptOutcome, lesser: AttemptOutcome
) -> None:
    assert worse(graver, lesser) == worse(lesser, graver) == graver
    assert worse(None, lesser) == lesser


@pytest.mark.parametrize("other", [TERM, LIMIT, FAST])
def test_a_cancelled_run_stays_cancelled(other: AttemptOutcome) -> None:
    both = worse(CANCEL, other)
    assert both == worse(other, CANCEL)
    assert (both.status, both.reason, both.exit_code) == ("cancelled", "cancel", other.exit_code)


def test_a_cancel_may_be_lost_with_the_store() -> None:
    assert worse(CANCEL, STORE) == worse(STORE, CANCEL) == STORE


# the ledger


def test_the_journal_tells_the_run_in_order(store: RunStore) -> None:
    specs = [Spec(f"a{n}") for n in range(30)] + [
        Spec(f"b{n}", (f"a{n}", f"a{(n + 1) % 30}"), call="derived_async") for n in range(30)
    ]
    ran = execute(runbook(Stage(), *specs), store=store)
    first, second, *middle, last = ran.events
    assert isinstance(first, RunStartedRecord)
    assert isinstance(second, AttemptStartedRecord)
    assert isinstance(last, AttemptEndedRecord)
    done: set[str] = set()
    started: set[str] = set()
    for event in middle:
        if isinstance(event, ArtifactStartedRecord):
            assert done >= set(event.inputs)
            started.add(event.artifact)
        else:
            assert isinstance(event, ArtifactCompletedRecord)
            assert event.artifact in started
            done.add(event.artifact)
    assert len(done) == 60
    folded = RunRecord.of(ran.events)
    assert store.read_json("r", "state") == folded.state.document()
    head = store.read_json("r", "run")
    journal = store.read_journal("r").lines
    count = len(journal)
    assert head.pop("journal") == {"count": count, "head": journal[-1].hash, "synced": count}
    expected = folded.metadata.document()
    del expected["journal"]
    assert head == json.loads(json.dumps(expected))


def test_the_journal_follows_the_order_of_publishing(tmp_path: Path) -> None:
    """In groups, one after another: no artifact of a later line is older than one of an earlier."""
    store = LocalFilesystemStore(tmp_path / "store")
    names = [f"a{n}" for n in range(40)]
    chain = [Spec(names[0])] + [Spec(b, (a,)) for a, b in itertools.pairwise(names)]
    ran = execute(runbook(Stage(), *chain), store=store)
    done = [e.artifact for e in ran.events if isinstance(e, ArtifactCompletedRecord)]
    assert done == names
    changed = [(tmp_path / "store/runs/r" / f"{name}.json").stat().st_ctime_ns for name in done]
    assert changed == sorted(changed)


def test_every_artifact_is_what_the_journal_says(store: RunStore) -> None:
    specs = [Spec("a"), Spec("b", ("a",)), Spec("c", ("a", "b"), call="derived_async")]
    ran = execute(runbook(Stage(), *specs), store=store)
    done = {e.artifact: e for e in ran.events if isinstance(e, ArtifactCompletedRecord)}
    assert done.keys() == {"a", "b", "c"}
    for name, event in done.items():
        assert store.verify("r", name, size=event.size, digest=event.digest) is None
        assert (event.how, event.component.partition(":")[2]) == ("produced", "python")
        assert event.version == "1.0.0"
    assert done["c"].inputs == {n: done[n].content_digest for n in ("a", "b")}


# a defect of the store


def test_a_defect_of_the_store_is_raised_as_what_it_is(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object) -> None:
        raise RuntimeError("a defect, with a secret in its text")

    def begin(run_id: str, initial: InitialState, owner: Owner) -> Lease:
        lease = whole(run_id, initial, owner)
        monkeypatch.setattr(lease, "publish", broken)
        return lease

    whole = store.begin
    monkeypatch.setattr(store, "begin", begin)
    with pytest.raises(RuntimeError, match="a defect"):
        execute(runbook(Stage(), Spec("a"), Spec("b", ("a",))), store=store)
    last = store.read_journal("r").lines[-1].record
    assert (last["type"], last["status"]) == ("attempt_ended", "interrupted")
    assert (last["reason"], last["error"]) == ("defect", "RuntimeError")
