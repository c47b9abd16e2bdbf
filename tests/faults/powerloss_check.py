"""Is what a power loss left the truth? Asks the product's own readers, and checks what they say.

A crash point is after every operation of a trace. What was promised there: the journal lines whose
sync had returned (a person may have been told), the history's lines, and what a command that had
ended said: that a run is gone, or pinned.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from oracle import journal, story
from powerloss import Disk, State, Tree
from powerloss_recorder import Operation

from waivern.errors import WaivernError
from waivern.record.fold import RunRecord
from waivern.runs.queries import content, load, look
from waivern.runs.redaction import unfinished
from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

STORE = ".waivern"
HISTORY = f"{STORE}/runs.jsonl"
EXIT = "exit"
"""The operation of a command that ended: its words."""


class Promise(NamedTuple):
    """What must be true after a power loss at one point of a trace."""

    lines: tuple[tuple[str, int, str], ...] = ()
    """Of each run: how many journal lines, and the hash of the last of them."""
    history: bytes = b""
    gone: frozenset[str] = frozenset()
    pinned: frozenset[str] = frozenset()
    unpinned: frozenset[str] = frozenset()
    redacted: frozenset[str] = frozenset()


@dataclass
class Points:
    """The crash points of a trace: each distinct state, and what was promised where it may be."""

    crash_points: int = 0
    states: dict[frozenset[tuple[str, bytes | None]], tuple[Tree, set[Promise]]] = field(
        default_factory=dict
    )

    def add(self, states: Iterable[State], promise: Promise) -> None:
        self.crash_points += 1
        for state in states:
            self.states.setdefault(state.key, (state.tree, set()))[1].add(promise)


def crash_points(disk: Disk, trace: Iterable[Operation], promise: Promise = Promise()) -> Points:  # noqa: B008
    """Follow a trace, with a power loss after every operation of it."""
    points = Points()
    points.add(disk.states(), promise)
    for operation in trace:
        if operation[0] != EXIT:
            disk.follow(operation)
        promise = promised(promise, disk, operation)
        points.add(disk.states(), promise)
    return points


def promised(before: Promise, disk: Disk, operation: Operation) -> Promise:
    """Return what is promised after an operation."""
    if operation[0] == EXIT:
        before = before._replace(history=disk.tree().get(HISTORY) or b"")
    match operation:
        case ("sync", inode):
            return _synced(before, disk, inode)
        case ("rename", _, old, _, new) if new == f".trash-{old}":
            return before._replace(lines=tuple(x for x in before.lines if x[0] != old))
        case ("exit", "runs", "delete", "--yes", run, *_):
            return before._replace(gone=before.gone | {run})
        case ("exit", "runs", "pin", run, *_):
            return before._replace(pinned=before.pinned | {run}, unpinned=before.unpinned - {run})
        case ("exit", "runs", "unpin", run, *_):
            return before._replace(pinned=before.pinned - {run}, unpinned=before.unpinned | {run})
        case ("exit", "runs", "redact", run, *_):
            return before._replace(redacted=before.redacted | {run})
    return before


def _synced(before: Promise, disk: Disk, inode: int) -> Promise:
    path = disk.path(inode) or ""
    *folder, run, system, name = ["", "", "", *path.split("/")]
    inside = (folder[-2:], system, name) == ([STORE, "runs"], "_system", "events.jsonl")
    if not inside or run.startswith("."):
        return before
    lines = (disk.tree()[path] or b"").splitlines()
    others = tuple(each for each in before.lines if each[0] != run)
    return before._replace(lines=(*others, (run, len(lines), lines[-1][-66:-2].decode())))


# laying a state out, and looking at it


class Bed:
    """A folder in which one state after another is laid out, at the cost of what differs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._tree: Tree = {}
        folder.mkdir()

    def lay(self, tree: Tree) -> None:
        for path in sorted(self._tree.keys() - tree.keys(), reverse=True):
            full = self.folder / path
            full.rmdir() if self._tree[path] is None else full.unlink()
        for path in sorted(tree):
            if path not in self._tree or self._tree[path] != tree[path]:
                _put(self.folder / path, tree[path], path in self._tree)
        self._tree = tree

    def copy(self, target: Path) -> None:
        shutil.copytree(self.folder, target, symlinks=True)


