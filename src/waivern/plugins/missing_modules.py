"""Messages for modules that cannot be imported: the file, the line and the next step."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

from waivern.diagnostics import did_you_mean
from waivern.errors import ComponentError
from waivern.plugins.module_folders import folder_of, short


class MissingModuleError(ComponentError, ModuleNotFoundError):
    """Raised for an import in a user's file that finds no module."""

    @classmethod
    def of(cls, error: ModuleNotFoundError) -> MissingModuleError | None:
        """Return the error with its position and a hint; None if it is in no user's file."""
        place = _place(error)
        if place is None or folder_of(place[2]) is None:
            return None
        return cls(describe(error), hint=next_step(error))


def describe(error: BaseException) -> str:
    """Return the message of an import error, with the file and line of a missing module."""
    text = f"{type(error).__name__}: {short(str(error))}"
    place = _place(error)
    return f"{place[0]}, line {place[1]}: {text}" if place else text


def next_step(error: BaseException) -> str | None:
    """Return how to get a missing module; None if no module is missing."""
    place = _place(error)
    if place is None or not isinstance(error, ModuleNotFoundError) or not error.name:
        return None
    top = error.name.partition(".")[0]
    file = Path(place[0])
    hint = f"install the package that has {top!r}: `{sys.executable} -m pip install ...`"
    if folder_of(place[2]) is None:
        return hint
    beside = (each.stem for each in file.parent.glob("*.py") if each != file)
    guess = did_you_mean(top, beside)
    hint += f", or put '{top}.py' beside '{file.name}'"
    return f"{guess} Otherwise, {hint}" if guess else hint


def _place(error: BaseException) -> tuple[str, int, str] | None:
    """Return file, line and module of the import statement that found no module."""
    if not isinstance(error, ModuleNotFoundError):
        return None
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        module = str(frame.f_globals.get("__name__"))
        own = module.startswith(("importlib", "waivern.")) and folder_of(module) is None
        if not own and not frame.f_code.co_filename.startswith("<"):
            return frame.f_code.co_filename, line, module
    return None
