"""Exports of a run: what the user asked for, checked before anything runs, and how it is written.

An export is recorded in the store's access log before its file takes its name, so that a redaction
can name the copies outside the store.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ValidationError

from waivern.clock import Clock
from waivern.diagnostics import did_you_mean, shown
from waivern.errors import Exit, StoreError, UsageError, WaivernError
from waivern.message import Json
from waivern.runs import file_replacement
from waivern.runs.exporter import ExportedRun, Exporter

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue
    from waivern.store.base import RunStore

EXPORTED = "run_exported"
"""The type of the events in an access log."""
STDOUT = "-"
_IN_MEMORY = 16 << 20
"""Bytes of an export to stdout that are held in memory; a larger one goes to a temporary file."""


class ExportError(WaivernError):
    """An exporter failed: there is no new file."""

    exit_code = Exit.STORE


class RequestedExport(NamedTuple):
    """One export that was asked for: the exporter is loaded, its options and its path fit."""

    exporter: Exporter
    config: BaseModel
    path: Path | None
    """Absolute; None: stdout."""

    @property
    def format(self) -> str:
        return self.exporter.name


class ExportOutcome(NamedTuple):
    """The outcome of one export."""

    format: str
    path: Path | None
    """None: stdout."""
    size: int = 0
    sha256: str | None = None
    notes: tuple[str, ...] = ()
    """What the exporter reports, such as what it left out."""
    error: WaivernError | None = None

    def document(self) -> dict[str, Json]:
        """Return the outcome for programs."""
        return {
            "format": self.format,
            "path": str(self.path) if self.path else None,
            "size": self.size,
            "sha256": self.sha256,
            "notes": list(self.notes),
            "error": self.error.message if self.error else None,
        }


class Exporting(NamedTuple):
    """The person who exports."""

    by: str
    clock: Clock


def requested(
    wanted: Iterable[str], options: Iterable[str], catalogue: Catalogue, store: RunStore
) -> tuple[RequestedExport, ...]:
    """Return the exports in texts such as `csv`, `csv=out.csv` and `csv=-`.

    `options` are texts such as `csv.separator=;`. Raises UsageError, NotFoundError, and
    WaivernError if an exporter cannot be loaded.
    """
    split = [text.partition("=") for text in wanted]
    given = _options(options, [name for name, _, _ in split])
    found: list[RequestedExport] = []
    for name, equals, text in split:
        if equals and not text:
            raise UsageError(f"--export {name}= has no path", hint=f"write --export {name}=PATH")
        exporter: Exporter = catalogue.load("exporters", name)
        config = _config(exporter, name, given.get(name, {}))
        path = _path(text or exporter.file_name, store)
        if any(path == other.path for other in found):
            where = "stdout" if path is None else path
            raise UsageError(f"two exports go to {where}", hint="give each a path of its own")
        found.append(RequestedExport(exporter, config, path))
    return tuple(found)


def write(
    run: ExportedRun, wanted: Iterable[RequestedExport], exporting: Exporting
) -> Iterator[ExportOutcome]:
    """Write each export and yield its outcome; one that fails does not stop the others."""
    for each in wanted:
        try:
            yield _write(run, each, exporting)
        except WaivernError as error:
            yield ExportOutcome(each.format, each.path, error=error)
        except Exception as error:  # noqa: BLE001 - an exporter may raise anything
            failure = ExportError(
                f"exporter '{each.format}' failed: {type(error).__name__}: {error}",
                hint="this is a bug of the exporter; the run is not affected",
            )
            failure.__cause__ = error
            yield ExportOutcome(each.format, each.path, error=failure)


def known_exports(store: RunStore, run_id: str) -> tuple[str, ...]:
    """Return the files outside the store that a run was exported to and that are still there.

    A file that was written on another computer is named with that computer: it is not looked for.
    If the access log cannot be read, that is what is named: there may be files.
    """
    found: dict[str, None] = {}
    here = os.uname().nodename
    try:
        lines = store.read_access().lines
    except WaivernError as error:
        return (f"exports of run {run_id}, if there are any ({error.message})",)
    for line in lines:
        record = line.record
        if record.get("type") != EXPORTED or record.get("run_id") != run_id:
            continue
        path, host = str(record.get("item")), record.get("host")
        if host != here:
            found[f"{path} on {host}"] = None
        elif os.path.lexists(path):
            found[path] = None
    return tuple(found)


def _options(texts: Iterable[str], names: list[str]) -> Mapping[str, dict[str, str]]:
    """Return the options of each format, from texts such as `csv.separator=;`."""
    found: dict[str, dict[str, str]] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        name, dot, option = key.partition(".")
        if not (equals and dot and name and option):
            raise UsageError(
                f"--export-option {shown(text)} is not FORMAT.NAME=VALUE",
                hint="write it as in --export-option csv.bom=true",
            )
        if name not in names:
            raise UsageError(
                f"--export-option {key} is for a format that is not exported",
                hint=f"add --export {name}, or omit the option",
            )
        if found.setdefault(name, {}).setdefault(option, value) != value:
            raise UsageError(f"--export-option {key} is given twice", hint="give it once")
    return found


def _config(exporter: Exporter, name: str, given: Mapping[str, str]) -> BaseModel:
    known = {field.alias or key: key for key, field in exporter.Config.model_fields.items()}
    for option in given:
        if option not in known:
            meant = did_you_mean(option, list(known))
            rest = f"its options: {', '.join(known)}" if known else "it has no options"
            raise UsageError(f"format '{name}' has no option '{option}'", hint=meant or rest)
    try:
        return exporter.Config.model_validate(dict(given))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        option = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"--export-option {name}.{option}: {first['msg']}",
            hint=f"`wct exporters {name}` lists the options",
        ) from None


def _path(text: str, store: RunStore) -> Path | None:
    if text == STDOUT:
        return None
    path = file_replacement.checked(text)
    from waivern.runs.output_delivery import run_store

    if (folder := run_store(path, store)) is not None:
        raise UsageError(
            f"{text!r} is within {folder}, where runs are stored",
            hint="give a path outside of it, such as --export csv=out/findings.csv",
        )
    return path


def _write(run: ExportedRun, each: RequestedExport, exporting: Exporting) -> ExportOutcome:
    path = each.path
    if path is None or file_replacement.is_special(path):
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as out:
            outcome = _exported(run, each, out)
            _copy(out, path)
        return outcome
    with file_replacement.explained(path), file_replacement.replacing(path) as out:
        outcome = _exported(run, each, out)
        recorded = _recorded(run, each, outcome.sha256, exporting)
    return outcome._replace(notes=(*outcome.notes, *recorded))


def _exported(run: ExportedRun, each: RequestedExport, out: IO[bytes]) -> ExportOutcome:
    notes = tuple(each.exporter.export(run, each.config, out) or ())
    out.flush()
    return ExportOutcome(each.format, each.path, *_measured(out), notes)


def _measured(out: IO[bytes]) -> tuple[int, str]:
    """Return the size and the digest of what was written."""
    out.seek(0)
    found, size = hashlib.sha256(), 0
    while piece := out.read(1 << 20):
        found.update(piece)
        size += len(piece)
    return size, found.hexdigest()


def _copy(out: IO[bytes], path: Path | None) -> None:
    """Copy what was written to stdout, or to a device or a pipe."""
    out.seek(0)
    if path is not None:
        with file_replacement.explained(path), path.open("wb") as target:
            shutil.copyfileobj(out, target)
        return
    sys.stdout.flush()
    stream: Any = getattr(sys.stdout, "buffer", None)
    if stream is None:  # a caller's own stream of text
        sys.stdout.write(out.read().decode(errors="backslashreplace"))
        return
    shutil.copyfileobj(out, stream)
    stream.flush()


def _recorded(
    run: ExportedRun, each: RequestedExport, digest: str | None, exporting: Exporting
) -> list[str]:
    """Record that the run is copied to a file; return why it is not recorded, if so."""
    event: dict[str, Json] = {
        "type": EXPORTED,
        "at": exporting.clock.now(),
        "by": exporting.by,
        "run_id": run.run_id,
        "artifact": None,
        "item": str(each.path),
        "host": os.uname().nodename,
        "format": each.format,
        "digest": f"sha256:{digest}" if digest else None,
    }
    try:
        run.store.append_access(event)
    except (StoreError, WaivernError) as error:
        return [f"the export is not recorded in the access log: {error.message}"]
    return []
