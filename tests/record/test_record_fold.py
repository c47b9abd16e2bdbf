"""The fold of the journal, against a naive model and in its corners."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.errors import IntegrityError
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    ArtifactCompletedRecord,
    ArtifactFailedRecord,
    ArtifactRedactedRecord,
    ArtifactSkippedRecord,
    ArtifactStartedRecord,
    AttemptEndedRecord,
    AttemptStartedRecord,
    Event,
    RunCancelledRecord,
    RunStartedRecord,
    from_record,
    to_record,
)

NAMES = ["a", "b", "c", "d"]
LISTS = ("completed", "not_started", "failed", "skipped", "suspended")


def born(*names: str, at: str = "t0") -> RunStartedRecord:
    return RunStartedRecord(at, "r", list(names), {}, {}, "/base", "book", "1.0", "book.yaml")


def attempt(at: str, digest: str = "sha256:1", **more: Any) -> AttemptStartedRecord:
    return AttemptStartedRecord(at, {"host": "h", "pid": 1}, digest, **more)


def completed(at: str, name: str, digest: str = "x", ms: int = 7) -> ArtifactCompletedRecord:
    return ArtifactCompletedRecord(
        at, name, "produced", 1, digest, digest, "json/1.0.0", "connector:x", "1", {}, ms
    )


def failed(at: str, name: str) -> ArtifactFailedRecord:
    return ArtifactFailedRecord(at, name, {"kind": "K", "message": "m", "hint": None}, 3)


class Model:
    """Looks at the whole journal anew for each question; shares nothing with the fold."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def plan(self) -> list[str]:
        plans = [
            e.artifacts
            for e in self.events
            if isinstance(e, RunStartedRecord | AttemptStartedRecord) and e.artifacts is not None
        ]
        return plans[-1]

    def status(self, name: str) -> str:
        """Return what the last event that matters says."""
        for event in reversed(self.events):
            match event:
                case ArtifactCompletedRecord(artifact=artifact) if artifact == name:
                    return "completed"
                case ArtifactFailedRecord(artifact=artifact) if artifact == name:
                    return "failed"
                case ArtifactSkippedRecord(artifact=artifact) if artifact == name:
                    return "skipped"
                case AttemptStartedRecord(artifacts=plan, invalidated=fallen):
                    if name in fallen or (plan is not None and name not in plan):
                        return "not_started"
                    earlier = Model(self.events[: self._index(event)])
                    keeps = earlier.status(name) == "completed"
                    return "completed" if keeps else "not_started"
                case RunStartedRecord():
                    return "not_started"
        raise AssertionError("no first event")

    def _index(self, event: Event) -> int:
        return next(n for n, each in enumerate(self.events) if each is event)

    def attempts(self) -> Iterator[list[Event]]:
        starts = [n for n, e in enumerate(self.events) if isinstance(e, AttemptStartedRecord)]
        for begin, end in zip(starts, [*starts[1:], len(self.events)], strict=True):
            yield self.events[begin:end]

    def run_status(self) -> str:
        last = list(self.attempts())[-1][-1]
        return last.status if isinstance(last, AttemptEndedRecord) else "running"

    def attempt_statuses(self) -> list[str]:
        ended = [
            a[-1].status if isinstance(a[-1], AttemptEndedRecord) else "interrupted"
            for a in self.attempts()
        ]
        return [*ended[:-1], self.run_status()]


@st.composite
def journals(draw: st.DrawFn) -> list[Event]:
    """A legal journal: some attempts, each cut off anywhere or ended, with other plans."""
    clock = iter(range(1, 10_000))

    def at() -> str:
        return f"t{next(clock):05}"

    plan = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
    events: list[Event] = [born(*plan, at=at())]
    done: set[str] = set()
    step = 0
    for n in range(draw(st.integers(1, 4))):
        changed = n > 0 and draw(st.booleans())
        if changed:
            plan = draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True))
            done &= set(plan)
        fallen = draw(st.sets(st.sampled_from(sorted(done)))) if n and done else set()
        done -= fallen
        events.append(
            attempt(
                at(),
                artifacts=list(plan) if changed else None,
                invalidated=dict.fromkeys(sorted(fallen), "why"),
            )
        )
        for name in draw(st.permutations([name for name in plan if name not in done])):
            what = draw(st.sampled_from(["completed", "failed", "skipped", "cut", "wait"]))
            if what == "wait":
                continue
            if what == "skipped":
                events.append(ArtifactSkippedRecord(at(), name, "z", "reason"))
                continue
            step += 1
            events.append(ArtifactStartedRecord(at(), name, step, "connector:x", []))
            if what == "completed":
                events.append(completed(at(), name))
                done.add(name)
            elif what == "failed":
                events.append(failed(at(), name))
        if draw(st.booleans()):
            status = draw(st.sampled_from(["completed", "failed", "interrupted", "cancelled"]))
            events.append(AttemptEndedRecord(at(), status, None, None, draw(st.integers(0, 9))))
    return events


