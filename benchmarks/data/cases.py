"""The cases: each writes its source, runs `wct` on it, and returns figures."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import sources
from process import Place, Ran, holding, size_of

MB, GB = 1_000_000, 1_000_000_000
SCAN = """
artifacts:
  files: {{source: {{type: filesystem, properties: {{path: "{path}", max_file_size: 20GB}}}}}}
  findings: {{inputs: files, process: {{{search}}}}}
"""
ALONE = """
artifacts:
  files: {{source: {{type: filesystem, properties: {{path: "{path}", max_file_size: 20GB}}}}}}
"""
RECORDS = """
artifacts:
  records: {{source: {{type: records, properties: {{size: {size}}}}}}}
"""
PERSONAL_DATA = "type: personal_data"
ADDRESSES = "type: personal_data, properties: {types: [EMAIL_ADDRESS], field_names: false}"
NEEDLE = "type: patterns, properties: {patterns: ['@[\\w.]+'], computes: false}"


class Figure(NamedTuple):
    """A measured value as text, the value to reach, and whether it is reached (None: no limit)."""

    figure: str
    measured: str
    limit: str = ""
    met: bool | None = None
    value: float | None = None


Case = Callable[[Place, Path, int], list[Figure]]


def filler(size: int, search: str) -> Case:
    """Return the case of a scan of much text with few hits, and of a second, cached run."""

    def case(place: Place, at: Path, scale: int) -> list[Figure]:
        source = written(at, size // scale)
        (empty := place.folder / "empty").mkdir()
        runbook(place, SCAN, source, search)
        runbook(place, SCAN, empty, search, "empty.yaml")
        first, again = run(place), run(place)
        nothing = run(place, "empty.yaml", store="empty-store")
        if failed := refused(first, again, nothing):
            return failed
        total = size_of(source)
        read = (again.read_bytes - nothing.read_bytes) / total
        return [
            Figure("search", search.partition(", ")[0].removeprefix("type: ")),
            memory("peak memory, scan", first, 250),
            *folder_figures(place, total),
            Figure("findings of the second run", again.hows()["findings"], "cached"),
            at_most("bytes read, second run / source", read, 1.1),
            memory("peak memory, second run", again, 250),
            seconds(first, again),
        ]

    return case


def logs(files: int) -> Case:
    """Return the case of logs with a finding in every line."""

    def case(place: Place, at: Path, scale: int) -> list[Figure]:
        source = at / f"logs-{files}"
        if not source.exists():
            sources.logs(source, 300 * MB // scale, files)
        runbook(place, SCAN, source, ADDRESSES)
        if failed := refused(first := run(place)):
            return failed
        total, store = size_of(source), place.folder / "store"
        artifact = store.glob("runs/*/findings.json*")
        found = sum(path.stat().st_size for path in artifact)
        return [
            Figure("search", "personal_data, EMAIL_ADDRESS"),
            memory("peak memory, scan", first, 400),
            at_most("findings artifact / source", found / total, 0.05),
            *folder_figures(place, total),
            seconds(first),
        ]

    return case


def mixed_logs(place: Place, at: Path, scale: int) -> list[Figure]:
    """Search logs with values of many kinds in each file of 1 MB."""
    source = at / "mixed"
    if not source.exists():
        sources.mixed_logs(source, 300 * MB // scale, 300 // scale)
    runbook(place, SCAN, source, PERSONAL_DATA)
    if failed := refused(first := run(place)):
        return failed
    artifact = (place.folder / "store").glob("runs/*/findings.json*")
    found = sum(path.stat().st_size for path in artifact)
    return [
        Figure("search", "personal_data"),
        memory("peak memory, scan", first, 400),
        at_most("findings artifact / source", found / size_of(source), 0.05),
        *folder_figures(place, size_of(source)),
        seconds(first),
    ]


def changed(place: Place, at: Path, scale: int) -> list[Figure]:
    """Change three files of 10,000, and compare the next run with one of the catalogue alone."""
    count, source, rounds = 10_000 // scale, at / "small", 11
    if not source.exists():
        sources.small_files(source, count)
    runbook(place, SCAN, source, ADDRESSES)
    runbook(place, ALONE, source, "", "alone.yaml")
    if failed := refused(first := run(place)):
        return failed
    ratios, later, alone = [], [], []
    for n in range(rounds):
        alone.append(run(place, "alone.yaml", "--no-cache"))
        for path in sorted(source.rglob("*.txt"))[n :: count // 3][:3]:
            path.write_text(sources.small_text(count + n, path.read_text()))
        later.append(run(place))
        ratios.append(later[-1].wall_s / alone[-1].wall_s)
    if failed := refused(*alone, *later):
        return failed
    return [
        Figure("first scan", f"{first.wall_s:.1f} s"),
        Figure("catalogue alone", f"{statistics.median(r.wall_s for r in alone):.2f} s"),
        Figure("3 files changed", f"{statistics.median(r.wall_s for r in later):.2f} s"),
        at_most("3 changed / catalogue alone", statistics.median(ratios), 2),
        Figure("findings", str(summary(place))),
        memory("peak memory, 3 changed", later[-1], 250),
    ]


def stream(place: Place, _at: Path, scale: int) -> list[Figure]:
    """Produce records of 1 GB, and read them with the commands that read runs."""
    runbook(place, RECORDS.replace("{size}", str(GB // scale)), place.folder, "")
    if failed := refused(first := run(place)):
        return failed
    store = ("--store", "store")
    commands = {
        "inspect": place.wct("inspect", "@last/records", *store),
        "inspect --head 5": place.wct("inspect", "@last/records", "--head", "5", *store),
        "verify": place.wct("runs", "verify", "@last", *store),
        "resume, nothing to do": place.wct("run", "scan.yaml", "--resume", "@last", *store),
    }
    return [
        Figure("store", f"{size_of(place.folder / 'store') / MB:,.0f} MB"),
        memory("produce", first, 150),
        *(memory(name, ran, 150) for name, ran in commands.items()),
    ]


def progress(size: int) -> Case:
    """Return the case of the progress events that a program receives."""

    def case(place: Place, at: Path, scale: int) -> list[Figure]:
        runbook(place, SCAN, written(at, size // scale), NEEDLE)
        ran = place.python("progress.py", "scan.yaml", "store")
        if failed := refused(ran):
            return failed
        events = [json.loads(line) for line in ran.out.splitlines()]
        return [figure for name in ("files", "findings") for figure in _progress(events, name)]

    return case


def same_memory(peaks: list[float]) -> Figure:
    """Return how much the peak memory of scans of different sizes differs."""
    return at_most("peak memory, largest / smallest", max(peaks) / min(peaks), 1.1)


def _progress(events: list[dict[str, object]], artifact: str) -> Iterator[Figure]:
    ours = [each for each in events if each["artifact"] == artifact]
    times = [float(str(each["s"])) for each in ours]
    gaps = [b - a for a, b in pairwise(times)] or [0.0]
    reports = [each for each in ours if each["type"] == "artifact_progress"]
    known = sorted({name for each in reports for name in each} - {"s", "type", "run_id", "at"})
    took = max(times[-1] - times[0], 0.001)
    yield Figure(f"{artifact}: events per second", f"{len(reports) / took:.1f} in {took:.0f} s")
    yield at_most(f"{artifact}: longest time without an event, s", max(gaps), 0.5)
    yield Figure(f"{artifact}: fields", ", ".join(known), "bytes, items, an estimate")


def written(at: Path, size: int) -> Path:
    """Return the folder of filler of this size, which is written once."""
    source = at / f"filler-{size}"
    if not source.exists():
        sources.filler(source, size)
    return source


def runbook(place: Place, text: str, source: Path, search: str, name: str = "scan.yaml") -> None:
    """Write a runbook."""
    (place.folder / name).write_text(text.format(path=source, search=search))


def run(place: Place, name: str = "scan.yaml", *more: str, store: str = "store") -> Ran:
    """Run a runbook."""
    return place.wct("run", name, "--store", store, "--json", *more)


def refused(*runs: Ran) -> list[Figure]:
    """Return figures that say what failed; none if nothing did."""
    return [
        Figure("failed", f"exit {ran.code} of `{ran.command}`", "0", met=False)
        for ran in runs
        if ran.code
    ]


def folder_figures(place: Place, total: int) -> Iterator[Figure]:
    """Yield the size of the first run's folder, and how many files have text of the source."""
    first, *_ = sorted((place.folder / "store" / "runs").iterdir(), key=lambda p: p.stat().st_ctime)
    yield at_most("run folder / source", size_of(first) / total, 0.05)
    found = holding(place.folder / "store", sources.MARK)
    said = f"{len(found)} files" + "".join(f", {name.split('/')[-1]}" for name in found[:3])
    yield Figure("text of the source in the store", said, "0 files", met=not found)


