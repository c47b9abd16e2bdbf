"""What a component does to the descriptors and processes of its worker harms no other artifact."""

from __future__ import annotations

import pytest
from wct_process import Done, Place
from worker_kit import log, source, statuses, steps

ABUSE = """
import ctypes, gc, os, resource, socket, subprocess, sys, threading, time

def fine():
    return {"value": 1}

def channel():
    from waivern.engine.workers.channel import Channel
    return next(each for each in gc.get_objects() if isinstance(each, Channel))

def floods():
    with open(os.dup(channel().fileno()), "wb") as out:
        for _ in range(100):
            out.write(b"x" * 100_000)
    return 1

def begins_a_document():
    os.write(channel().fileno(), (1000).to_bytes(4, "big"))
    return 1

def sends_no_document():
    channel().send(["no", "object"])
    return 1

def sends_nonsense():
    channel().send({"done": {"outcome": "Produced", "receipt": [1]}})
    return 1

def deep():
    data = b"[" * 200_000
    os.write(channel().fileno(), b"wct\\n" + len(data).to_bytes(4, "big"))
    channel()._socket.sendall(data)
    return 1

def closes():
    os.close(channel().fileno())
    return 1

def replaces():
    os.dup2(os.open("mine.txt", os.O_RDWR | os.O_CREAT), channel().fileno())
    return 1

def closes_its_streams():
    os.close(1); os.close(2)
    return {"value": 2}

def prints_much():
    block = b"y" * 65_535 + b"\\n"
    for _ in range(200):
        os.write(1, block)
    return {"value": 3}

def prints_without_end():
    subprocess.Popen(["yes", "printed by a child"])
    time.sleep(0.5)
    return {"value": 4}

def low_descriptors():
    for fd in range(3, 21):
        try:
            os.close(fd)
        except OSError:
            pass
    files = [open(f"mine{n}.txt", "w") for n in range(20)]
    for file in files:
        file.write("mine")
        file.close()
    return {"value": 5}

KEPT = []

def all_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    try:
        while True:
            KEPT.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        return {"large": "x" * 100_000}

def crashes_with_a_child():
    if os.fork() == 0:
        os.setsid()
        time.sleep(600)
    ctypes.string_at(0)
"""


@pytest.fixture
def abuse(place: Place) -> Place:
    (place.path / "abuse.py").write_text(ABUSE)
    return place


def run(place: Place, *calls: str, keys: str = "timeout: 20s", width: str = "4") -> Done:
    artifacts = "".join(source(call, f"abuse.py:{call}", keys) for call in (*calls, "fine"))
    book = place.runbook("abuse.yaml", artifacts)
    words = ("--executor", "processes", "--max-concurrency", width, "--json")
    done = place.wct("run", book, *words)
    assert statuses(done)["fine"] == "completed"
    return done


def test_what_is_written_into_the_channel_fails_its_artifact(abuse: Place) -> None:
    calls = ("floods", "begins_a_document", "sends_no_document", "sends_nonsense", "deep")
    found = steps(run(abuse, *calls))
    errors = {name: found[name]["error"] for name in calls}
    assert {(error["kind"], error["message"]) for error in errors.values()} == {
        ("died", "its component wrote into the channel of its worker")
    }


def test_a_channel_that_is_closed_fails_its_artifact(abuse: Place) -> None:
    found = steps(run(abuse, "closes", "replaces"))
    assert [found[name]["error"]["kind"] for name in ("closes", "replaces")] == ["died", "died"]


def test_output_of_any_size_hinders_nothing(abuse: Place) -> None:
    done = run(abuse, "closes_its_streams", "prints_much", "prints_without_end")
    assert done.code == 0, done.err
    assert "left out" in log(abuse, "prints_much")
    assert log(abuse, "prints_without_end").startswith("printed by a child\n")
    assert len(log(abuse, "prints_without_end")) < 2_000_000


def test_low_descriptors_are_nobodys(abuse: Place) -> None:
    assert run(abuse, "low_descriptors").code == 0
    assert {path.read_text() for path in abuse.path.glob("mine*.txt")} == {"mine"}


def test_descriptors_that_run_out_fail_their_artifact(abuse: Place) -> None:
    done = run(abuse, "all_descriptors")
    assert done.code == 1, done.err
    assert "Too many open files" in steps(done)["all_descriptors"]["error"]["message"]


def test_a_child_of_a_worker_that_crashed_keeps_nothing_waiting(abuse: Place) -> None:
    found = steps(run(abuse, "crashes_with_a_child", keys="timeout: 60s"))
    assert found["crashes_with_a_child"]["error"]["kind"] == "died"
    assert found["crashes_with_a_child"]["duration_ms"] < 30_000