def _put(path: Path, data: bytes | None, there: bool) -> None:
    if there:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    if data is None:
        path.mkdir()
    elif data.startswith(b"-> "):
        path.symlink_to(data[3:].decode())
    else:
        path.write_bytes(data)


class SeenRun(NamedTuple):
    """What the readers say of one run."""

    wrong: tuple[str, ...]
    """What is wrong whatever was promised."""
    hashes: tuple[str, ...] = ()
    """Of its journal's lines."""
    pinned: bool = False
    cut_off: bool = False
    """Whether something that the journal says is redacted is not destroyed yet."""


class Seen(NamedTuple):
    """What the readers say of a state."""

    runs: dict[str, SeenRun]
    history: bytes


class Eyes:
    """The product's readers. A run that lies there as it lay before is not looked at again."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, frozenset[tuple[str, bytes | None]]], SeenRun] = {}

    def look(self, folder: Path, tree: Tree) -> Seen:
        """Ask what is there, and check every answer."""
        store = LocalFilesystemStore(folder / STORE)
        runs = {}
        for run_id in store.runs():
            inside = f"{STORE}/runs/{run_id}/"
            key = run_id, frozenset(each for each in tree.items() if each[0].startswith(inside))
            if key not in self._known:
                self._known[key] = look_at_run(store, folder / inside)
            runs[run_id] = self._known[key]
        return Seen(runs, tree.get(HISTORY) or b"")


def look_at_run(store: LocalFilesystemStore, run: Path) -> SeenRun:
    """Ask the product about one run, and an oracle that believes nothing of it."""
    row = look(store, run.name)
    if row.fault or row.metadata is None:
        return SeenRun((f"is refused: {row.fault}",))
    lines = journal(run)
    if not lines:
        return SeenRun(("its journal has no line",))
    truth = story(run)
    wrong, cut_off = [], False
    if (row.status, {k: n for k, n in row.counts.items() if n}) != (truth.status, truth.counts):
        wrong.append(f"listed {row.status} {row.counts}, it is {truth}")
    try:
        record = load(store, run.name)
        wrong += _artifacts(store, record)
        wrong += [f"verify: {fault.path} {fault.what}" for fault in verify(store, run.name).faults]
        cut_off = not wrong and any(unfinished(store, record))
    except WaivernError as error:
        wrong.append(f"cannot be read: {error.message}")
    hashes = tuple(line.hash for line in lines)
    return SeenRun(tuple(wrong), hashes, row.pinned, cut_off)


def _artifacts(store: LocalFilesystemStore, record: RunRecord) -> Iterator[str]:
    for name, step in record.steps.items():
        if step.completed:
            try:
                content(store, record, name)
                if step.redacted:
                    yield f"{name} is redacted, and read"
            except WaivernError as error:
                if step.redacted:
                    continue
                yield f"{name} is completed, but {error.message}"


def broken(seen: Seen, promise: Promise) -> Iterator[str]:
    """Yield what was promised and is not so."""
    for run_id, count, head in promise.lines:
        run = seen.runs.get(run_id)
        if run is None:
            yield f"{run_id} was acknowledged, and is missing"
        elif run.hashes and run.hashes[count - 1 : count] != (head,):
            yield f"{run_id}: {count} lines were acknowledged, there are {len(run.hashes)}"
    if not seen.history.startswith(promise.history):
        yield "the history lacks lines that were acknowledged"
    pinned = {run_id for run_id, run in seen.runs.items() if run.pinned}
    for run_id in sorted(promise.gone & seen.runs.keys()):
        yield f"{run_id} was deleted, and is there"
    for run_id in sorted(promise.redacted & seen.runs.keys()):
        if seen.runs[run_id].cut_off:
            yield f"{run_id} was redacted, and its content is there"
    for run_id in sorted(promise.pinned - pinned):
        yield f"{run_id} was pinned, and is not"
    for run_id in sorted(promise.unpinned & pinned):
        yield f"{run_id} was unpinned, and is pinned"


def violations(points: Points, bed: Bed, eyes: Eyes) -> Counter[str]:
    """Look at every distinct state; return what is wrong, and in how many states."""
    found: Counter[str] = Counter()
    for tree, promises in points.states.values():
        bed.lay(tree)
        seen = eyes.look(bed.folder, tree)
        wrong = {f"{run_id}: {what}" for run_id, run in seen.runs.items() for what in run.wrong}
        found.update(wrong.union(*(broken(seen, promise) for promise in promises)))
    return found
