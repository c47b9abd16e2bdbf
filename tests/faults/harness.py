"""How a command is carried out with a fault in it, many times and quickly.

A `Bench` has a folder with runbooks and a store in which a first run is done; every point of a
sweep gets a copy of the store, a `Shelf`. Commands go through a `Zygote` (a fork of a preloaded
interpreter that calls the entry point of `wct`: some 50 ms each) or through `Script` (the installed
`wct` in a process of its own, with a sitecustomize.py: some 400 ms). Both do the same.
"""

from __future__ import annotations

import errno
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from waivern.runs import listing
from waivern.runs.queries import RunRow
from waivern.store.local import LocalFilesystemStore

HERE = Path(__file__).parent
WCT = str(Path(sys.executable).with_name("wct"))
PATIENCE_S = 60
ALL = bool(os.environ.get("WAIVERN_FAULTS_ALL"))
"""Whether to go through all of what is otherwise bounded: each outer crash of a nested kill, each
errno as one that stays, each signal twice, a thousand rounds, every store resumed anew."""
LIKE_OTHERS = (errno.EDQUOT, errno.EROFS, errno.EMFILE)
"""Only the hint is another one than that of ENOSPC or EIO, with which every operation is broken."""


def nth(number: int, error: int) -> int:
    """Return the ordinal of the operation that is the `number`th to fail with an errno."""
    return 1 + (number - 1) * 4 if error in LIKE_OTHERS and not ALL else number


COMPONENTS = """
import os
import time

def note(name):
    wait_for_others()
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(name + "\\n")

def wait_for_others():
    # lets the winner of a race hold the run until the others are over
    others, deadline = int(os.environ.get("OTHERS", 0)), time.monotonic() + 20
    while len(words(os.environ.get("OVER", os.devnull))) < others:
        assert time.monotonic() < deadline
        time.sleep(0.005)

def words(path):
    with open(path) as file:
        return file.read().split()

def value(name, x):
    note(name)
    return {"value": x, "more": ["some text"] * 20}

def total(inputs, name):
    note(name)
    return {"total": sum(each.get("value", each.get("total", 0)) for each in inputs)}

def fail(name):
    note(name)
    raise ValueError("it always fails")

def turn(name):
    note(name)
    return {"value": words(os.environ["CALLS"]).count(name)}

def flaky(name, x):
    note(name)
    if words(os.environ["CALLS"]).count(name) % 2:
        raise ConnectionError("not at the first try")
    return {"value": x}
"""

ORIGIN = """
name: origin
artifacts:
  seed: {source: {type: python, properties: {call: "steps.py:value", args: {name: seed, x: 5}}}}
"""

BOOK = """
name: book
artifacts:
  one: {source: {type: python, properties: {call: "steps.py:value", args: {name: one, x: 1}}}}
  old: {reuse: {from_run: origin, artifact: seed}}
  two: {source: {type: python, properties: {call: "steps.py:value", args: {name: two, x: 2}}}}
  bad: {source: {type: python, properties: {call: "steps.py:fail", args: {name: bad}}}}
  all:
    inputs: [one, old, two]
    process: {type: python, properties: {call: "steps.py:total", args: {name: all}}}
  after_bad:
    inputs: [one, bad]
    process: {type: python, properties: {call: "steps.py:total", args: {name: after_bad}}}
  last:
    inputs: all
    process: {type: python, properties: {call: "steps.py:total", args: {name: last}}}
"""

Count = Callable[[str, int], None]
"""Takes a fault class, and how many points of it held."""

RUN = "main"
"""The id of the run that is broken."""


@dataclass(frozen=True)
class Plan:
    """What is to happen in a process under test; see injected.py."""

    action: str = "none"
    ordinal: int = 0
    number: int = 0
    """The errno, or the signal."""
    times: int = 1
    persistent: bool = False
    looks: bool = False
    """Whether operations that only read count too."""
    only: str | None = None
    trace: bool = False
    serial: bool = True
    seed: int = 0
    late_s: float = 0
    """How long the process waits before its first operation."""
    wal: bool = False
    """Whether to record which part of a SQLite database's log is durable."""


