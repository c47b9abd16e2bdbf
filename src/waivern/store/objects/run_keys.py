"""The keys that say which runs a bucket has, and how far each is known without its log.

    runs/<run id>/<log>/<number>-<nonce>   a snapshot of the run after that commit
    runs/<run id>/<log>/open-<...>         a writer may have committed after the newest snapshot

A writer puts its mark before its first commit, and removes it after a snapshot that has its last
one. So a run without marks is exactly what its newest snapshot has: one page of a listing shows a
thousand such runs, and one request each reads them. A mark that a killed writer leaves costs time,
never truth: such a run is read from its log.

`names/<run id>` is created when a run begins, and says which log is the run's: an id is given once.
"""

from __future__ import annotations

import json
import secrets
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from waivern.store.objects.bucket import Bucket, BucketEntry

RUNS = "runs/"
MARK = "open-"


class LogKeys(NamedTuple):
    """The snapshots and marks of one log of a run."""

    snapshots: list[BucketEntry]
    """The newest one is the last."""
    marks: list[BucketEntry]

    @property
    def is_quiet(self) -> bool:
        """Whether the newest snapshot has all commits."""
        return bool(self.snapshots) and not self.marks


class FoundRun(NamedTuple):
    """The log of a run, and its keys."""

    log: str
    keys: LogKeys


def listed(bucket: Bucket) -> dict[str, dict[str, LogKeys]]:
    """Return the keys of all runs: by id, then by log."""
    found: dict[str, dict[str, LogKeys]] = defaultdict(dict)
    for run_id, log, entry in _parsed(bucket.list(RUNS)):
        _add(found[run_id], log, entry)
    return found


def find(bucket: Bucket, run_id: str) -> FoundRun | None:
    """Return the log of a run; None if there is no such run."""
    return chosen(bucket, run_id, logs_of(bucket, run_id))


def chosen(bucket: Bucket, run_id: str, logs: dict[str, LogKeys]) -> FoundRun | None:
    """Return the log that is the run's.

    A log without a snapshot may belong to a run that is not begun yet, or never was; of several,
    one may be that of a removed run. Then the name decides.
    """
    if len(logs) == 1:
        ((log, keys),) = logs.items()
        if keys.snapshots:
            return FoundRun(log, keys)
    if not logs or (named := name_of(bucket, run_id)) not in logs:
        return None
    return FoundRun(named, logs[named])


def logs_of(bucket: Bucket, run_id: str) -> dict[str, LogKeys]:
    """Return the keys of all logs under the id of a run."""
    logs: dict[str, LogKeys] = {}
    for _, log, entry in _parsed(bucket.list(f"{RUNS}{run_id}/")):
        _add(logs, log, entry)
    return logs


def _parsed(entries: Iterator[BucketEntry]) -> Iterator[tuple[str, str, BucketEntry]]:
    for entry in entries:
        parts = entry.key.split("/")
        if len(parts) == 4 and all(parts):
            yield parts[1], parts[2], entry


def _add(logs: dict[str, LogKeys], log: str, entry: BucketEntry) -> None:
    keys = logs.setdefault(log, LogKeys([], []))
    if entry.key.rpartition("/")[2].startswith(MARK):
        keys.marks.append(entry)
    else:
        keys.snapshots.append(entry)


def snapshot_key(run_id: str, log: str, number: int) -> str:
    """Return a new key for a snapshot."""
    return f"{RUNS}{run_id}/{log}/{number:012d}-{secrets.token_hex(6)}"


def snapshot_number(key: str) -> int:
    """Return the number of the commit after which a snapshot was taken."""
    number = key.rpartition("/")[2].partition("-")[0]
    return int(number) if number.isdecimal() else 0


def mark_key(run_id: str, log: str, epoch: int | None) -> str:
    """Return a new key for a mark: of the holder of an epoch, or of another writer."""
    kind = "s" if epoch is None else f"e{epoch:06d}"
    return f"{RUNS}{run_id}/{log}/{MARK}{kind}-{secrets.token_hex(6)}"


def mark_epoch(key: str) -> int | None:
    """Return the epoch of the holder that put a mark; None for another writer."""
    kind = key.rpartition("/")[2].removeprefix(MARK).partition("-")[0]
    return int(kind[1:]) if kind[:1] == "e" and kind[1:].isdecimal() else None


def name_key(run_id: str) -> str:
    """Return the key of a name."""
    return f"names/{run_id}"


def name_of(bucket: Bucket, run_id: str) -> str | None:
    """Return the log that a name leads to; None if the id is free."""
    try:
        return str(json.loads(bucket.get(name_key(run_id)))["log"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        return ""


def name_bytes(log: str) -> bytes:
    """Return the bytes of a name."""
    return json.dumps({"log": log}).encode() + b"\n"
