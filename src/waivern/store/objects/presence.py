"""The presence of the holder of a run: an object beside its log that is put again and again.

It is a courtesy: who finds one that is fresh does not try to take the run. What protects the run is
its log alone (`object_log`), so nothing here depends on clocks being right. Its age is measured by
the clock of the bucket; a holder that ran on this machine and is dead is known to be dead at once.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from contextlib import suppress

from waivern.errors import WaivernError
from waivern.store.objects.bucket import Bucket
from waivern.store.objects.log_reader import FencedError
from waivern.store.objects.object_log import ObjectLog

BEAT_S = 10
"""How often a holder shows that it is there."""
COMMIT_S = 2
"""How long others wait for what a holder has written and not synced: events, logs, progress."""
FRESH_S = 45
"""The age from which on a holder is taken for dead."""


_shown: set[str] = set()
"""The nonces of the holders in this process: one that could not remove its object is none."""


class HeldPresence:
    """The presence of this process as the holder of one run."""

    def __init__(self, log: ObjectLog) -> None:
        self.log = log
        self.nonce = secrets.token_hex(12)
        self._beaten = time.monotonic()
        self._document = json.dumps({"nonce": self.nonce, **_this_process()}).encode()

    def show(self) -> None:
        """Put the object."""
        _shown.add(self.nonce)
        self.log.bucket.put(_key(self.log), self._document)

    def tick(self) -> None:
        """Commit what was not synced for a while, and show the presence when it is time for it."""
        with suppress(OSError):  # the holder gets the error when it commits
            self.log.commit_overdue(COMMIT_S)
        if time.monotonic() - self._beaten >= BEAT_S:
            self._beaten = time.monotonic()
            self.beat()

    def beat(self) -> None:
        """Put the object again. If another one is there, look whether the run was taken."""
        found = _read(self.log.bucket, _key(self.log))
        if found is not None and found.get("nonce") == self.nonce:
            self.show()
            return
        with suppress(FencedError):
            self.log.look_for_end()
            self.show()

    def end(self) -> None:
        """Remove the object, if it is still this one's."""
        _shown.discard(self.nonce)
        found = _read(self.log.bucket, _key(self.log))
        if found is not None and found.get("nonce") == self.nonce:
            self.log.bucket.delete([_key(self.log)])


class Heartbeat:
    """The thread that shows the presence of all runs that this process holds."""

    def __init__(self) -> None:
        self._held: dict[int, HeldPresence] = {}
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def add(self, presence: HeldPresence) -> None:
        """Begin to show a presence."""
        with self._mutex:
            self._held[id(presence)] = presence
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(
                    target=self._beat, name="waivern-presence", daemon=True
                )
                self._thread.start()

    def remove(self, presence: HeldPresence) -> None:
        """End to show a presence."""
        with self._mutex:
            self._held.pop(id(presence), None)
            if not self._held:
                self._thread = None
                self._wake.set()

    def _beat(self) -> None:
        while not self._wake.wait(min(BEAT_S, COMMIT_S) / 2):
            with self._mutex:
                if self._thread is not threading.current_thread():
                    return
                held = list(self._held.values())
            for presence in held:
                with suppress(OSError, WaivernError):  # the next beat comes soon
                    presence.tick()


def is_held(log: ObjectLog, *, may_write: bool) -> bool:
    """Return whether the holder of a run seems to be alive.

    With `may_write` its age is measured by the clock of the bucket whatever this machine's says;
    without, only if this machine's gives an age that cannot be.
    """
    key = _key(log)
    found = _read(log.bucket, key)
    if found is None:
        return False
    here = _this_process()
    if all(found.get(name) == here.get(name) for name in _MACHINE) and not _is_alive(found):
        return False
    try:
        changed_ns = log.bucket.changed_ns(key)
    except FileNotFoundError:
        return False
    age = (time.time_ns() - changed_ns) / 1e9
    if may_write or not -FRESH_S < age < FRESH_S:
        with suppress(OSError):
            age = (now_ns(log.bucket) - changed_ns) / 1e9
    return age < FRESH_S


def remove(log: ObjectLog) -> None:
    """Remove the presence of a run that is removed."""
    log.bucket.delete([_key(log)])


def now_ns(bucket: Bucket) -> int:
    """Return the time by the clock of the bucket."""
    key = f"clock/{secrets.token_hex(12)}"
    bucket.put(key, b"")
    try:
        return bucket.changed_ns(key)
    finally:
        bucket.delete([key])


def _key(log: ObjectLog) -> str:
    return f"locks/{log.name}"


def _read(bucket: Bucket, key: str) -> dict[str, object] | None:
    try:
        found = json.loads(bucket.get(key))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


_MACHINE = ("host", "boot", "processes")


def _this_process() -> dict[str, object]:
    pid = os.getpid()
    return {
        "host": os.uname().nodename,
        "boot": _text("/proc/sys/kernel/random/boot_id"),
        "processes": _link("/proc/self/ns/pid"),
        "pid": pid,
        "started": _started(pid),
    }


def _is_alive(found: dict[str, object]) -> bool:
    """Return whether a holder on this machine may still be at work."""
    pid = found.get("pid")
    if not isinstance(pid, int):
        return False
    if pid == os.getpid():
        return found.get("nonce") in _shown
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return found.get("started") == _started(pid)


def _started(pid: int) -> str:
    """Return when a process was started, in ticks since the boot: its number may be given again.

    A dead one whose parent has not waited for it yet is none.
    """
    fields = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 and fields[0] not in "ZX" else ""


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""
