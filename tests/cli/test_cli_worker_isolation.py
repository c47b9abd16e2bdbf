"""A worker has the surroundings of its component, and no other component has anything of them."""

from __future__ import annotations

import subprocess
import sys

import pytest
from wct_process import WCT, Place
from worker_kit import contents, log, python, source, steps

SECRET = "s3cr3t-value-of-a-token"

FIRST = """
import math, os, sys, textwrap, threading

CALLS = []

def changes():
    import helper
    math.pi = 3
    textwrap.dedent = None
    sys.path.insert(0, "/nowhere")
    sys.setrecursionlimit(5000)
    os.environ["CHANGED"] = "yes"
    os.chdir("/")
    os.umask(0o077)
    CALLS.append(1)
    return {"helper": helper.NAME, "calls": len(CALLS)}
"""
SECOND = """
import math, os, sys, textwrap

def sees():
    import helper
    mask = os.umask(0o022)
    os.umask(mask)
    return {
        "helper": helper.NAME,
        "pi": math.pi,
        "dedent": textwrap.dedent(" a"),
        "path": "/nowhere" in sys.path,
        "recursion": sys.getrecursionlimit(),
        "changed": os.environ.get("CHANGED"),
        "given": os.environ.get("GIVEN"),
        "folder": os.getcwd(),
        "mask": mask,
    }
"""


def test_nothing_of_a_component_reaches_another_one(place: Place) -> None:
    for name, text in (("one", FIRST), ("two", SECOND)):
        (place.path / name).mkdir()
        (place.path / name / "steps.py").write_text(text)
        (place.path / name / "helper.py").write_text(f"NAME = {name!r}\n")
    artifacts = (
        source("first", "one/steps.py:changes")
        + source("again", "one/steps.py:changes")
        + f"  second: {{inputs: [first, again], process: {python('two/steps.py:sees')}}}\n"
    )
    (place.path / "two/steps.py").write_text(SECOND.replace("def sees():", "def sees(inputs):"))
    words = ("--executor", "processes", "--max-concurrency", "1")
    done = place.wct("run", place.runbook("i.yaml", artifacts), *words, GIVEN="text")
    assert done.code == 0, done.err
    found = contents(place)
    assert found["first"]["helper"] == "one"
    seen = found["second"]
    mask = seen.pop("mask")
    assert seen == {
        "helper": "two",
        "pi": 3.141592653589793,
        "dedent": "a",
        "path": False,
        "recursion": sys.getrecursionlimit(),
        "changed": None,
        "given": "text",
        "folder": str(place.path),
    }
    assert mask != 0o077


PROCESSES = """
import multiprocessing, os, subprocess, sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

def double(x):
    return 2 * x

def spawn():
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        return pool.map(double, [1, 2])

def fork():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(double, [3, 4])

def forkserver():
    with multiprocessing.get_context("forkserver").Pool(1) as pool:
        return pool.map(double, [5])

def pools():
    with ProcessPoolExecutor(1) as pool, ThreadPoolExecutor(1) as threads:
        return [*pool.map(double, [6]), *threads.map(double, [7])]

def command():
    code = "import os; print(os.getcwd(), os.environ['GIVEN'])"
    return subprocess.run([sys.executable, "-c", code], text=True, capture_output=True).stdout
"""


def test_processes_that_components_start(place: Place) -> None:
    (place.path / "processes.py").write_text(PROCESSES)
    names = ("spawn", "fork", "forkserver", "pools", "command")
    artifacts = "".join(source(name, f"processes.py:{name}") for name in names)
    words = ("--executor", "processes", "--json")
    done = place.wct("run", place.runbook("p.yaml", artifacts), *words, GIVEN="text")
    assert done.code == 0, done.err
    assert contents(place) == {
        "spawn": [2, 4],
        "fork": [6, 8],
        "forkserver": [10],
        "pools": [12, 14],
        "command": f"{place.path} text\n",
    }


TALK = """
import ctypes, logging, os, subprocess, sys, threading, time, warnings

WHAT = ("environ", "cmdline")
libc = ctypes.CDLL(None)

def talks(name, token):
    print("printed", name, token)
    sys.stderr.write(f"written {name}\\n")
    logging.getLogger("own").warning("logged %s %s", name, token)
    warnings.warn(f"warned {name}")
    thread = threading.Thread(target=print, args=("by a thread", name))
    thread.start(); thread.join()
    libc.puts(f"by C {name} {token}".encode()); libc.fflush(None)
    subprocess.run(["echo", "by a child", name, token])
    os.system(f"echo by a shell {name} 1>&2")
    if os.fork() == 0:
        print("by a fork", name)
        os._exit(0)
    os.wait()
    return {"value": 1}

def late(name, token):
    def speaks():
        time.sleep(0.3)
        print("late", name)
    threading.Thread(target=speaks).start()
    return {"value": 1}

def environments(name, token):
    places = [f"/proc/{pid}/{what}" for pid in (os.getpid(), os.getppid()) for what in WHAT]
    return {"found": [token.encode() in open(each, "rb").read() for each in places]}
"""