@dataclass(frozen=True)
class Done:
    """A process that is over. `code` is negative for a signal."""

    pid: int
    code: int
    out: str
    err: str
    report: tuple[tuple[str, ...], ...]

    @property
    def broke(self) -> tuple[str, str] | None:
        """The operation that was broken and its file; None if the process never came to it."""
        for word, *rest in self.report:
            if word == "broke":
                return rest[0], rest[1]
        return None

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(rest[0], rest[1]) for word, *rest in self.report if word == "step"]


@dataclass(frozen=True)
class Job:
    """A command line, and the fault in it."""

    argv: tuple[str, ...]
    cwd: Path
    environ: dict[str, str]
    plan: Plan | None = None
    files: int | None = None
    """How many descriptors the process may have."""
    store: Path | None = None
    """What is copied each time that the process is stopped."""
    stops: Path | None = None
    """Where the copies go."""
    modules: bool = False
    """Whether to report the modules that the process has imported."""

    def document(self) -> dict[str, Any]:
        fault = vars(self.plan) if self.plan else None
        return {
            "argv": self.argv,
            "cwd": str(self.cwd),
            "environ": self.environ,
            "fault": fault,
            "files": self.files,
            "store": str(self.store),
            "stops": str(self.stops) if self.stops else None,
            "modules": self.modules,
        }


class Runner(Protocol):
    """Carries out commands."""

    def together(self, jobs: Sequence[Job]) -> list[Done]:
        """Carry several out at the same time."""
        ...


def carry_out(runner: Runner, job: Job) -> Done:
    (done,) = runner.together([job])
    return done


class Zygote:
    """The other end of zygote.py."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "zygote.py")],
            env=_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def warm_up(self, modules: Sequence[str]) -> None:
        """Let what commands import be imported before they are forked."""
        self._send({"modules": modules})

    def together(self, jobs: Sequence[Job]) -> list[Done]:
        self._send([job.document() for job in jobs])
        assert self._process.stdout
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE_S)
        if not ready:
            self.close()
            raise AssertionError(f"{[job.argv for job in jobs]} did not end: {jobs[0].plan}")
        return [
            Done(one["pid"], one["code"], one["out"], one["err"], tuple(map(tuple, one["report"])))
            for one in json.loads(self._process.stdout.readline())
        ]

    def _send(self, document: object) -> None:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(document) + "\n")
        self._process.stdin.flush()

    def close(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


class Script:
    """The installed `wct`, with a sitecustomize.py on its path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "site"
        self._folder.mkdir()
        (self._folder / "sitecustomize.py").write_text(
            "import json, os\n"
            'if spec := os.environ.pop("WAIVERN_FAULT", None):\n'
            "    import injected\n"
            "    injected.install(json.loads(spec))\n"
        )

    def together(self, jobs: Sequence[Job]) -> list[Done]:
        started = [self._start(job) for job in jobs]
        return [_ended(process, report) for process, report in started]

    def _start(self, job: Job) -> tuple[subprocess.Popen[str], Any]:
        report = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _ended
        environ = _environment(f"{self._folder}{os.pathsep}{HERE}") | job.environ
        if job.plan:
            spec = vars(job.plan) | {"report": report.fileno()}
            environ["WAIVERN_FAULT"] = json.dumps(spec)
        process = subprocess.Popen(
            [WCT, *job.argv],
            cwd=job.cwd,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[report.fileno()],
        )
        return process, report


def _ended(process: subprocess.Popen[str], report: Any) -> Done:
    try:
        out, err = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    report.seek(0)
    lines = report.read().decode().splitlines()
    report.close()
    words = tuple(tuple(line.split("\t")) for line in lines)
    return Done(process.pid, process.returncode, out, err, words)


def _environment(path: str = "") -> dict[str, str]:
    gone = ("WAIVERN_STORE", "WAIVERN_FAULT", "NO_COLOR")
    kept = {name: value for name, value in os.environ.items() if name not in gone}
    paths = os.pathsep.join(filter(None, (path, kept.get("PYTHONPATH"))))
    return kept | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": paths}


