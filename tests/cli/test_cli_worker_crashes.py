"""A worker that crashes, hangs or needs too much memory fails its own artifact, and no other."""

from __future__ import annotations

import pytest
from wct_process import Done, Place
from worker_kit import contents, log, source, statuses, steps

CRASHES = """
import ctypes, os, re, time

C = ctypes.CDLL(None)

def fine(x=1):
    return {"value": x}

def segv():
    print("printed before")
    os.system("echo printed by a child")
    ctypes.string_at(0)

def killed():
    print("printed before")
    print("begun, and ", end="")
    print("not ended", end="")
    C.kill(C.getpid(), 9)

def aborts():
    print("printed before")
    C.abort()

def exits():
    C._exit(0)

def much():
    return len(bytearray(1 << 30))

def little():
    return len(bytearray(1 << 20))

def endless():
    return bool(re.match("(a+)+b", "a" * 60))

def holds_the_lock():
    ctypes.PyDLL(None).sleep(60)

def third_time():
    with open("turns", "a") as turns:
        turns.write("x")
    if os.path.getsize("turns") < 3:
        ctypes.string_at(0)
    return {"turns": os.path.getsize("turns")}
"""


@pytest.fixture
def crashes(place: Place) -> Place:
    (place.path / "crashes.py").write_text(CRASHES)
    return place


def run(place: Place, artifacts: str, *words: str, head: str = "") -> Done:
    book = place.runbook("crashes.yaml", artifacts, head)
    return place.wct("run", book, "--executor", "processes", "--json", *words)


def test_a_crash_fails_its_artifact_only(crashes: Place) -> None:
    names = ("segv", "killed", "aborts", "exits", "fine")
    done = run(crashes, "".join(source(name, f"crashes.py:{name}") for name in names))
    assert done.code == 1
    found = steps(done)
    said = {name: found[name]["error"]["message"] for name in names if name != "fine"}
    assert {found[name]["error"]["kind"] for name in said} == {"died"}
    assert said == {
        "segv": "its worker was ended by SIGSEGV",
        "killed": "its worker was ended by SIGKILL, as the system does when memory runs out",
        "aborts": "its worker was ended by SIGABRT",
        "exits": "its worker ended with exit code 0",
    }
    assert found["fine"]["status"] == "completed"
    assert log(crashes, "killed") == "printed before\nbegun, and not ended\n"
    assert "in aborts\n" in log(crashes, "aborts")
    lines = log(crashes, "segv").splitlines()
    # what Python, a child and the crash print goes different ways: which is first is not promised
    printed = {"printed before", "printed by a child", "Fatal Python error: Segmentation fault"}
    assert printed <= {*lines}
    assert any(line.endswith("in segv") for line in lines)


def test_memory_is_limited_for_one_artifact(crashes: Place) -> None:
    limit = "max_memory: 100MiB"
    artifacts = (
        source("much", "crashes.py:much", limit)
        + source("little", "crashes.py:little", limit)
        + source("free", "crashes.py:much")
    )
    found = steps(run(crashes, artifacts))
    assert found["much"]["error"]["kind"] == "max_memory"
    assert "100 MiB" in found["much"]["error"]["message"]
    assert [found[name]["status"] for name in ("little", "free")] == ["completed"] * 2


@pytest.mark.parametrize("executor", ["processes", "auto"])
def test_a_limit_of_time_ends_what_holds_the_interpreters_lock(
    crashes: Place, executor: str
) -> None:
    artifacts = "".join(
        source(name, f"crashes.py:{name}", "timeout: 0.5s, max_memory: 1GiB")
        for name in ("endless", "holds_the_lock")
    ) + source("fine", "crashes.py:fine")
    done = run(crashes, artifacts, "--executor", executor)
    assert done.code == 1
    kinds = {name: step.get("error", {}) for name, step in steps(done).items() if name != "fine"}
    assert {error["kind"] for error in kinds.values()} == {"timeout"}
    assert statuses(done)["fine"] == "completed"
    for name in ("endless", "holds_the_lock"):
        assert f"in {name}\n" in log(crashes, name)  # its stack


def test_the_limit_of_a_run_holds_whatever_a_component_does(crashes: Place) -> None:
    artifacts = source("hangs", "crashes.py:holds_the_lock")
    done = run(crashes, artifacts, head="config: {timeout: 4s}")
    assert done.code == 8, done.err
    assert steps(done)["hangs"]["error"]["kind"] == "timeout"
    assert "in holds_the_lock\n" in log(crashes, "hangs")


def test_a_crash_can_be_tried_again(crashes: Place) -> None:
    again = "retry: {max: 3, on: died, delay: 0.01}"
    done = run(crashes, source("third", "crashes.py:third_time", again))
    assert done.code == 0, done.err
    assert contents(crashes) == {"third": {"turns": 3}}