def talking(name: str, call: str) -> str:
    return source(name, f"talk.py:{call}", args=f'{{name: {name}, token: "${{TOKEN}}"}}')


def test_all_output_is_in_the_log_of_its_artifact(place: Place) -> None:
    (place.path / "talk.py").write_text(TALK)
    names = ("a", "b", "c")
    artifacts = "".join(talking(name, "talks") for name in names)
    words = ("--executor", "processes")
    done = place.wct("run", place.runbook("t.yaml", artifacts), *words, TOKEN=SECRET)
    assert done.code == 0, done.err
    assert SECRET not in done.err
    for name in names:
        lines = log(place, name).splitlines()
        for word in ("printed", "written", "by a thread", "by C", "by a child", "by a shell"):
            assert sum(line.startswith(f"{word} {name}") for line in lines) == 1, word
        assert lines.count(f"by a fork {name}") == 1
        assert sum(f"logged {name}" in line for line in lines) == 1
        assert sum(f"warned {name}" in line for line in lines) >= 1
        others = {f" {other}" for other in names if other != name}
        assert not any(line.endswith(tuple(others)) for line in lines)
        assert SECRET not in log(place, name)
        assert log(place, name).count("TOKEN") == 4


def test_what_a_thread_says_late_is_in_the_log_of_its_artifact(place: Place) -> None:
    (place.path / "talk.py").write_text(TALK)
    names = ("a", "b", "c")
    artifacts = "".join(talking(name, "late") for name in names)
    words = ("--executor", "processes", "--max-concurrency", "1")
    done = place.wct("run", place.runbook("t.yaml", artifacts), *words, TOKEN=SECRET)
    assert done.code == 0, done.err
    for name in names:
        assert log(place, name) == f"late {name}\n"


@pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")
def test_the_values_of_variables_are_in_no_environment_and_no_argument(place: Place) -> None:
    (place.path / "talk.py").write_text(TALK)
    artifacts = talking("seen", "environments")
    words = ("--executor", "processes", "--json")
    done = place.wct("run", place.runbook("t.yaml", artifacts), *words, TOKEN=SECRET)
    assert done.code == 0, done.err
    assert contents(place) == {"seen": {"found": [False] * 4}}
    for file in place.path.rglob("*"):
        assert not file.is_file() or SECRET.encode() not in file.read_bytes(), file


EDITED = """
import ctypes, os

def changes():
    with open("helper.py", "a") as file:
        file.write("VALUE = 2\\n")
    import helper
    if not os.path.exists("done"):
        open("done", "w").close()
        with open("edited.py", "a") as file:
            file.write("# other code\\n")
        ctypes.CDLL(None).kill(os.getpid(), 9)
    return {"value": helper.VALUE}
"""


def test_code_that_is_edited_during_the_run_is_not_mixed(place: Place) -> None:
    (place.path / "helper.py").write_text("VALUE = 1\n")
    (place.path / "edited.py").write_text(EDITED)
    again = "retry: {max: 3, on: died, delay: 0.01}"
    book = place.runbook("e.yaml", source("changes", "edited.py:changes", again))
    done = place.wct("run", book, "--executor", "processes", "--json")
    assert done.code == 1, done.err
    error = steps(done)["changes"]["error"]
    assert error["kind"] == "code_changed"
    assert "resume the run" in error["hint"]
    again_done = place.wct("run", book, "--executor", "processes", "--resume", "@last")
    assert again_done.code == 0, again_done.err
    assert contents(place) == {"changes": {"value": 2}}


def test_a_limit_of_memory_is_refused_on_threads(place: Place) -> None:
    book = place.runbook("r.yaml", source("value", "steps.py:value", "max_memory: 1GiB"))
    done = place.wct("run", book, "--executor", "threads")
    assert done.code == 5
    assert "'value' has `max_memory`, which the executor `threads` cannot keep" in done.err
    assert "--executor processes" in done.err


def test_a_store_in_memory_is_refused_with_processes(place: Place) -> None:
    book = place.runbook("r.yaml", source("value", "steps.py:value"))
    done = place.wct("run", book, "--executor", "processes", "--store", "memory:")
    assert done.code == 1
    assert "worker processes cannot reach a store that is in memory" in done.err
    assert "--executor threads" in done.out


def test_a_working_folder_that_is_gone_is_no_crash(place: Place) -> None:
    (place.path / "inner").mkdir()
    (place.path / "gone.py").write_text(
        "import os\ndef gone():\n    os.rmdir(os.getcwd())\n    return 1\n"
    )
    (place.path / "other.py").write_text("def other(inputs):\n    return 2\n")
    other = f"  b: {{inputs: a, process: {python(f'{place.path}/other.py:other')}}}\n"
    book = place.runbook("g.yaml", source("a", "gone.py:gone") + other)
    words = [WCT, "run", f"../{book}", "--executor", "processes", "--store", "../.waivern"]
    folder = place.path / "inner"
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert "completed  b" in done.stderr