@dataclass(frozen=True)
class Shelf:
    """One store, for one point of a sweep, and the record of what was executed for it."""

    bench: Bench
    path: Path

    @property
    def run(self) -> Path:
        return self.path / ".waivern" / "runs" / RUN

    @property
    def calls(self) -> Counter[str]:
        """How often each artifact was made, by the word of its component."""
        try:
            return Counter((self.path / "calls").read_text().split())
        except FileNotFoundError:
            return Counter()

    def rows(self) -> dict[str, RunRow]:
        """Return what `wct runs` makes its list of."""
        return {
            row.run_id: row for row in listing.every(LocalFilesystemStore(self.path / ".waivern"))
        }

    def wct(self, *argv: str, plan: Plan | None = None, files: int | None = None) -> Job:
        words = (*argv, "--store", str(self.path / ".waivern"))
        return Job(words, self.bench.folder, {"CALLS": str(self.path / "calls")}, plan, files)

    def origin(self, plan: Plan | None = None) -> Job:
        return self.wct("run", "origin.yaml", "--run-id", "origin", plan=plan)

    def origin_again(self) -> Job:
        there = (self.path / ".waivern" / "runs" / "origin").exists()
        return self.wct("run", "origin.yaml", "--resume", "origin") if there else self.origin()

    def start(self, plan: Plan | None = None, *more: str) -> Job:
        """Begin the run; one at a time, so that the sequence of operations is the same again."""
        width = "1" if plan is None or plan.serial else "4"
        words = ("run", "book.yaml", "--run-id", RUN, "--max-concurrency", width, *more)
        return self.wct(*words, plan=plan)

    def resume(self, plan: Plan | None = None, *more: str) -> Job:
        width = "1" if plan is None or plan.serial else "4"
        words = ("run", "book.yaml", "--resume", RUN, "--max-concurrency", width, *more)
        return self.wct(*words, plan=plan)

    def again(self, plan: Plan | None = None) -> Job:
        """Do what a person would do now: resume the run if there is one, else begin it."""
        return self.resume(plan) if self.run.exists() else self.start(plan)

    def stops(self, job: Job) -> list[Stop]:
        """Carry out a command on this store; return what kills after each of its changes leave.

        Cheaper than to kill a process for each; `test_a_stop_shows_what_a_kill_leaves` holds the
        two against each other.
        """
        folder = self._stops
        folder.mkdir()
        plan = Plan("stop") if job.plan is None else replace(job.plan, action="stop")
        done = carry_out(self.bench.zygote, replace(job, plan=plan, store=self.path, stops=folder))
        assert done.code in (0, 1), done.err
        return [
            Stop(int(number), (operation, name), Shelf(self.bench, folder / number), done)
            for word, number, operation, name in done.report
            if word == "stopped"
        ]

    def copy(self) -> Shelf:
        return self.bench.shelf(self.path)

    def clear(self) -> None:
        shutil.rmtree(self.path)
        shutil.rmtree(self._stops, ignore_errors=True)

    @property
    def _stops(self) -> Path:
        return self.path.with_name(f"{self.path.name}-stops")


@dataclass(frozen=True)
class Stop:
    """A moment of a command: what SIGKILL would leave before its next operation."""

    number: int
    """The ordinal of that operation."""
    operation: tuple[str, str]
    shelf: Shelf
    _whole: Done
    """How the command ended, which was stopped and went on."""

    @property
    def killed(self) -> Done:
        """What there would be of the command if it had been killed then."""
        err = self.shelf.path.with_suffix(".err").read_text()
        return replace(self._whole, code=-9, out="", err=err, report=(("broke", *self.operation),))


