"""The cases: each writes its runbooks and sources, runs commands in turn, and returns figures."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

import sources
from compare import instructions
from measured_runs import WCT, Bench, Figure, median_ratio, steps, succeeded

MB = 1_000_000
SPIN = 120_000_000
"""Rounds of `computing.spin` that take about ten seconds."""
SMALL = 1_000
WORKERS = 10
"""Workers that are started one after the other in one run."""

Case = Callable[[Bench], list[Figure]]


def source(call: str, **properties: object) -> str:
    """Return an artifact that a function makes."""
    given = json.dumps({"call": call, **properties})
    return f"{{source: {{type: python, properties: {given}}}}}"


def processed(inputs: str, call: str) -> str:
    """Return an artifact that a function makes of others."""
    return f"{{inputs: {inputs}, process: {{type: python, properties: {{call: '{call}'}}}}}}"


def two_artifacts(bench: Bench) -> list[Figure]:
    """Two functions that compute, beside two bare processes that compute the same."""
    count = SPIN // bench.scale
    first, second = (  # different ones, or one result could be taken for both
        source("computing.py:spin", computes=True, args={"rounds": count + n}) for n in (0, 1)
    )
    bench.runbook("two", [f"a: {first}", f"b: {second}"])
    bare = partial(bench.bare, "spin", str(count), "2")
    costs = bench.in_turn(
        "two artifacts",
        {
            "bare, one process": lambda: bare(processes=1).wall_s,
            "bare, two": lambda: bare(processes=2).wall_s,
            "threads, one at once": lambda: (
                bench.run("two", "threads", "--max-concurrency", "1").wall_s
            ),
            "processes": lambda: bench.run("two", "processes").wall_s,
            "auto": lambda: bench.run("two", "auto").wall_s,
        },
    )
    return [
        Figure("two bare processes, speed-up", statistics.median(_bare_speed(costs))),
        _speed_up(costs, "processes", 0.95),
        _speed_up(costs, "auto", 0.95),
        *_processor_times(bench),
    ]


def scan(size: int, search: str) -> Case:
    """Return the case of one scan of a folder, beside bare processes that search the same files."""

    def case(bench: Bench) -> list[Figure]:
        folder = bench.folder / "source"
        sources.filler(folder, size // bench.scale)
        files = "{source: {type: filesystem, properties: {path: source}}}"
        found = f"{{inputs: files, process: {{type: {search}}}}}"
        bench.runbook("scan", [f"files: {files}", f"found: {found}"])
        whole: dict[str, list[float]] = {}

        def searched(executor: str) -> float:
            """Return what the search took; the listing before it is not divided."""
            ran = bench.run("scan", executor)
            whole.setdefault(executor, []).append(ran.wall_s)
            return float(str(steps(ran)["found"]["duration_ms"])) / 1000

        costs = bench.in_turn(
            f"scan, {search}",
            {
                "bare, one process": lambda: bench.bare(search, "source", processes=1).wall_s,
                "bare, two": lambda: bench.bare(search, "source", processes=2).wall_s,
                "threads, one at once": lambda: searched("threads"),
                "processes": lambda: searched("processes"),
                "auto": lambda: searched("auto"),
            },
        )
        runs = {name: statistics.median(each) for name, each in whole.items()}
        return [
            Figure("two bare processes, speed-up", statistics.median(_bare_speed(costs))),
            _speed_up(costs, "processes", 0.9),
            _speed_up(costs, "auto", 0.9),
            *(Figure(f"whole run, {name}", value, "s") for name, value in runs.items()),
            *_processor_times(bench),
        ]

    return case


def _bare_speed(costs: dict[str, list[float]]) -> tuple[float, ...]:
    return median_ratio(costs["bare, one process"], costs["bare, two"])[1]


def _speed_up(costs: dict[str, list[float]], executor: str, limit: float) -> Figure:
    """Return the speed-up of an executor over threads, as a share of that of bare processes."""
    _, ours = median_ratio(costs["threads, one at once"], costs[executor])
    share, shares = median_ratio([*ours], [*_bare_speed(costs)])
    return Figure(f"speed-up of `{executor}` / of bare processes", share, "", limit, None, shares)


def _processor_times(bench: Bench) -> list[Figure]:
    """Return what all processes of a run have computed beside that of threads.

    Other work on the machine changes it little: it says what is lost where the machine is busy.
    """
    spent = {
        executor: [
            each.cpu_s for each in bench.place.ran if f"--executor {executor}" in each.command
        ]
        for executor in ("threads", "processes", "auto")
    }
    ratios = {name: median_ratio(spent[name], spent["threads"]) for name in ("processes", "auto")}
    return [
        Figure(f"processor time, `{name}` / `threads`", ratio, rounds=rounds)
        for name, (ratio, rounds) in ratios.items()
    ]


def auto(counted: bool) -> Case:
    """Return the case of small artifacts with `auto` beside `threads`; `counted`: instructions."""

    def case(bench: Bench) -> list[Figure]:
        import shapes

        books = {
            "one": shapes.wide(1),
            "wide1000": shapes.wide(1000 // bench.scale),
            "deep300": shapes.deep(300 // bench.scale),
            "layered900": shapes.layered(30, max(1, 30 // bench.scale)),
        }
        if not counted:  # valgrind would take minutes
            books["wide10000"] = shapes.wide(10_000 // bench.scale)
        computing = source("payload.py:make", computes=True)
        (bench.folder / "payload.py").write_text(
            (Path(shapes.__file__).with_name("payload.py")).read_text()
        )
        bench.runbook("wide200_computes", [f"a{n}: {computing}" for n in range(200)])
        for name, text in books.items():
            (bench.folder / f"{name}.yaml").write_text(text)
        figures = []
        for name in books if counted else (*books, "wide200_computes"):
            cost = partial(_instructions if counted else _processor_time, bench, name)
            few = 1 if counted else bench.rounds * (4 if name == "one" else 1)
            commands = {each: partial(cost, each) for each in ("threads", "auto")}
            if not counted:
                for command in commands.values():
                    command()  # bytecode, page cache
            costs = bench.in_turn(name, commands, few)
            ratio, ratios = median_ratio(costs["auto"], costs["threads"])
            figures.append(Figure(f"{name}, `auto` / `threads`", ratio, "", None, 1.03, ratios))
        return figures

    return case


def _instructions(bench: Bench, name: str, executor: str) -> float:
    """Return the instructions of a run, in thousands of millions."""
    words = ["run", "-q", f"{name}.yaml", "--store", "store", "--executor", executor]
    count = instructions([WCT, *words], bench.folder)
    shutil.rmtree(bench.folder / "store")
    return count


def _processor_time(bench: Bench, name: str, executor: str) -> float:
    return bench.run(name, executor).cpu_s


def each_small(bench: Bench) -> list[Figure]:
    """Small artifacts, all of which workers produce, beside threads: the time each of them adds."""
    small, count = source("computing.py:make"), SMALL // bench.scale
    bench.runbook("wide", [f"a{n}: {small}" for n in range(count)])
    bench.runbook("one", [f"a0: {small}"])
    costs = bench.in_turn(
        "small artifacts",
        {
            f"{name}, {executor}": lambda name=name, executor=executor: (  # type: ignore[misc]
                bench.run(name, executor).wall_s
            )
            for name in ("wide", "one")
            for executor in ("threads", "processes")
        },
    )
    each = _added(costs, count)
    computed = {
        name: [
            ran.cpu_s
            for ran in bench.place.ran
            if f"{name.partition(', ')[0]}.yaml" in ran.command
            and ran.command.endswith(name.partition(", ")[2])
        ]
        for name in costs
    }
    bench.raw["processor time"] = computed
    start = [b - a for a, b in zip(costs["one, threads"], costs["one, processes"], strict=True)]
    return [
        Figure("time that each adds", statistics.median(each), "ms", None, 0.5, each),
        Figure("processor time that each adds", statistics.median(_added(computed, count)), "ms"),
        Figure("start of the first worker", statistics.median(start), "s", rounds=tuple(start)),
    ]


def _added(costs: dict[str, list[float]], count: int) -> tuple[float, ...]:
    """Return the milliseconds that an artifact adds, without the start of a run."""
    rows = zip(*costs.values(), strict=True)
    return tuple(
        round(((wide_p - one_p) - (wide_t - one_t)) / (count - 1) * 1000, 4)
        for wide_t, wide_p, one_t, one_p in rows
    )


def ready(bench: Bench) -> list[Figure]:
    """The time from the start of an artifact until its component runs in a new worker.

    Each function is in a file of its own, so that none can use the worker of another one.
    """
    lines = []
    for n in range(WORKERS):
        text = (bench.folder / "computing.py").read_text()
        (bench.folder / f"one_of_them{n}.py").write_text(f"{text}\n# {n}\n")
        call = f"one_of_them{n}.py:now"
        lines.append(f"a{n}: " + (processed(f"a{n - 1}", call) if n else source(call)))
    bench.runbook("ready", lines)
    first, later = [], []
    for _ in range(bench.rounds):
        ran = bench.place.wct(
            *("run", "ready.yaml", "--store", "store", "--json", "--executor", "processes")
        )
        succeeded(ran)
        waited = [_waited(bench, each) for each in steps(ran).values()]
        shutil.rmtree(bench.folder / "store")
        first.append(waited[0])
        later += waited[1:]
    return [
        Figure("the first worker is ready after", statistics.median(first), "s", rounds=(*first,)),
        Figure("each further one", statistics.median(later), "s", None, 0.15, tuple(sorted(later))),
        Figure("the slowest of them", max(later), "s"),
    ]


def _waited(bench: Bench, step: dict[str, object]) -> float:
    """Return the time between the start of an artifact and what its component has read."""
    began = datetime.fromisoformat(str(step["started_at"])).timestamp()
    stored = bench.folder / "store" / "latest" / f"{step['artifact']}.json"
    return round(float(json.loads(stored.read_text())["content"]) - began, 4)


def detector_ready(bench: Bench) -> list[Figure]:
    """The first call of a detector in a new worker, beside its second call there."""
    search = "process: {type: personal_data}"
    bench.runbook(
        "detector",
        [
            f"first: {source('computing.py:make')}",
            f"new: {{inputs: first, {search}}}",
            f"text: {processed('new', 'computing.py:now')}",
            f"again: {{inputs: text, {search}}}",
        ],
    )
    new, again = [], []
    for _ in range(bench.rounds):
        ran = steps(bench.run("detector", "processes"))
        new.append(int(str(ran["new"]["duration_ms"])) / 1000)
        again.append(int(str(ran["again"]["duration_ms"])) / 1000)
    return [
        Figure("a small search in a new worker", statistics.median(new), "s", None, 0.15, (*new,)),
        Figure("in a worker that is idle", statistics.median(again), "s", rounds=(*again,)),
    ]


def memory(bench: Bench) -> list[Figure]:
    """The memory of the idle workers and of the template, while a command runs.

    Worker 1 has listed the source; the others have searched it."""
    sources.filler(bench.folder / "source", 4 * MB)
    search = "process: {type: personal_data}"
    pause = "process: {type: command, properties: {argv: [sh, -c, 'sleep 2; echo 1']}}"
    bench.runbook(
        "memory",
        [
            "files: {source: {type: filesystem, properties: {path: source}}}",
            f"found: {{inputs: files, {search}}}",
            f"pause: {{inputs: found, {pause}}}",
        ],
    )
    found = _memory_while_paused(bench)
    figures = []
    for who, kinds in found.items():
        limit = 60 if "worker" in who else None
        for kind, value in kinds.items():
            figures.append(Figure(f"{who}, {kind}", value, "MB", None, limit))
    return figures


def _memory_while_paused(bench: Bench) -> dict[str, dict[str, float]]:
    command = [WCT, "run", "memory.yaml", "--store", "store", "--executor", "processes", "-q"]
    process = subprocess.Popen(command, cwd=bench.folder, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    names: dict[str, int] = {}
    while "sh" not in names and time.monotonic() < deadline:
        time.sleep(0.05)
        names = {_name(each): each for each in _children(process.pid)}
    time.sleep(0.5)
    found = {"coordinator": _memory_of(process.pid)}
    (keeper,) = (pid for name, pid in names.items() if name != "sh")
    (template,) = _children(keeper)
    found["keeper"] = _memory_of(keeper)
    found["template"] = _memory_of(template)
    for number, worker in enumerate(_children(template), 1):
        found[f"idle worker {number}"] = _memory_of(worker)
    if process.wait():
        raise SystemExit(f"exit {process.returncode} of `{' '.join(command)}`")
    return found


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, tasks.read_text().split())
        except OSError:
            continue  # the thread has ended
    return found


def _memory_of(pid: int) -> dict[str, float]:
    """Return resident, proportional and private memory in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    sizes = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)}
    kinds = {
        "RSS": sizes["Rss"],
        "PSS": sizes["Pss"],
        "private": sizes["Private_Clean"] + sizes["Private_Dirty"],
    }
    return {name: round(size * 1024 / MB, 1) for name, size in kinds.items()}


