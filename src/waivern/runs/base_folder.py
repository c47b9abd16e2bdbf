"""The folder of relative paths when a run is resumed or replayed from recorded bytes.

A run records its folder. Since then the project may have been moved or copied, and what runs must
act where the command is called, never in the original of a copy: when the two differ, the folder
counts only if it holds the runbook exactly as it ran; when none does, the person is asked.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from waivern.errors import NotFoundError, RefusedError, WaivernError
from waivern.files import absolute
from waivern.ids import STORE
from waivern.language.loader import read_bytes
from waivern.message import sha256
from waivern.record.fold import RunRecord
from waivern.runs.run_options import RunOptions
from waivern.runs.runbook_file import beside_store, place_of
from waivern.store.base import RunStore


class BaseFolder(NamedTuple):
    """The folder that was found."""

    folder: Path
    own: bool
    """Whether it holds the runbook as it ran."""
    notes: tuple[str, ...] = ()


def base_of(
    record: RunRecord, store: RunStore, options: RunOptions, *, foreign: bool
) -> BaseFolder:
    """Return the folder that relative paths of a run's retained runbook start from now.

    That is `options.base`, else where the project of the store has the runbook, else where the
    project of the command has it, else the recorded folder if it still holds it. Of a `foreign`
    run the recorded folder never counts: it is one on another machine. Raises RefusedError if the
    person has to say which it is, NotFoundError if `options.base` is no folder.
    """
    here = Path(absolute(options.folder or ""))
    if options.base is not None:
        return _typed(record, here / Path(options.base).expanduser())
    recorded = Path(record.base)
    if store.folder is None and not foreign:  # it lives as long as this process
        return BaseFolder(recorded, _holds(record, recorded))
    beside = Path(beside_store(store) or here)
    place = record.place or place_of(str(recorded), store)
    if foreign:
        folder = beside / (record.place or os.curdir)
        folder = folder if folder.is_dir() else beside
        notes = () if _same(folder, recorded) else (_moved(record, folder),)
        return BaseFolder(folder, _holds(record, folder), notes)
    if place:
        return _in_project(record, beside / place)
    return _elsewhere(record, list(_roots(here, store, options)))


def _typed(record: RunRecord, typed: Path) -> BaseFolder:
    if not typed.is_dir():
        raise NotFoundError(
            f"--base: there is no folder {str(typed)!r}", hint="give the folder of the runbook"
        )
    folder = Path(os.path.normpath(typed))
    notes = [] if _same(folder, Path(record.base)) else [_moved(record, folder)]
    own = _holds(record, folder)
    if not own:
        notes.append(f"{folder} does not hold {_name(record)} as run {_id(record)} ran it")
    return BaseFolder(folder, own, tuple(notes))


def _in_project(record: RunRecord, present: Path) -> BaseFolder:
    """Return the folder at its place beside the store, which may have been moved or copied."""
    recorded = Path(record.base)
    own = _holds(record, present)
    if _same(present, recorded) and present.is_dir():
        return BaseFolder(recorded, own)  # nothing moved: the file may have been edited, or removed
    if own:
        return BaseFolder(present, own, (_moved(record, present),))
    raise _ask(record, present)


def _elsewhere(record: RunRecord, roots: list[Path]) -> BaseFolder:
    """Return the folder of a run whose runbook was not in the project that the store lies in."""
    recorded = Path(record.base)
    real = os.path.realpath(recorded)
    if recorded.is_dir() and any(Path(real).is_relative_to(root.resolve()) for root in roots):
        return BaseFolder(recorded, _holds(record, recorded))
    candidates = list(_candidates(record, roots))
    for folder in candidates:
        if _holds(record, folder):
            return BaseFolder(folder, True, (_moved(record, folder),))
    name = _name(record)
    edited = [folder for folder in candidates if name and os.path.lexists(folder / name)]
    own = _holds(record, recorded)
    if not edited and (own or (name is None and recorded.is_dir())):
        return BaseFolder(recorded, own)
    raise _ask(record, edited[0] if edited else roots[0])


def _roots(here: Path, store: RunStore, options: RunOptions) -> Iterator[Path]:
    """Yield the folders of the project that the command finds, the nearest first."""
    yield here
    if options.project is not None:
        yield options.project.document.folder
    if store.folder and Path(store.folder).name == STORE:
        yield Path(store.folder).parent


def _candidates(record: RunRecord, roots: list[Path]) -> Iterator[Path]:
    path = record.metadata.runbook_path
    if path is None:
        return
    for root in roots:
        if not Path(path).is_absolute():
            yield (root / path).parent
        yield root


def _holds(record: RunRecord, folder: Path) -> bool:
    """Return whether a folder holds the runbook exactly as the last attempt ran it."""
    name = _name(record)
    if name is None:
        return False
    with suppress(WaivernError):
        return sha256(read_bytes(folder / name)) == record.metadata.runbook_hash
    return False


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _moved(record: RunRecord, folder: Path) -> str:
    return f"run {_id(record)} ran in {record.base}; this time, relative paths start from {folder}"


def _ask(record: RunRecord, present: Path) -> RefusedError:
    name, run_id = _name(record), _id(record)
    if name is None:
        what = "it cannot be known whether that is still its folder"
    elif os.path.lexists(present / name):
        what = f"{present / name} is not the runbook as it ran"
    elif not Path(record.base).is_dir():
        what = f"that folder is gone, and {present} has no {name}"
    else:
        what = f"{present} has no {name}"
    hint = f"give the folder that relative paths start from, as in `--base {present}`"
    if name and os.path.lexists(present / name):
        hint += f", or continue with the edited file: `wct run {name} --resume {run_id}`"
    return RefusedError(f"run {run_id} ran in {record.base}, but {what}", hint=hint)


def _name(record: RunRecord) -> str | None:
    path = record.metadata.runbook_path
    return Path(path).name if path else None


def _id(record: RunRecord) -> str:
    return record.metadata.run_id