class Bench:
    """A folder with the runbooks, a template store, and runners to take turns on."""

    WIDTH = 2
    TRIES = 3
    SHELF = Shelf

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "books"
        self.folder.mkdir()
        self._shelves = folder / "shelves"
        self._shelves.mkdir()
        self._numbers = count()
        for name, text in (("steps.py", COMPONENTS), ("origin.yaml", ORIGIN), ("book.yaml", BOOK)):
            (self.folder / name).write_text(text)
        self.script = Script(folder)
        self._template = folder / "template"
        self._template.mkdir()
        first = self.SHELF(self, self._template)
        done = carry_out(self.script, first.origin())
        assert done.code == 0, done.err
        self._imports: list[str] = []
        self._runners = [Zygote() for _ in range(self.WIDTH)]
        self._idle = threading.local()
        self._free = list(self._runners)
        self._lock = threading.Lock()
        self.warm_up(self.shelf().start())

    def shelf(self, template: Path | None = None) -> Shelf:
        """Return a store of its own that is a copy of another."""
        path = self._shelves / str(next(self._numbers))
        shutil.copytree(template or self._template, path, symlinks=True)
        return self.SHELF(self, path)

    def bare_shelf(self) -> Shelf:
        """Return a place where no store is yet."""
        path = self._shelves / str(next(self._numbers))
        path.mkdir()
        return self.SHELF(self, path)

    def _runner(self) -> Zygote:
        made = Zygote()
        made.warm_up(self._imports)
        return made

    def warm_up(self, job: Job) -> None:
        """Carry out a command once, and let all runners import what it imported."""
        done = carry_out(self._runners[0], replace(job, modules=True))
        self._imports += json.loads(done.report[-1][0])
        for runner in self._runners:
            runner.warm_up(self._imports)

    @property
    def zygote(self) -> Zygote:
        """The calling thread's own."""
        if not hasattr(self._idle, "zygote"):
            with self._lock:
                if not self._free:
                    self._runners.append(self._runner())
                    self._free.append(self._runners[-1])
                self._idle.zygote = self._free.pop(0)
        zygote: Zygote = self._idle.zygote
        return zygote

    def sweep(self, point: Callable[[int], bool], width: int = WIDTH) -> int:
        """Call point(1), point(2), ... until one says that there was nothing left to break.

        How many operations a command has may differ by a few from time to time (what is committed
        in a group): a number is the end only if it broke nothing at several tries. Returns how many
        points broke something. Points run side by side; a failed one is told with its number, after
        the others.
        """
        numbers, end = count(1), threading.Event()
        broke: set[int] = set()
        faults: list[str] = []

        def work() -> None:
            try:
                while not end.is_set() and len(faults) < 10:
                    number = next(numbers)
                    try:
                        more = any(point(number) for _ in range(self.TRIES))
                    except AssertionError as error:
                        faults.append(f"point {number}: {error}")
                        more = True
                    broke.add(number) if more else end.set()
            finally:
                self._give_back()

        self._all([work] * width)
        assert not faults, "\n\n".join(faults)
        last = max(broke, default=0)
        assert len(broke) > last - width, "a point in the middle broke nothing"
        return len(broke)

    def each(self, points: Sequence[Callable[[], None]], width: int = WIDTH) -> int:
        """Call all `points`, side by side; return how many."""
        waiting = list(enumerate(points))
        faults: list[str] = []

        def work() -> None:
            try:
                while len(faults) < 10:
                    with self._lock:
                        if not waiting:
                            return
                        number, point = waiting.pop(0)
                    try:
                        point()
                    except AssertionError as error:
                        faults.append(f"point {number}: {error}")
            finally:
                self._give_back()

        self._all([work] * width)
        assert not faults, "\n\n".join(faults)
        return len(points)

    def _all(self, works: Sequence[Callable[[], None]]) -> None:
        with ThreadPoolExecutor(len(works)) as pool:
            for future in [pool.submit(work) for work in works]:
                future.result()

    def _give_back(self) -> None:
        if hasattr(self._idle, "zygote"):
            with self._lock:
                self._free.append(self._idle.zygote)
            del self._idle.zygote

    def close(self) -> None:
        for runner in self._runners:
            runner.close()


def traced(plan: Plan) -> Plan:
    return replace(plan, trace=True)