def start_up(bench: Bench) -> list[Figure]:
    """The modules that commands import, with `auto` and with `threads`."""
    bench.runbook("one", [f"a0: {source('computing.py:make')}"])
    counts = {
        "wct --version": _modules(bench, "--version"),
        "wct runs": _modules(bench, "runs", "--store", "store"),
    }
    for executor in ("threads", "auto"):
        words = ("run", "-q", "one.yaml", "--store", "store", "--executor", executor)
        counts[f"wct run, {executor}"] = _modules(bench, *words)
    added = counts["wct run, auto"] - counts["wct run, threads"]
    more = [name for name in sorted(added) if name.startswith("waivern")]
    bench.raw["modules that `auto` adds"] = {name: [] for name in more}
    figures = [Figure(f"modules, {name}", len(found)) for name, found in counts.items()]
    for name in ("wct --version", "wct runs"):
        worker = [each for each in counts[name] if each.startswith("waivern.engine.workers")]
        figures.append(Figure(f"of them of workers, {name}", len(worker), "", None, 0))
    return figures


_MODULES = """
import os, sys
sys.argv[0] = "wct"
end = os._exit
def ended(code):
    with open("modules.txt", "w") as file:
        file.write("\\n".join(sys.modules))
    end(code)
os._exit = ended
from waivern.cli.main import main
ended(main())
"""


def _modules(bench: Bench, *words: str) -> set[str]:
    command = [sys.executable, "-c", _MODULES, *words]
    subprocess.run(command, cwd=bench.folder, capture_output=True, check=False)
    return set((bench.folder / "modules.txt").read_text().splitlines())


CASES: dict[str, Case] = {
    "start-up": start_up,
    "auto-instructions": auto(counted=True),
    "auto-processor-time": auto(counted=False),
    "two-artifacts": two_artifacts,
    "scan-1GB": scan(1000 * MB, "patterns"),
    "scan-100MB-personal-data": scan(100 * MB, "personal_data"),
    "small-artifacts": each_small,
    "ready": ready,
    "detector-ready": detector_ready,
    "memory": memory,
}
ROUNDS = {"two-artifacts": 3, "scan-1GB": 3, "scan-100MB-personal-data": 2}
"""The rounds of the long cases, so that all cases together take less than 20 minutes; others: 5."""
