"""Checks of what a run needs of its machine: Python, packages, store, disk, clock, terminal.

Each check states what was found and, if something is wrong, what to do. A file system is tested
with files in a temporary folder, which is removed: what a mount promises is not what it does.
"""

from __future__ import annotations

import fcntl
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from enum import StrEnum
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from waivern.errors import Exit, WaivernError
from waivern.kinds import KINDS
from waivern.message import Json
from waivern.record.text_forms import near, size
from waivern.store.base import RunStore

STORE_LIMIT_S = 10.0
"""The seconds that a store has to answer."""
LITTLE, ENOUGH = 100 << 20, 1 << 30
"""Bytes of free space below which there is a fault, and a warning."""
FEW_FILES = 1024
SLOW_SYNC_S = 0.1
_SKEW_S = 2.0
_NETWORK = {"nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "ceph", "glusterfs", "afs"}
_TRY_LOCK = """\
import fcntl, sys
with open(sys.argv[1]) as file:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(3)
"""


class CheckOutcome(StrEnum):
    """The outcome of a check."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


class HealthCheck(NamedTuple):
    """One thing that was checked."""

    name: str
    verdict: CheckOutcome
    found: str
    remedy: str | None = None
    code: Exit = Exit.OK
    """What `wct` exits with because of a fault."""

    def document(self) -> dict[str, Json]:
        """Return it for programs."""
        found: dict[str, Json] = {"check": self.name, "verdict": str(self.verdict)}
        return {**found, "found": self.found, "remedy": self.remedy}


def ok(name: str, found: str, remedy: str | None = None) -> HealthCheck:
    """Return a check that found nothing wrong; `remedy` says how there would be more."""
    return HealthCheck(name, CheckOutcome.OK, found, remedy)


def warning(name: str, found: str, remedy: str) -> HealthCheck:
    """Return a check that found what may become a fault."""
    return HealthCheck(name, CheckOutcome.WARNING, found, remedy)


def fault(name: str, found: str, remedy: str, code: Exit = Exit.STORE) -> HealthCheck:
    """Return a check that found what keeps runs from working."""
    return HealthCheck(name, CheckOutcome.FAULT, found, remedy, code)


def health(open_store: Callable[[], RunStore]) -> Iterator[HealthCheck]:
    """Yield all checks but those of the terminal, each when it is done."""
    yield _python()
    yield from _packages()
    yield _limits()
    yield _clock()
    yield from _project()
    try:
        store = open_store()
    except WaivernError as error:
        yield fault("store", error.message, error.hint or "name another with --store")
        return
    yield _answers(store)
    if store.folder is not None:
        yield from _folder(Path(store.folder))


def _python() -> HealthCheck:
    running = ".".join(map(str, sys.version_info[:3]))
    found = f"{running} at {near(sys.executable)}"
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return ok("python", found)
    return warning("python", found, "use Python 3.11, 3.12 or 3.13: others are not tested")


def _packages() -> Iterator[HealthCheck]:
    """Yield the packages that are always needed, and each extra."""
    try:
        itself = metadata.distribution("waivern")
    except metadata.PackageNotFoundError:
        hint = f"`{sys.executable} -m pip install waivern`"
        yield fault("waivern", "is not installed as a package", hint, Exit.INTERNAL)
        return
    yield ok("waivern", f"{itself.version} at {near(Path(__file__).parents[1])}")
    missing = [name for extra, name in _required(itself) if extra is None and not _there(name)]
    if missing:
        yield fault(
            "packages", f"missing: {', '.join(missing)}", _install("waivern"), Exit.INTERNAL
        )
    for extra in sorted(itself.metadata.get_all("Provides-Extra") or ()):
        if extra == "dev":
            continue
        names = [name for each, name in _required(itself) if each == extra]
        absent = [name for name in names if not _there(name)]
        if absent:
            what = f"not installed (lacks {', '.join(absent)})"
            yield ok(f"extra {extra}", what, f"if you need it: {_install(f'waivern[{extra}]')}")
        else:
            yield ok(f"extra {extra}", ", ".join(f"{each} {_there(each)}" for each in names))


def _required(itself: metadata.Distribution) -> Iterator[tuple[str | None, str]]:
    """Yield (extra or None, name of a package) for each that the metadata requires."""
    for line in itself.requires or ():
        extra = re.search(r"""extra\s*==\s*["']([\w.-]+)["']""", line)
        if name := re.match(r"[\w.-]+", line):
            yield extra and extra[1], name[0]


def _there(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _install(what: str) -> str:
    return f"`{sys.executable} -m pip install '{what}'`"


def _limits() -> HealthCheck:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        return warning("open files", f"at most {soft}", "raise the limit with `ulimit -n 4096`")
    return ok("open files", "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft}")


def _clock() -> HealthCheck:
    now, code = time.time(), Path(__file__).stat().st_mtime
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    if now < code - 86400:
        found = f"{shown}, before wct was installed"
        return warning("clock", found, "set the clock: runs are ordered by their start")
    return ok("clock", shown)


def _project() -> Iterator[HealthCheck]:
    """Yield the project file, and the components that cannot be loaded."""
    from waivern.runs.locate import find_project
    from waivern.runs.prepare import catalogue_of

    try:
        project = find_project()
        catalogue = catalogue_of(project)
    except WaivernError as error:
        first = error.message.strip().partition("\n")[0]
        yield fault("project", first, "`wct config show` has the details", Exit.INVALID)
        return
    path = project and project.document.path
    yield ok("project", f"waivern.yaml at {near(path)}" if path else "no waivern.yaml: defaults")
    kinds = [kind for kind in KINDS.values() if kind.listing]
    broken = False
    for kind in kinds:
        for name in sorted(catalogue.installed(kind.name) - catalogue.outlines(kind.name).keys()):
            try:
                catalogue.load(kind.name, name)
            except WaivernError as error:
                broken = True
                yield warning("component", error.message, error.hint or "reinstall it")
    if not broken:
        counts = (f"{len(catalogue.names(kind.name))} {kind.name}" for kind in kinds)
        yield ok("components", ", ".join(counts))


def _answers(store: RunStore) -> HealthCheck:
    """Return whether the store lists its runs in time."""
    found: list[HealthCheck] = []
    place = near(store.url)

    def look() -> None:
        try:
            count = len(store.runs())
            found.append(ok("store", f"{place}: {count} {'run' if count == 1 else 'runs'}"))
        except WaivernError as error:
            hint = error.hint or "check the server or the disk of the store"
            found.append(fault("store", error.message, hint, error.exit_code))
        except Exception as error:  # noqa: BLE001 - a check reports what it meets
            what = f"{place}: {type(error).__name__}"
            found.append(fault("store", what, "check the server or the disk of the store"))

    thread = threading.Thread(target=look, name="wct-doctor", daemon=True)
    thread.start()
    thread.join(STORE_LIMIT_S)
    if found:
        return found[0]
    silent = f"{place} has not answered within {STORE_LIMIT_S:g} seconds"
    return fault("store", silent, "check the network and the server, or mount the disk again")


def _folder(folder: Path) -> Iterator[HealthCheck]:
    """Yield what the file system of a store can do."""
    place = folder if folder.is_dir() else _nearest(folder)
    if place == folder and (mode := folder.stat().st_mode & 0o777) & 0o077:
        hint = f"`chmod 700 {near(folder)}`: runs name persons and places"
        yield warning("permissions", f"mode {mode:03o} of {near(folder)}", hint)
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".wct-doctor-") as name:
            yield ok("permissions", f"{near(place)} can be written")
            yield _locks(Path(name))
            yield from _writing(Path(name))
    except OSError as error:
        found = f"{near(place)} cannot be written: {error.strerror}"
        yield fault("permissions", found, "change its owner or mode, or name another with --store")
    yield from _space(place)
    kind = _file_system(place)
    if kind in _NETWORK:
        hint = "keep the store on a local disk, or use a server: see docs/how-to/choose-a-store.md"
        yield warning(
            "file system", f"{kind}, over a network: slower, and locks depend on it", hint
        )
    elif kind:
        yield ok("file system", kind)


def _nearest(folder: Path) -> Path:
    """Return the nearest folder upward that exists."""
    return next((each for each in folder.absolute().parents if each.is_dir()), Path("/"))


def _locks(folder: Path) -> HealthCheck:
    """Return whether a lock that this process holds keeps another process out."""
    path = folder / "lock"
    hint = "keep the store on a local disk: two runs could write to one folder here"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return fault("locks", f"are not supported here: {error.strerror}", hint)
        words = [sys.executable, "-I", "-S", "-c", _TRY_LOCK, str(path)]
        try:
            done = subprocess.run(words, check=False, capture_output=True, timeout=10)  # noqa: S603
        except (OSError, subprocess.TimeoutExpired):
            return warning("locks", "could not be tried by a second process", hint)
    if done.returncode == 3:
        return ok("locks", "a second process is kept out")
    return fault("locks", "a second process was not kept out", hint)


def _writing(folder: Path) -> Iterator[HealthCheck]:
    """Yield how long a durable write takes, and whether the disk's clock is this computer's."""
    path = folder / "file"
    before = time.monotonic()
    with path.open("wb") as file:
        file.write(b"x" * 4096)
        file.flush()
        os.fsync(file.fileno())
    path.rename(folder / "renamed")
    took = time.monotonic() - before
    shown = f"{took * 1000:.1f} ms for a durable file of 4 KiB"
    if took > SLOW_SYNC_S:
        yield warning("durable writes", shown, "use a faster disk if runs are slow")
    else:
        yield ok("durable writes", shown)
    skew = (folder / "renamed").stat().st_mtime - time.time()
    if abs(skew) > _SKEW_S:
        found = f"the file system is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}"
        yield warning("clock of the disk", found, "set the clock of the file server")


def _space(folder: Path) -> Iterator[HealthCheck]:
    free = shutil.disk_usage(folder).free
    hint = "free some space; `wct runs prune` removes old runs"
    if free < LITTLE:
        yield fault("space", f"{size(free)} free", hint)
    elif free < ENOUGH:
        yield warning("space", f"{size(free)} free", hint)
    else:
        yield ok("space", f"{size(free)} free")
    about = os.statvfs(folder)
    if about.f_files and about.f_favail < 10_000:
        yield warning("space", f"{about.f_favail:,} more files can be created", hint)


def _file_system(folder: Path) -> str | None:
    """Return the type of the file system of a folder; None where the system does not say."""
    try:
        mounts = Path("/proc/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return None
    where = str(folder.resolve())
    best, kind = "", None
    for line in mounts:
        _, point, type_, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        inside = where == point or where.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, type_
    return kind
