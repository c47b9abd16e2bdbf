"""What must be true after any fault, and after the resume that follows it.

It reads the files itself, with a fold of its own: it believes nothing that the product says.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import ALL, RUN, Done, Shelf

ENDED = {"completed": 0, "failed": 1, "suspended": 7}
"""The exit codes of an attempt that ended by itself."""
BEFORE = "before"
"""The id of a run that is there before the one that is broken."""
TELLING = (["completed"], ["reused"], ["cached"])
"""How the lines begin that tell of an artifact that is made."""


@dataclass(frozen=True)
class Line:
    """A journal line that is whole."""

    seq: int
    synced: int
    event: dict[str, Any]
    hash: str


def journal(run: Path) -> list[Line]:
    """Return the whole lines of a journal; what follows the first bad one is not looked at."""
    lines: list[Line] = []
    for raw in (run / "_system" / "events.jsonl").read_bytes().split(b"\n")[:-1]:
        line = _line(raw)
        if line is None:
            break
        lines.append(line)
    return lines


@lru_cache(maxsize=1 << 12)
def _line(raw: bytes) -> Line | None:
    """Return a line that is whole; thousands of states have most of their lines in common."""
    body, _, own = raw.rpartition(b',"hash":"')
    if hashlib.sha256(body).hexdigest().encode() + b'"}' != own:
        return None
    one = json.loads(raw)
    return Line(one["seq"], one["synced"], one["event"], one["hash"])


@dataclass(frozen=True)
class Story:
    """What a journal says, in the oracle's own words."""

    status: str
    reason: str | None
    artifacts: dict[str, str]
    completed: dict[str, dict[str, Any]]
    """The event of each artifact that is completed."""
    attempts: int
    count: int
    head: str
    decisions: tuple[dict[str, Any], ...] = ()
    """The events of people's decisions, of whatever runbook."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(self.artifacts.values())


def story(run: Path) -> Story:
    """Fold a journal; an attempt without an end is `interrupted`."""
    status, reason, attempts = "interrupted", None, 0
    artifacts: dict[str, str] = {}
    completed: dict[str, dict[str, Any]] = {}
    lines = journal(run)
    for event in (line.event for line in lines):
        _artifact(event, artifacts, completed)
        match event["type"]:
            case "run_started":
                artifacts = dict.fromkeys(event["artifacts"], "not_started")
            case "attempt_started":
                status, reason, attempts = "interrupted", None, attempts + 1
                for each in event.get("invalidated", {}):
                    del completed[each]
                for each in artifacts.keys() - completed.keys():
                    artifacts[each] = "not_started"
            case "run_cancelled":  # whether its attempt comes to its end or not
                status = "cancelled"
            case "attempt_ended":
                status, reason = event["status"], event["reason"]
    head = lines[-1].hash
    decisions = tuple(line.event for line in lines if line.event["type"] == "gate_decided")
    return Story(status, reason, artifacts, completed, attempts, len(lines), head, decisions)


def _artifact(
    event: dict[str, Any], artifacts: dict[str, str], completed: dict[str, dict[str, Any]]
) -> None:
    name = str(event.get("artifact"))
    match event["type"]:
        case "artifact_started" if name in completed:
            del completed[name]
            artifacts[name] = "not_started"
        case "artifact_completed":
            artifacts[name], completed[name] = "completed", event
        case "artifact_failed" | "artifact_skipped" | "artifact_suspended" as word:
            artifacts[name] = word.removeprefix("artifact_")


@dataclass(frozen=True)
class Known:
    """What was acknowledged when the fault was over."""

    story: Story | None
    """None: there is no run."""
    calls: Counter[str]


def after_fault(shelf: Shelf, done: Done) -> Known:
    """Check that what is left says the truth, and return it."""
    runs = shelf.rows()
    assert runs["origin"].status == "completed", runs["origin"].fault
    assert runs.keys() <= {"origin", BEFORE, RUN}, f"half made: {runs.keys()}"
    told = _told(done)
    if RUN not in runs:
        assert not shelf.run.exists()
        assert not told, f"told of {told}, but there is no run"
        return Known(None, Counter())
    row, truth = runs[RUN], story(shelf.run)
    assert row.status == truth.status, f"{row.status} {row.fault or ''}: it is {truth.status}"
    assert {k: n for k, n in row.counts.items() if n} == truth.counts
    for name, event in truth.completed.items():
        _intact(shelf.run, name, event)
    assert told <= truth.completed.keys(), f"told of {told}, kept {truth.completed.keys()}"
    return Known(truth, shelf.calls)


def still_known(before: Known, later: Known) -> None:
    """Check that a second fault took nothing away, and that nothing was made again before it."""
    if before.story:
        assert later.story
        assert before.story.completed.items() <= later.story.completed.items()
        again = {n for n in before.story.completed if later.calls[n] > before.calls[n]}
        assert not again, f"made again although acknowledged: {again}"


def _told(done: Done) -> set[str]:
    """Return the artifacts that a person was told are made."""
    lines = (line.split() for line in done.err.splitlines())
    return {words[1] for words in lines if words[:1] in TELLING}


def _intact(run: Path, name: str, event: dict[str, Any]) -> None:
    data = (run / f"{name}.json").read_bytes()
    assert len(data) == event["size"], f"{name} has another size"
    assert "sha256:" + hashlib.sha256(data).hexdigest() == event["digest"], f"{name} is altered"
    envelope = json.loads(data)
    for stream, path in (("records", f"{name}.jsonl"), ("items", f"_system/items/{name}.jsonl")):
        if told := envelope.get(stream):
            lines = (run / path).read_bytes()
            digest = "sha256:" + hashlib.sha256(lines).hexdigest()
            assert (len(lines), digest) == (told["size"], told["digest"]), f"{path} is altered"


def after_resume(shelf: Shelf, known: Known, done: Done, undisturbed: dict[str, Any]) -> None:
    """Check that the resumed run is as if nothing had happened, and did nothing twice."""
    ran = f"{done.code}: {done.err[-1500:]}{done.out[-500:]}"
    truth = story(shelf.run)
    assert done.code == ENDED.get(truth.status, -1), ran
    assert contents(shelf.run) == undisturbed, ran
    if known.story:
        again = {name for name in known.story.completed if shelf.calls[name] > known.calls[name]}
        assert not again, f"made again although acknowledged: {again}"
        assert known.story.completed.items() <= truth.completed.items(), ran
    agree(shelf.run, truth)
    assert leftovers(shelf) == []
    for line in (shelf.path / ".waivern" / "runs.jsonl").read_text().splitlines()[-1:]:
        last = json.loads(line)
        assert (last["run_id"], last["status"]) == (RUN, truth.status)
    assert (shelf.path / ".waivern" / "latest").resolve().is_dir()


_SEEN: set[object] = set()
_PASSING = re.compile(r"(-\d+)+$|^[0-9a-f]{8}-\d+|(?<=-)[0-9a-f]{8}(?=-|$)")
"""What differs in the names of staged files from process to process."""


def is_new(shelf: Shelf, known: Known) -> bool:
    """Say whether no store that stood like this one has been resumed before.

    Two faults that leave the same files of the same sizes, the same events and the same work done
    are the same to what comes after. With WAIVERN_FAULTS_ALL each counts as new.
    """
    if ALL or not known.story:
        return True
    files = sorted(
        (_PASSING.sub("-*", path.name), path.is_file() and path.suffix == ".jsonl")
        for path in shelf.path.rglob("*")
    )
    head = json.loads((shelf.run / "_system" / "run.json").read_bytes())
    events = tuple((line.event["type"], line.event.get("artifact")) for line in journal(shelf.run))
    torn = (shelf.run / "_system" / "events.jsonl").read_bytes()[-1:] != b"\n"
    state = (
        tuple(files),
        events,
        torn,
        (head["status"], head["journal"]["count"], len(head["attempts"])),
        (known.story.status, known.story.reason),
        tuple(sorted(known.calls.items())),
    )
    if state in _SEEN:
        return False
    _SEEN.add(state)
    return True


_CHANCE = re.compile(
    rb"\d{4}-\d\d-\d\dT[0-9:.]+Z?|(?<=_ms\":)[ ]?\d+|(?<=_seconds\":)[ ]?[0-9.]+"
    rb"|(?<=\"synced\":)\d+|[0-9a-f]{8,}|[0-9]{3,}"
)
"""What differs from process to process: times, durations and with them sizes, digests, random
names, the numbers of processes, and how many events were synced together."""


def stand(shelf: Shelf, *, beside: bool = False) -> bytes:
    """Return a digest of all names and all bytes of a store, but for what is chance in them.

    With `beside`, also of what lies beside the store, such as the list of calls.
    """
    found = []
    for path in (shelf.path if beside else shelf.path / ".waivern").rglob("*"):
        name = _CHANCE.sub(b"#", str(path.relative_to(shelf.path)).encode())
        if path.is_symlink():
            data = f"link to {path.readlink()}".encode()
        else:
            data = path.read_bytes() if path.is_file() else b"folder"
        found.append((name, _CHANCE.sub(b"#", data)))
    return hashlib.sha256(repr(sorted(found)).encode()).digest()


class Recoveries:
    """The stores that the same commands have recovered: of stores that stand alike, one is enough.

    A command looks at nothing but the store, and what components read (`beside`): from the same
    files follows the same. With WAIVERN_FAULTS_ALL each store counts as new.
    """

    def __init__(self, *, beside: bool = False) -> None:
        self._stood: set[bytes] = set()
        self._beside = beside

    def is_new(self, shelf: Shelf) -> bool:
        """Say whether no store that stood like this one was recovered before."""
        stood = stand(shelf, beside=self._beside)
        if stood in self._stood and not ALL:
            return False
        self._stood.add(stood)
        return True


def leftovers(shelf: Shelf) -> list[str]:
    """Return what a crash left and nobody swept."""
    store = shelf.path / ".waivern"
    staged = (".tmp-*", "_system/staged", "_system/.over")
    left = [path for pattern in staged for path in store.rglob(pattern)]
    for run in (store / "runs").iterdir():
        left += [path for path in run.rglob("*.jsonl") if _is_without_artifact(run, path)]
    return [str(path.relative_to(store)) for path in [*left, *(store / "runs").glob(".*")]]


def _is_without_artifact(run: Path, lines: Path) -> bool:
    """Return whether a file of records, or of items, belongs to no artifact."""
    path = lines.relative_to(run)
    if path.parts[:2] == ("_system", "items"):
        return not (run / path.relative_to("_system/items").with_suffix(".json")).exists()
    return "_system" not in path.parts and not lines.with_suffix(".json").exists()


def contents(run: Path) -> dict[str, Any]:
    """Return the content of each artifact file of a run; of records beside it, what it records."""
    found = {}
    for file in run.rglob("*.json"):
        if "_system" not in file.parts:
            envelope = json.loads(file.read_bytes())
            content, records = envelope["content"], envelope.get("records")
            name = file.relative_to(run).with_suffix("").as_posix()
            found[name] = {**content, "records": records} if records else content
    return found


def agree(run: Path, truth: Story) -> None:
    """Check that `run.json` and `state.json` of an ended attempt say what the journal says."""
    head = json.loads((run / "_system" / "run.json").read_bytes())
    state = json.loads((run / "_system" / "state.json").read_bytes())
    assert head["status"] == truth.status
    count = truth.count
    assert head["journal"] == {"count": count, "head": truth.head, "synced": count}
    assert len(head["attempts"]) == truth.attempts
    assert head["attempts"][-1]["status"] == truth.status
    listed = {
        name: word
        for word in ("completed", "failed", "skipped", "suspended", "not_started")
        for name in state[word]
    }
    assert listed == truth.artifacts
