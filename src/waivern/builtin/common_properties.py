"""Property types that several shipped components share."""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated

from pydantic import (
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from waivern.diagnostics import did_you_mean
from waivern.errors import ComponentError
from waivern.plugins.context import Context


class Properties(BaseModel):
    """The base of every `Config`: unknown keys are refused, values never appear in errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _not_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("a boolean is not a number")  # noqa: TRY004 - pydantic expects ValueError
    return value


Number = BeforeValidator(_not_boolean)
"""Numbers may be text, because `${VAR}` is text; `true` is not 1."""


def _in_bytes(value: object, parse: ValidatorFunctionWrapHandler) -> object:
    try:
        return parse(value)
    except ValidationError as error:
        raise ValueError("write a number of bytes, or text such as '10MB' or '10MiB'") from error


Size = Annotated[ByteSize, Number, WrapValidator(_in_bytes)]
"""A number of bytes: an integer, or text such as `10MB` (10^7) or `10MiB` (10 * 2^20)."""

SourcePath = Annotated[str, Field(min_length=1, max_length=4096)]
"""A path as the runbook has it; `located` resolves it."""


def located(ctx: Context, text: str) -> Path:
    """Return the path of an existing file or folder. Raises ComponentError if there is none."""
    path = ctx.path(text)
    try:
        path.stat()
    except OSError as error:
        if path.is_symlink():
            what = f"{text!r} is a link that leads nowhere: {error.strerror}"
            raise ComponentError(what, hint=f"`readlink {text}` shows where it leads") from error
        hint = None
        if text.startswith("~"):
            hint = f"it means {str(path)!r}"
        elif not Path(text).is_absolute():
            hint = f"relative paths start from the runbook's folder, {str(ctx.base)!r}"
        raise ComponentError(
            f"{text!r} cannot be read: {error.strerror}",
            hint="; ".join(filter(None, [_neighbour(path), hint])) or None,
        ) from error
    return path


def missing(name: str, text: str, ctx: Context) -> Iterator[tuple[str, str, str | None]]:
    """Yield a warning if the file that a property names is missing."""
    try:
        located(ctx, text)
    except ComponentError as error:
        yield name, error.message, error.hint


def _neighbour(path: Path) -> str | None:
    try:
        with os.scandir(path.parent) as entries:  # not all of a huge folder: many paths may fail
            return did_you_mean(path.name, (entry.name for entry in islice(entries, 1_000)))
    except OSError:
        return None  # the folder is missing, too: nothing to suggest