def summary(place: Place) -> object:
    """Return the number of findings of the last run."""
    data = json.loads((place.folder / "store" / "latest" / "findings.json").read_text())
    return data["content"]["summary"]["findings"]


def memory(what: str, ran: Ran, limit: int) -> Figure:
    """Return the peak memory of a process, with its limit in MB."""
    peak = ran.peak_mib * 1024 * 1024 / MB
    failed = f", exit {ran.code}" if ran.code else ""
    met = peak <= limit and not ran.code
    return Figure(what, f"{peak:,.0f} MB{failed}", f"≤ {limit} MB", met, peak)


def at_most(what: str, value: float, limit: float) -> Figure:
    """Return a value with its upper limit."""
    return Figure(what, f"{value:.4g}", f"≤ {limit:g}", value <= limit, value)


def seconds(*runs: Ran) -> Figure:
    """Return the time that runs took."""
    return Figure("seconds", ", ".join(f"{ran.wall_s:.1f} ({ran.cpu_s:.1f} cpu)" for ran in runs))


CASES: dict[str, Case] = {
    "filler-100MB": filler(100 * MB, PERSONAL_DATA),
    "filler-1GB": filler(GB, PERSONAL_DATA),
    "filler-100MB-needle": filler(100 * MB, NEEDLE),
    "filler-1GB-needle": filler(GB, NEEDLE),
    "filler-10GB-needle": filler(10 * GB, NEEDLE),
    "progress": progress(10 * GB),
    "logs-one": logs(1),
    "logs-many": logs(300),
    "logs-mixed": mixed_logs,
    "changed": changed,
    "stream": stream,
}
