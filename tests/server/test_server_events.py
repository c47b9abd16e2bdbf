"""The events of runs of other processes, as a client receives them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from server_kit import (
    RUNBOOK,
    EventStream,
    Hosted,
    Reached,
    awaited,
    ran,
    start_server,
    store_of,
)
from wct_process import Place

from waivern.server import run_feeds
from waivern.store import LocalFilesystemStore
from waivern.store.journal_tail import JournalTail

Server = Callable[[], Hosted]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path)
    yield found
    found.close()


@pytest.fixture
def hosted(place: Place) -> Iterator[Callable[[], Hosted]]:
    """Return a function that serves the store of the folder until the test ends."""
    with ExitStack() as servers:
        yield lambda: servers.enter_context(Hosted(store_of(place)))


def follow(server: Reached, run: str, **headers: str) -> EventStream:
    return EventStream(server, f"/api/v1/runs/{run}/events", **headers)


def test_the_events_of_a_live_run_arrive_while_it_runs(place: Place, hosted: Server) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    server = hosted()
    stream = follow(server, "live")
    events = stream.until("artifact_completed")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert events[-1].data["artifact"] == "first"
    meeting.let_go()
    assert place.ended(run).code == 0
    rest = list(stream)
    assert [event.name for event in rest[-2:]] == ["attempt_ended", "end"]
    assert rest[-1].data == {"run_id": "live", "status": "completed"}
    seqs = [event.seq for event in [*events, *rest[:-1]]]
    assert seqs == list(range(1, len(seqs) + 1))


def test_a_client_continues_after_the_last_event_that_it_has(place: Place, hosted: Server) -> None:
    (place.path / "sums.yaml").write_text(RUNBOOK)
    ran(place, "sums.yaml", "done")
    server = hosted()
    every = list(follow(server, "done"))
    last = every[-2].seq
    assert last is not None
    rest = list(follow(server, "done", Last_Event_ID=str(last - 2)))
    assert rest == every[-3:]
    assert follow(server, "done", Last_Event_ID=str(last)).status == 204  # nothing more will come


def test_nothing_is_lost_when_the_server_is_started_again(place: Place, hosted: Server) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    with Hosted(store_of(place)) as server:
        before = follow(server, "live").until("artifact_completed")
    meeting.let_go()
    place.ended(run)
    after = list(follow(hosted(), "live", Last_Event_ID=str(before[-1].seq)))
    seqs = [event.seq for event in [*before, *after[:-1]]]
    assert seqs == list(range(1, len(seqs) + 1))
    assert after[-2].name == "attempt_ended"


def test_a_run_that_is_killed_is_reported_as_interrupted(place: Place, hosted: Server) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    stream = follow(hosted(), "live")
    stream.until("artifact_completed")
    run.kill()
    run.communicate(timeout=10)
    assert list(stream)[-1].data["status"] == "interrupted"


@pytest.mark.parametrize(
    "number",
    [
        signal.SIGTERM,
        *(pytest.param(n, marks=pytest.mark.sweep) for n in (signal.SIGINT, signal.SIGHUP)),
    ],
)
def test_the_server_ends_its_streams_at_a_signal(place: Place, number: signal.Signals) -> None:
    meeting = place.meeting()
    place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    server = start_server(place)
    stream = follow(server, "live")
    stream.until("artifact_completed")
    assert server.end(number) == (0, "")
    assert [event.name for event in stream] in ([], ["artifact_started"])


def test_a_log_is_followed_until_its_run_ends(place: Place, hosted: Server) -> None:
    chat = '  a: {source: {type: python, properties: {call: "steps.py:chatty"}}}'
    place.runbook("chat.yaml", chat)
    ran(place, "chat.yaml", "done")
    server = hosted()
    events = list(EventStream(server, "/api/v1/runs/done/follow/a"))
    assert [event.name for event in events] == ["text", "end"]
    assert "a word" in events[0].data["text"]
    found = server.get("/api/v1/runs/done/logs/a?offset=2").json
    assert found["text"] == events[0].data["text"][2:]
    assert found["next"] == found["size"]


def test_progress_is_seen_while_the_run_is_live(place: Place, hosted: Server) -> None:
    counting = """
import os, time

def count(ctx, go):
    n = 0
    while not os.path.exists(go):
        n += 1
        ctx.progress(n, 1000)
        time.sleep(0.05)
    return {"n": n}
"""
    (place.path / "counting.py").write_text(counting)
    go = place.path / "go"
    call = f'{{call: "counting.py:count", args: {{go: {go}}}}}'
    place.runbook("count.yaml", f"  a: {{source: {{type: python, properties: {call}}}}}")
    run = place.start("run", "count.yaml", "--run-id", "live")
    server = hosted()
    awaited(lambda: server.get("/api/v1/runs/live").status, 200)
    stream = follow(server, "live")
    (*_, first) = stream.until("progress")
    (*_, second) = stream.until("progress")
    assert first.seq is None
    assert first.data["artifacts"]["a"]["n"] < second.data["artifacts"]["a"]["n"]
    assert server.get("/api/v1/runs/live/progress").json["progress"]["artifacts"].keys() == {"a"}
    go.touch()
    assert place.ended(run).code == 0
    assert not (place.run_folder() / "_system" / "progress.json").exists()
    assert server.get("/api/v1/runs/live/progress").json["progress"] is None


class CountingStore(LocalFilesystemStore):
    """A store that counts the readers of journals."""

    readers = 0

    def tail(self, run_id: str, after: int = 0) -> JournalTail:
        self.readers += 1
        return super().tail(run_id, after)


def test_one_reader_serves_all_clients_of_a_run(place: Place) -> None:
    meeting = place.meeting()
    run = place.start("run", meeting.runbook, "--run-id", "live")
    meeting.wait()
    store = CountingStore(place.path / ".waivern")
    with Hosted(store) as server:
        assert server.request("HEAD", "/api/v1/runs/live/events").status == 200  # at once
        streams = [follow(server, "live") for _ in range(20)]
        for stream in streams:
            stream.until("artifact_completed")
        meeting.let_go()
        place.ended(run)
        ends = [list(stream)[-1].name for stream in streams]
    assert (ends, store.readers) == (["end"] * 20, 1)


def test_a_client_that_has_fallen_behind_reads_the_journal(
    place: Place, hosted: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_feeds, "RING_BYTES", 2000)  # the events of a handful of artifacts
    text = '{source: {type: python, properties: {call: "steps.py:value"}}}'
    place.runbook("many.yaml", "\n".join(f"  a{n}: {text}" for n in range(40)))
    ran(place, "many.yaml", "many")
    events = list(follow(hosted(), "many"))
    seqs = [event.seq for event in events[:-1]]
    assert seqs == list(range(1, len(seqs) + 1))
    assert events[-2].name == "attempt_ended"