@settings(max_examples=200, deadline=None)
@given(events=journals())
def test_the_fold_is_what_the_journal_says(events: list[Event]) -> None:
    record = RunRecord.of(events)
    model = Model(events)
    plan = model.plan()
    assert {n: str(s.status) for n, s in record.steps.items()} == {n: model.status(n) for n in plan}
    state = record.state.document()
    assert sorted(artifact for name in LISTS for artifact in state[name]) == sorted(plan)
    for name in LISTS:
        assert state[name] == sorted(state[name])
        assert all(model.status(artifact) == name for artifact in state[name])
    assert state["last_checkpoint"] == record.metadata.updated_at == events[-1].at
    run = record.metadata
    assert str(run.status) == model.run_status()
    assert [a["status"] for a in run.attempts] == model.attempt_statuses()
    ended = [e for e in events if isinstance(e, AttemptEndedRecord)]
    assert run.duration_ms == sum(e.duration_ms for e in ended)
    assert run.started_at == events[0].at
    closed = model.run_status() in ("completed", "failed", "cancelled")
    assert run.completed_at == (events[-1].at if closed else None)
    assert record.attempt_open == (not isinstance(events[-1], AttemptEndedRecord))
    for name, step in record.steps.items():
        assert (step.completed is not None) == (model.status(name) == "completed")
        if step.completed:
            assert events[(step.seq or 0) - 1] is step.completed
    steps = [e.step for e in events if isinstance(e, ArtifactStartedRecord)]
    assert record.next_step <= max(steps, default=0) + 1


@settings(max_examples=50, deadline=None)
@given(events=journals(), data=st.data())
def test_event_by_event_or_all_at_once(events: list[Event], data: st.DataObject) -> None:
    """The same state, from objects or from what the journal keeps of them."""
    record = RunRecord(events[0])
    for event in events[1:]:
        record.apply(from_record(to_record(event)))
    whole = RunRecord.of(events)
    assert record.state == whole.state
    assert record.metadata.document() == whole.metadata.document()
    assert {n: s.document() for n, s in record.steps.items()} == {
        n: s.document() for n, s in whole.steps.items()
    }


def test_an_attempt_that_never_ended_reads_interrupted_after_the_next_starts() -> None:
    record = RunRecord.of([born("a"), attempt("t1"), completed("t2", "a")])
    assert record.attempt_open
    assert record.metadata.attempts[0]["status"] == "running"
    record.apply(attempt("t3", "sha256:2"))
    first, second = record.metadata.attempts
    assert (first["status"], first["ended_at"]) == ("interrupted", "t2")  # its last sign of life
    assert (second["status"], second["ended_at"]) == ("running", None)
    assert second["runbook_hash"] == record.metadata.runbook_hash == "sha256:2"
    assert record.steps["a"].status == "completed"


def test_what_failed_or_was_skipped_starts_anew() -> None:
    record = RunRecord.of(
        [
            born("a", "b"),
            attempt("t1"),
            failed("t2", "a"),
            ArtifactSkippedRecord("t2", "b", "a", "it needs 'a'"),
            AttemptEndedRecord("t3", "failed", None, "a: K: m", 10),
        ]
    )
    assert record.metadata.error == "a: K: m"
    assert record.steps["b"].error == {"kind": "skipped", "message": "it needs 'a'", "cause": "a"}
    record.apply(attempt("t4"))
    assert record.metadata.error is None
    assert record.metadata.completed_at is None
    assert [str(step.status) for step in record.steps.values()] == ["not_started"] * 2
    assert [step.error for step in record.steps.values()] == [None, None]


def test_an_artifact_keeps_its_number_over_attempts() -> None:
    record = RunRecord.of(
        [
            born("a", "b"),
            attempt("t1"),
            ArtifactStartedRecord("t2", "b", 1, "connector:x", []),
            ArtifactStartedRecord("t2", "a", 2, "connector:x", []),
            failed("t3", "b"),
            attempt("t4"),
            ArtifactStartedRecord("t5", "b", 3, "connector:y", ["a"]),
            completed("t6", "b", ms=11),
        ]
    )
    step = record.steps["b"].document()
    assert step == {
        "run_id": "r",
        "step_index": 1,
        "artifact": "b",
        "component": "connector:y",
        "status": "completed",
        "how": "produced",
        "origin": None,
        "started_at": "t5",
        "duration_ms": 11,
        "error": None,
        "inputs": [],
        "output_keys": ["b"],
        "attempts": 2,
        "redacted": None,
    }
    assert record.steps["a"].step_index == 2


def test_a_wish_to_cancel() -> None:
    record = RunRecord.of([born("a"), attempt("t1"), RunCancelledRecord("t2", "me", "too slow")])
    assert record.metadata.status == "cancelled"
    assert record.metadata.cancelled_by == "me"
    record.apply(attempt("t3"))
    assert record.metadata.status == "running"
    assert record.metadata.cancelled_by is None


