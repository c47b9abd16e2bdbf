"""What can go wrong in a way that a person can act on: few classes, each with an exit code."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes of `wct`; where several apply, `worst` decides."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3
    NOT_FOUND = 4
    REFUSED = 5
    POLICY = 6
    SUSPENDED = 7
    TIMEOUT = 8
    INTEGRITY = 9
    WORK_TO_DO = 10
    INTERNAL = 70
    STORE = 74
    INTERRUPTED = 130
    TERMINATED = 143


class WaivernError(Exception):
    """A fact about what went wrong, and what to do next.

    `message` states the fact; `hint` is the next step, if one is known; `exit_code` is what `wct`
    leaves with when nothing handles the error. Components raise such errors too, with whatever they
    have at hand: what is no text is shown as text, and an exception is kept as the cause.
    """

    exit_code: Exit = Exit.INTERNAL

    def __init__(self, message: object = "", *, hint: object = None) -> None:
        self.message = _text(message)
        self.hint = None if hint is None else _text(hint)
        super().__init__(self.message)
        if isinstance(message, BaseException):
            self.__cause__ = message


class NotFoundError(WaivernError):
    """No such run, artifact, file or component; or a reference that fits several."""

    exit_code = Exit.NOT_FOUND


class RunNotFoundError(NotFoundError):
    """The store has no such run."""


class ArtifactNotFoundError(NotFoundError):
    """The run has no such artifact (or no such JSON document)."""


class RefusedError(WaivernError):
    """The request is understood, and refused as things stand."""

    exit_code = Exit.REFUSED


class RunLockedError(RefusedError):
    """Another process is at work on the run."""


class IntegrityError(WaivernError):
    """What lies on disk is not what was recorded."""

    exit_code = Exit.INTEGRITY


class StoreError(WaivernError):
    """The store could not read or write: no space, no permission, a broken disk."""

    exit_code = Exit.STORE
    artifact: str | None = None
    """The one that could not be written, if it was one."""


class UsageError(WaivernError):
    """The command line asks for something that does not exist or does not go together."""

    exit_code = Exit.USAGE


class ComponentError(WaivernError):
    """Raised by a component whose work cannot be done; becomes the artifact's failure as it is."""

    exit_code = Exit.FAILED


def _text(value: object) -> str:
    """Return `value` as text; an exception with its class, as a traceback would end."""
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
