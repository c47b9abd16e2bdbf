"""Loading of a runbook: from its bytes to a Runbook, or to one error with all problems."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from waivern.diagnostics import Diagnostic, InvalidError, Span, did_you_mean, shown, shown_path
from waivern.errors import NotFoundError
from waivern.files import absolute, at_home, open_file
from waivern.language.models import Runbook, RunbookDraft
from waivern.language.params import defaults
from waivern.language.validation import BindParams, check
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.tree import read
from waivern.yamldoc.yaml_events import MAX_BYTES, YamlStop, decode, problem_at

SUFFIXES = (".yaml", ".yml")
"""How the files of runbooks end, as a rule."""


def load(
    path: str | Path, environ: Mapping[str, str], bind_params: BindParams = defaults
) -> Runbook:
    """Return the runbook in a file.

    Raises NotFoundError if there is none, InvalidError if it cannot be read or used.
    """
    return _whole(examine(path, environ, bind_params))


def examine(
    path: str | Path, environ: Mapping[str, str], bind_params: BindParams = defaults
) -> RunbookDraft:
    """Return the runbook in a file as far as it can be used, with what is wrong with it.

    `bind_params` returns the values of its parameters, else they have their defaults; those that
    have no value stay references.
    Raises NotFoundError if there is none, InvalidError if nothing of it can be used.
    """
    document = YamlDocument(str(path), Path(absolute(path)).parent, read_bytes(path))
    return draft(document, Path(path).stem, environ, bind_params)


def parse(
    data: bytes,
    *,
    path: str | None,
    folder: Path,
    environ: Mapping[str, str],
    name: str | None = None,
    bind_params: BindParams = defaults,
) -> Runbook:
    """Return the runbook in `data`.

    `name` is for a runbook that does not say its own; without it, the stem of `path`. Raises
    InvalidError with all problems.
    """
    document = YamlDocument(path, folder, data)
    stem = Path(path).stem if path else "runbook"
    return _whole(draft(document, name or stem, environ, bind_params))


def _whole(draft: RunbookDraft) -> Runbook:
    if draft.problems:
        raise InvalidError(draft.problems)
    return draft.runbook


def draft(
    document: YamlDocument,
    name: str,
    environ: Mapping[str, str],
    bind_params: BindParams = defaults,
) -> RunbookDraft:
    """Return the runbook in a document as far as it can be used, with what is wrong with it."""
    with collection_paused():
        tree, faults = _tree(document.data)
        problems = [document.locate(fault) for fault in faults]
        if tree is None:
            raise InvalidError(problems)
        found = check(tree, document, name, environ, bind_params)
        reported = {problem.position for problem in problems}
        problems += [problem for problem in found.problems if problem.position not in reported]
        return found._replace(problems=tuple(problems))


def read_bytes(path: str | Path) -> bytes:
    """Return the bytes of a runbook's file, and not many more than one may have.

    Raises NotFoundError if there is none, InvalidError if it is no file that can be read.
    """
    try:
        with open_file(at_home(path)) as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = _similar(Path(path)) or "the path is taken from the current folder"
        raise NotFoundError(f"no runbook at {shown_path(path)}", hint=hint) from None
    except OSError as error:
        raise _unreadable(path, error.strerror or type(error).__name__) from error
    except ValueError as error:  # a NUL in the path
        raise _unreadable(path, str(error)) from error


def _unreadable(path: str | Path, reason: str) -> InvalidError:
    message = f"cannot read {shown_path(path)}: {reason}"
    hint = _similar(Path(path)) or "give the path of a YAML file"
    return InvalidError([Diagnostic(RunbookCode.UNREADABLE, message, hint=hint)])


def _similar(path: Path) -> str | None:
    """Return "did you mean 'x.yaml'?" for a runbook that may be meant by a path; None if none is.

    It is the same path with a suffix, a file in the folder of that path, or one beside it.
    """
    with suppress(OSError, ValueError):
        for suffix in SUFFIXES:
            if (other := path.with_name(path.name + suffix)).is_file():
                return f"did you mean {shown(str(other))}?"
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
            return f"did you mean {shown(str(inside[0]))}?" if inside else None
        beside = [each for each in path.parent.iterdir() if each.suffix in SUFFIXES]
        return did_you_mean(str(path), [str(each) for each in beside])
    return None


def _tree(data: bytes) -> tuple[dict[str, object] | None, list[Diagnostic]]:
    """Return the top-level mapping, or None if there is none, and what is wrong so far."""
    try:
        tree, faults = read(decode(data))
    except YamlStop as stop:
        return None, [stop.problem]
    if isinstance(tree, dict):
        return tree, faults
    if not faults:
        message = "the runbook is empty" if tree is None else "a runbook must be a mapping"
        code = RunbookCode.MISSING if tree is None else RunbookCode.TYPE
        hint = "begin with 'artifacts:'"
        faults = [problem_at(code, message, Span(0, 0, 0, 0), hint)]
    return None, faults


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the cyclic collector: it would walk the growing tree over and over."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
