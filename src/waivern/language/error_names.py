"""The names of errors that `retry.on` can have: which are known, and which can never come."""

from __future__ import annotations

import builtins
import re

from waivern import errors

TIMEOUT = "timeout"
"""The name for the time limit of a try."""
DIED = "died"
"""The name for a try that ended its worker, as a crash or a lack of memory does."""
MAX_MEMORY = "max_memory"
"""The name for a try that needed more memory than its limit."""
_NAME = r"(?a)[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_BUILTIN = {
    name
    for name, each in vars(builtins).items()
    if isinstance(each, type) and issubclass(each, Exception)
}
_OWN = {
    name
    for name, each in vars(errors).items()
    if isinstance(each, type) and issubclass(each, errors.WaivernError)
}
KNOWN = frozenset({TIMEOUT, DIED, MAX_MEMORY, *_BUILTIN, *_OWN})
_NEVER = {
    "StoreError": "a failure of the store is never tried again",
    "Suspend": "an artifact that waits is never tried again",
    "CancelledError": "an interruption is never tried again",
    **dict.fromkeys(
        ["BaseException", "KeyboardInterrupt", "SystemExit", "GeneratorExit"],
        "an interruption is never tried again",
    ),
}
_OWN_ERROR = "an error of your own is written with its module, as in mymodule.{}"


def fault(name: str) -> tuple[str, str] | None:
    """Return what is wrong with a name, and a hint; None if an error may have it."""
    if not re.fullmatch(_NAME, name):
        return "is not the name of a class", "name the error's class, such as ConnectionError"
    module, _, last = name.rpartition(".")
    if (why := _NEVER.get(last)) is not None:
        return f"names {last}: {why}", "leave it out"
    if module in ("builtins", "waivern", "waivern.errors"):
        return None if last in KNOWN else (f"names no error of {module}", _meant(last))
    if module or name in KNOWN:
        return None
    if close := _closest(name):
        return "names no error that is known", f"did you mean '{close}'? {_OWN_ERROR.format(name)}"
    return None


def unknown(name: str) -> bool:
    """Report whether a name is neither a known error nor written with its module.

    A class of the user's with this name would match, so that the name is not refused.
    """
    return name not in KNOWN and "." not in name


def _meant(name: str) -> str:
    close = _closest(name)
    return f"did you mean '{close}'?" if close else "the class has another name"


def _closest(name: str) -> str | None:
    """Return the known name that is misspelt: one or two letters differ, no word is added."""
    allowed = 2 if len(name) >= 10 else 1
    near = ((_distance(name, each, allowed), each) for each in sorted(KNOWN))
    found = min(near, default=(allowed + 1, ""))
    return found[1] if found[0] <= allowed else None


def _distance(one: str, other: str, most: int) -> int:
    """Return how many letters to add, leave out, change or swap; more than `most` is not exact."""
    if abs(len(one) - len(other)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        earlier, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and (a, one[i - 2]) == (other[j - 2], b):
                cost = min(cost, earlier[j - 2] + 1)
            row.append(cost)
    return row[-1]
