"""The errors of the package, each with an exit code, and the one table of exit codes."""

from __future__ import annotations

from enum import IntEnum
from typing import Self


class Exit(IntEnum):
    """An exit code of `wct`: its meaning, its rank among others, and what to do next.

    The help text, the documentation, the hints and the order of precedence come from this table.
    `rank` is None for a code that never competes with another one: it ends a command before or
    instead of a run. A small rank is grave.
    """

    OK = 0, "done, nothing failed", 99
    FAILED = 1, "an artifact failed, or the run was cancelled", 4
    USAGE = 2, "usage error", None, "`wct --help` lists the commands"
    INVALID = (
        3,
        "invalid runbook, plan or configuration",
        None,
        "correct the file, then check it with `wct validate`",
    )
    NOT_FOUND = (
        4,
        "no such run, artifact, file or component",
        None,
        "`wct runs` lists the runs; `wct connectors` and `wct processors` list the components",
    )
    REFUSED = 5, "refused", None, "`wct runs` shows the status of each run"
    POLICY = 6, "a policy was violated (such as --fail-on)", 5
    SUSPENDED = 7, "suspended: a decision or data is needed", 6
    TIMEOUT = 8, "timed out", 3
    INTEGRITY = (
        9,
        "integrity: stored data was altered or damaged",
        0,
        "start a new run, or restore the files from a backup",
    )
    WORK_TO_DO = 10, "there is work to do (only `wct plan --exit-code`)"
    INTERNAL = 70, "internal error", None, "this is a bug in wct; -vv shows where it happened"
    STORE = (
        74,
        "the store or the output cannot be read or written",
        1,
        "check the disk or the server of the store, or choose another with --store",
    )
    HANGUP = 129, "stopped by SIGHUP", 2
    INTERRUPTED = 130, "stopped by SIGINT (Ctrl-C)", 2
    BROKEN_PIPE = 141, "the program that reads stdout has ended"
    STUCK = 142, "stuck beyond the time limit of the run"
    TERMINATED = 143, "stopped by SIGTERM", 2

    meaning: str
    rank: int | None
    next_step: str | None

    def __new__(
        cls, code: int, meaning: str = "", rank: int | None = None, next_step: str | None = None
    ) -> Self:
        """Return the member `code` with the other columns of its row."""
        member = int.__new__(cls, code)
        member._value_ = code
        member.meaning, member.rank, member.next_step = meaning, rank, next_step
        return member


def precedence(code: int) -> int:
    """Return how grave an exit code is: a smaller rank wins. Any signal ranks as SIGINT does."""
    if code in _RANKS:
        return _RANKS[code]
    return _RANKS[Exit.INTERRUPTED] if code > 128 else _UNRANKED


_RANKS = {int(each): each.rank for each in Exit if each.rank is not None}
_UNRANKED = 9
"""The rank of a code that has none of its own: it wins over success only."""


def worst(*codes: int) -> int:
    """Return the exit code that is reported where several apply."""
    return min(codes, key=precedence)


class WaivernError(Exception):
    """A fact about a failure, and the next step.

    `message` states the fact; `hint` is the next step, if one is known; `wct` exits with
    `exit_code` if nothing handles the error. Components raise such errors with any object as the
    message: it is converted to text, and an exception becomes the cause.
    """

    exit_code: Exit = Exit.INTERNAL

    def __init__(self, message: object = "", *, hint: object = None) -> None:
        self.message = _text(message)
        self.hint = None if hint is None else _text(hint)
        super().__init__(self.message)
        if isinstance(message, BaseException):
            self.__cause__ = message


class NotFoundError(WaivernError):
    """No such run, artifact, file or component, or an ambiguous reference."""

    exit_code = Exit.NOT_FOUND


class RunNotFoundError(NotFoundError):
    """The store has no such run."""


class ArtifactNotFoundError(NotFoundError):
    """The run has no such artifact (or no such JSON document)."""


class RefusedError(WaivernError):
    """The request is valid, but refused in the present state."""

    exit_code = Exit.REFUSED


class RedactedError(RefusedError):
    """The content of the artifact was destroyed on purpose: `wct runs redact`, or a policy."""


class RunLockedError(RefusedError):
    """Another process is working on the run."""


class IntegrityError(WaivernError):
    """The data on disk is not the data that was recorded."""

    exit_code = Exit.INTEGRITY


OPEN_FILES_HINT = "raise the limit of open files with `ulimit -n 4096`, or lower --max-concurrency"


class StoreError(WaivernError):
    """The store could not read or write: no space, no permission, a broken disk."""

    exit_code = Exit.STORE
    artifact: str | None = None
    """The artifact that could not be written, if it was one."""


class UsageError(WaivernError):
    """The command line names something that does not exist, or options that exclude each other."""

    exit_code = Exit.USAGE


class ComponentError(WaivernError):
    """The failure of a component, which becomes the failure of its artifact unchanged."""

    exit_code = Exit.FAILED


class SourceChangedError(ComponentError):
    """An item of a source is not what was listed, and `on_change: fail` does not allow that."""


def _text(value: object) -> str:
    """Return `value` as text; an exception with its class, like the last line of a traceback."""
    if isinstance(value, str):
        return value
    name = type(value).__name__
    try:
        text = str(value)
    except Exception:  # noqa: BLE001 - a value that cannot be shown still has a class
        return name
    if isinstance(value, BaseException):
        return f"{name}: {text}" if text else name
    return text