@pytest.mark.parametrize(
    "events",
    [
        [],
        [attempt("t1")],
        [completed("t1", "a")],
        [born("a"), born("a")],
        [born("a"), AttemptEndedRecord("t1", "completed", None, None, 1)],
        [
            born("a"),
            attempt("t1"),
            AttemptEndedRecord("t2", "failed", None, None, 1),
            AttemptEndedRecord("t3", "completed", None, None, 1),
        ],
        [born("a"), attempt("t1"), completed("t2", "stranger")],
        [born("a"), attempt("t1"), failed("t2", "stranger")],
        [born("a"), attempt("t1", artifacts=["b"]), completed("t2", "a")],
    ],
)
def test_what_cannot_be(events: list[Event]) -> None:
    with pytest.raises(IntegrityError):
        RunRecord.of(events)


def test_the_error_names_the_line() -> None:
    with pytest.raises(IntegrityError, match="journal line 3 speaks of artifact 'stranger'"):
        RunRecord.of([born("a"), attempt("t1"), completed("t2", "stranger")])
    again = AttemptEndedRecord("t2", "completed", None, None, 1)
    with pytest.raises(IntegrityError, match="journal line 4: an attempt ends that never started"):
        RunRecord.of([born("a"), attempt("t1"), again, again])


def redacted(at: str, name: str, destroyed: str = "content") -> ArtifactRedactedRecord:
    before: dict[str, Any] = {"size": 1, "digest": "x", "content_digest": "x"}
    return ArtifactRedactedRecord(at, name, destroyed, "why", "me@here", before, 2, "y", "z")


class TestRedaction:
    def record(self, *events: Event, names: Sequence[str] = ("a", "b")) -> RunRecord:
        return RunRecord.of([born(*names), attempt("t1"), *events])

    def test_a_redacted_artifact_stays_completed_and_says_who_why_and_when(self) -> None:
        record = self.record(completed("t2", "a"), redacted("t3", "a"))
        step = record.steps["a"]
        assert record.state.completed == ("a",)
        assert step.redacted == redacted("t3", "a")
        assert step.completed
        # the file is another one; what was produced from the artifact stays valid
        assert (step.completed.size, step.completed.digest) == (2, "y")
        assert step.completed.content_digest == "x"
        assert record.metadata.redacted == {"a": "t3"}

    def test_it_prolongs_no_retention(self) -> None:
        record = self.record(completed("t2", "a"), redacted("t9", "a"))
        assert record.metadata.updated_at == "t2"

    def test_the_run_says_what_source_content_it_holds(self) -> None:
        whole = completed("t2", "a")._replace(keep="content", size=7)
        listed = completed("t2", "b")._replace(keep="reference")
        assert self.record(whole, listed).metadata.holds == {"a": 7}
        assert self.record(whole, redacted("t3", "a")).metadata.holds == {}
        found = completed("t2", "a")._replace(component="processor:x")
        assert self.record(found).metadata.holds == {}

    def test_run_json_names_the_first_of_many_and_has_their_number(self) -> None:
        names = [f"a{n}" for n in range(150)]
        whole = [completed("t2", name)._replace(keep="content", size=7) for name in names]
        gone = [redacted("t3", name) for name in names[:120]]
        run = self.record(*whole, names=names).metadata
        assert (run.holds, run.holds_count) == (dict.fromkeys(names[:100], 7), 150)
        assert run.holds_bytes == 150 * 7
        record = self.record(*whole, *gone, names=names)
        run = record.metadata
        assert (run.holds, run.holds_count) == (dict.fromkeys(names[120:], 7), 30)
        assert (run.redacted, run.redacted_count) == (dict.fromkeys(names[:100], "t3"), 120)
        assert (list(record.held), list(record.redacted)) == (names[120:], names[:120])

    def test_a_connector_of_an_earlier_version_copied_what_it_read(self) -> None:
        assert self.record(completed("t2", "a")).metadata.holds == {"a": 1}

    def test_an_artifact_that_is_produced_again_is_as_it_was_produced(self) -> None:
        before: list[Event] = [
            completed("t2", "a"),
            redacted("t3", "a"),
            AttemptEndedRecord("t4", "completed", None, None, 1),
        ]
        record = self.record(*before, attempt("t5", invalidated={"a": "why"}))
        assert record.steps["a"].redacted is None
        assert record.metadata.redacted == {}
        record.apply(completed("t6", "a", "new"))
        assert record.steps["a"].redacted is None
        assert record.metadata.holds == {"a": 1}

    def test_what_is_not_completed_cannot_be_redacted(self) -> None:
        with pytest.raises(IntegrityError, match="line 3 redacts 'a', which is not completed"):
            self.record(redacted("t3", "a"))

    def test_the_journal_says_it_whole(self) -> None:
        assert from_record(to_record(redacted("t3", "a"))) == redacted("t3", "a")
