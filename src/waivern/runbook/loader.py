"""From the bytes of a runbook to a Runbook, or to one error with everything that is wrong."""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from waivern.errors import NotFoundError
from waivern.ids import ArtifactId
from waivern.message import SchemaRef
from waivern.problems import InvalidError, Problem, shown
from waivern.runbook.check import check
from waivern.runbook.codes import Code
from waivern.runbook.document import Document
from waivern.runbook.events import MAX_BYTES, Fault, Span, Stop, decode
from waivern.runbook.form import ArtifactForm, RunbookForm
from waivern.runbook.model import (
    Artifact,
    Draft,
    Process,
    Producer,
    Reuse,
    Runbook,
    Settings,
    Source,
)
from waivern.runbook.tree import read


def load(path: str | Path, environ: Mapping[str, str]) -> Runbook:
    """Return the runbook in a file.

    Raises NotFoundError if there is none, InvalidError if it cannot be read or used.
    """
    return _whole(examine(path, environ))


def examine(path: str | Path, environ: Mapping[str, str]) -> Draft:
    """Return the runbook in a file as far as it can be used, with what is wrong with it.

    Raises NotFoundError if there is none, InvalidError if nothing of it can be used.
    """
    document = Document(str(path), Path(path).absolute().parent, _bytes(path))
    return _draft(document, Path(path).stem, environ)


def parse(
    data: bytes,
    *,
    path: str | None,
    folder: Path,
    environ: Mapping[str, str],
    name: str | None = None,
) -> Runbook:
    """Return the runbook in `data`.

    `name` is for a runbook that does not say its own; without it, the stem of `path`. Raises
    InvalidError with all problems.
    """
    document = Document(path, folder, data)
    return _whole(_draft(document, name or (Path(path).stem if path else "runbook"), environ))


def _whole(draft: Draft) -> Runbook:
    if draft.problems:
        raise InvalidError(draft.problems)
    return draft.runbook


def _draft(document: Document, name: str, environ: Mapping[str, str]) -> Draft:
    with _collection_paused():
        tree, faults = _tree(document.data)
        problems = [document.fault(fault) for fault in faults]
        if tree is None:
            raise InvalidError(problems)
        form, found = check(tree, document, environ)
        told = {problem.position for problem in problems}
        problems += [problem for problem in found if problem.position not in told]
        declared = tree.get("artifacts")
        ids = declared.keys() if isinstance(declared, dict) else ()
        faulty = frozenset(str(id_) for id_ in ids if id_ not in form.artifacts)
        return Draft(_runbook(form, document, name), tuple(problems), faulty)


def _bytes(path: str | Path) -> bytes:
    try:
        # Not blocking: opening a FIFO without a writer would wait for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
                raise _unreadable(path, kind)
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "the path is taken from the current folder"
        raise NotFoundError(f"no runbook at {shown(str(path))}", hint=hint) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    except ValueError as error:  # a NUL in the path
        raise _unreadable(path, str(error)) from error


def _unreadable(path: str | Path, reason: str) -> InvalidError:
    message = f"cannot read {shown(str(path))}: {reason}"
    return InvalidError([Problem(Code.UNREADABLE, message, hint="give the path of a YAML file")])


def _tree(data: bytes) -> tuple[dict[str, object] | None, list[Fault]]:
    """Return the top-level mapping, or None if there is none, and what is wrong so far."""
    try:
        tree, faults = read(decode(data))
    except Stop as stop:
        return None, [stop.fault]
    if isinstance(tree, dict):
        return tree, faults
    if not faults:
        message = "the runbook is empty" if tree is None else "a runbook must be a mapping"
        code = Code.MISSING if tree is None else Code.TYPE
        hint = "begin with 'artifacts:'"
        faults = [Fault(code, message, Span(0, 0, 0, 0), hint)]
    return None, faults


def _runbook(form: RunbookForm, document: Document, name: str) -> Runbook:
    return Runbook(
        name=form.name or name,
        artifacts={
            ArtifactId(id_): _artifact(ArtifactId(id_), each)
            for id_, each in form.artifacts.items()
        },
        document=document,
        version=form.version,
        description=form.description,
        contact=form.contact,
        framework=form.framework,
        settings=Settings(form.config.timeout, form.config.max_concurrency),
    )


def _artifact(id_: ArtifactId, form: ArtifactForm) -> Artifact:
    return Artifact(
        id=id_,
        producer=_producer(form),
        output=form.output,
        optional=form.optional,
        output_schema=SchemaRef.parse(form.output_schema) if form.output_schema else None,
        name=form.name,
        description=form.description,
        contact=form.contact,
    )


def _producer(form: ArtifactForm) -> Producer:
    if form.source:
        return Source(form.source.type, form.source.properties)
    if form.reuse:
        return Reuse(form.reuse.from_run, form.reuse.artifact)
    inputs = tuple(ArtifactId(name) for name in form.inputs or ())
    if form.process:
        return Process(form.process.type, form.process.properties, inputs)
    return Process("merge", {}, inputs)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause the cyclic collector: it would walk the growing tree over and over."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
