"""What a component does to the process, its threads and its end: contained, or said."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from wct_process import Done, Place

from waivern.store.local import LocalFilesystemStore

pytestmark = pytest.mark.sweep

STEPS = '''
import _thread
import asyncio
import atexit
import ctypes
import decimal
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import ThreadPoolExecutor


def wait(name):
    with open(name) as fifo:
        return fifo.read()


def announce():
    with open("ready", "w") as out:
        out.write("here")


# ends and interrupts the process

def os_exit():
    os._exit(0)

def posix_exit():
    import posix
    posix._exit(0)

def os_abort():
    os.abort()

def os_execv():
    os.execvp("true", ["true"])

def os_kill():
    os.kill(os.getpid(), signal.SIGKILL)

def os_killpg():
    os.killpg(0, signal.SIGKILL)

def raise_signal():
    signal.raise_signal(signal.SIGTERM)

def interrupt_main():
    _thread.interrupt_main()

def alarm():
    signal.alarm(1)

async def exit_in_a_task():
    async def leave():
        os._exit(0)
    await asyncio.gather(leave(), asyncio.sleep(60))

def exit_in_a_thread():
    """Fail because the thread could not end the process."""
    came = []
    def leave():
        try:
            os._exit(0)
        except Exception as error:
            came.append(error)
    thread = threading.Thread(target=leave)
    thread.start()
    thread.join()
    raise came[0]


def children_may():
    """Return the exit code of a child process that ends as it likes."""
    child = os.fork()
    if child == 0:
        os._exit(7)
    others = multiprocessing.get_context("fork").Process(target=os._exit, args=(5,))
    others.start()
    others.join()
    os.kill(os.getpid(), 0)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), others.exitcode]


# changes the process

def changes():
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    os.umask(0o777)
    decimal.getcontext().prec = 3
    asyncio.set_event_loop(asyncio.new_event_loop())
    announce_at("../ready")
    wait("../go")
    return os.getcwd()

def announce_at(path):
    with open(path, "w") as out:
        out.write("here")

def sees(inputs=()):
    """Return what another artifact sees of it."""
    try:
        loop = asyncio.get_event_loop_policy().get_event_loop() is not None
    except RuntimeError:
        loop = False
    mask = os.umask(0o022)
    os.umask(mask)
    return {"cwd": os.getcwd(), "umask": mask, "prec": decimal.getcontext().prec, "loop": loop}

def sees_meanwhile():
    """Look while the other artifact is at work."""
    with open("ready") as ready:
        ready.read()
    seen = sees()
    with open("go", "w") as go:
        go.write("1")
    return seen


# leaves work behind

async def to_thread():
    await asyncio.to_thread(wait, "never")

async def run_in_executor():
    pool = ThreadPoolExecutor(1)
    await asyncio.get_running_loop().run_in_executor(pool, wait, "never")

async def announced_to_thread():
    announce()
    await asyncio.to_thread(wait, "never")

POOL = ThreadPoolExecutor(2)

def leaves_pool():
    POOL.submit(wait, "never")
    return 1

def leaves_idle_pool():
    return POOL.submit(int, "1").result()

def leaves_thread(daemon=None):
    threading.Thread(target=wait, args=("never",), name="upload", daemon=daemon).start()
    return 1

def blocks():
    wait("never")

def blocks_the_end():
    atexit.register(wait, "never")
    wait("never")

def tries():
    """Note when a try begins and ends; the first waits for the test."""
    with open("tries", "a") as out:
        out.write("begin ")
    if not os.path.exists("second"):
        open("second", "w").close()
        wait("go")
    with open("tries", "a") as out:
        out.write("end ")
    return 1

def finishes_later():
    def work():
        wait("go")
        with open("written", "w") as out:
            out.write("all of it")
    threading.Thread(target=work).start()
    return 1
'''


@pytest.fixture
def steps(place: Place) -> Place:
    (place.path / "own.py").write_text(STEPS)
    for fifo in ("never", "go", "ready"):
        os.mkfifo(place.path / fifo)
    return place


def book(place: Place, head: str = "", **artifacts: str) -> str:
    """Write a runbook of functions of own.py, with more keys of each artifact."""
    lines = []
    for name, more in artifacts.items():
        call = f'{{type: python, properties: {{call: "own.py:{name}"}}}}'
        lines.append(f"  {name}: {{source: {call}{more}}}\n")
    return place.runbook("book.yaml", "".join(lines), head)


def errors(place: Place) -> dict[str, dict[str, str]]:
    lines = LocalFilesystemStore(place.path / ".waivern").read_journal("r1").lines
    failed = [line.record for line in lines if line.record["type"] == "artifact_failed"]
    return {record["artifact"]: record["error"] for record in failed}


def content(place: Place, artifact: str) -> object:
    return json.loads((place.run_folder() / f"{artifact}.json").read_text())["content"]


def run(place: Place, *args: str) -> Done:
    return place.wct("run", "book.yaml", "--run-id", "r1", "-q", *args)


@pytest.mark.parametrize(
    ("function", "called"),
    [
        ("os_exit", "os._exit"),
        ("posix_exit", "posix._exit"),
        ("os_abort", "os.abort"),
        ("os_execv", "os.execv"),
        ("os_kill", "os.kill"),
        ("os_killpg", "os.killpg"),
        ("raise_signal", "signal.raise_signal"),
        ("interrupt_main", "_thread.interrupt_main"),
        ("alarm", "signal.alarm"),
        ("exit_in_a_task", "os._exit"),
        ("exit_in_a_thread", "os._exit"),
    ],
)
def test_a_component_cannot_end_the_process(steps: Place, function: str, called: str) -> None:
    book(steps, **{function: "", "leaves_idle_pool": ""})
    done = run(steps)
    assert done.code == 1, done.err
    failed = errors(steps)
    assert list(failed) == [function]
    assert failed[function]["message"] == f"a component cannot call {called}"
    assert content(steps, "leaves_idle_pool") == 1


@pytest.mark.parametrize("verb", ["run", "plan", "validate"])
def test_a_component_cannot_end_the_process_while_it_is_loaded(steps: Place, verb: str) -> None:
    (steps.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    (steps.path / "parts").mkdir()
    (steps.path / "parts" / "mine.py").write_text("import os\nconnector = os._exit(0)\n")
    steps.runbook("book.yaml", "  a: {source: {type: mine}}\n")
    done = steps.wct(verb, "book.yaml")
    assert done.code == 3
    assert "a component cannot call os._exit" in done.err


def test_a_child_process_ends_as_it_likes(steps: Place) -> None:
    book(steps, children_may="")
    done = run(steps)
    assert done.code == 0, done.err
    assert content(steps, "children_may") == [7, 5]


def test_what_a_component_changes_of_its_process_ends_with_it(steps: Place) -> None:
    """Paths and modes of what the run writes are as ever."""
    sees = ", after: [changes, sees_meanwhile], output: true"
    book(steps, changes="", sees_meanwhile="", sees=sees)
    done = run(steps, "-o", "out", "--max-concurrency", "2")
    assert done.code == 0, done.err
    before = {"cwd": str(steps.path), "umask": _umask(), "prec": 28, "loop": False}
    assert content(steps, "changes") == str(steps.path / "elsewhere")
    assert content(steps, "sees") == before
    if _separable():
        assert content(steps, "sees_meanwhile") == before
    assert (steps.path / "out" / "sees.json").exists()
    assert {file.stat().st_mode & 0o777 for file in steps.run_folder().glob("*.json")} == {0o600}


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _separable() -> bool:
    """Say whether a thread may have a working folder of its own here; a container may forbid it."""
    if sys.platform != "linux":
        return False
    with ThreadPoolExecutor(1) as thread:
        return bool(thread.submit(ctypes.CDLL(None).unshare, 0x200).result() == 0)


@pytest.mark.parametrize("function", ["to_thread", "run_in_executor", "blocks", "blocks_the_end"])
def test_the_limit_is_the_limit(steps: Place, function: str) -> None:
    """`ended` waits for thirty seconds; what is waited for here never ends."""
    book(steps, "config: {timeout: 0.5}", **{function: ""})
    done = run(steps)
    assert done.code == 8, done.err
    assert f"'{function}' was still at work when the run ended" in done.err or (
        f"of '{function}' was still at work when the run ended" in done.err
    )


def test_the_grace_period_is_the_limit_of_an_interrupted_run(steps: Place) -> None:
    book(steps, announced_to_thread="")
    process = steps.start("run", "book.yaml", "--run-id", "r1", "--grace", "0.1")
    assert (steps.path / "ready").read_text() == "here"
    process.send_signal(signal.SIGINT)
    assert steps.ended(process).code == 130


@pytest.mark.parametrize("function", ["leaves_pool", "leaves_thread"])
def test_a_thread_that_does_not_end_is_named(steps: Place, function: str) -> None:
    book(steps, **{function: ""})
    done = run(steps, "--grace", "0.1")
    assert done.code == 0, done.err
    thread = "upload" if function == "leaves_thread" else "ThreadPoolExecutor-0_0"
    said = f"warning: thread '{thread}' of '{function}' was still at work when the run ended"
    assert said in done.err
    assert done.err.count("still at work") == 1


def test_a_daemon_is_named_and_not_waited_for(steps: Place) -> None:
    """The grace period is longer than the test waits."""
    book(steps, leaves_thread="")
    file = steps.path / "own.py"
    file.write_text(file.read_text().replace("daemon=None", "daemon=True"))
    done = run(steps, "--grace", "3600")
    assert done.code == 0
    assert "thread 'upload' of 'leaves_thread' was still at work" in done.err


def test_an_idle_pool_is_not_at_work(steps: Place) -> None:
    book(steps, leaves_idle_pool="")
    done = run(steps, "--grace", "3600")
    assert (done.code, done.err) == (0, "")


def test_a_thread_that_ends_in_time_finishes_its_work(steps: Place) -> None:
    book(steps, finishes_later="")
    process = steps.start("run", "book.yaml", "--grace", "3600")
    assert process.stderr
    waiting = "waiting for threads that components have started\n"
    assert waiting in iter(process.stderr.readline, "")
    (steps.path / "go").write_text("1")
    done = steps.ended(process)
    assert done.code == 0
    assert "still at work" not in done.err
    assert (steps.path / "written").read_text() == "all of it"


def test_a_retry_waits_until_the_timed_out_try_has_left_its_pool(steps: Place) -> None:
    more = ", pool: db, timeout: 0.3, retry: {max: 1, on: timeout, delay: 0.01}"
    book(steps, "config: {pools: {db: 1}}", tries=more)
    process = steps.start("run", "book.yaml")
    assert process.stderr
    waiting = "waiting for pool 'db': held by a timed-out attempt of 'tries'\n"
    assert waiting in iter(process.stderr.readline, "")
    (steps.path / "go").write_text("1")
    done = steps.ended(process)
    assert done.code == 0
    assert (steps.path / "tries").read_text() == "begin end begin end "
