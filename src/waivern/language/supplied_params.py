"""Values of parameters that a user gives a run: on the command line, or in a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import cast

from waivern.diagnostics import Diagnostic, InvalidError, Span, did_you_mean, shown
from waivern.errors import Exit, NotFoundError, UsageError
from waivern.files import at_home
from waivern.language.params import TYPES, Param, ParamError
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode
from waivern.yamldoc.scalars import resolve
from waivern.yamldoc.tree import read
from waivern.yamldoc.yaml_events import MAX_BYTES, YamlStop, decode, problem_at


class ParamsError(InvalidError):
    """Values from the command line that do not fit the parameters of the runbook."""

    exit_code = Exit.USAGE

    def __reduce__(self) -> tuple[object, ...]:
        return _params_error, (self.problems, self.hint)


def _params_error(problems: tuple[Diagnostic, ...], hint: str | None) -> ParamsError:
    return ParamsError(problems, hint=hint)


def typed(options: Iterable[str]) -> dict[str, str]:
    """Return the parameters in texts such as 'name=value', by name.

    Raises UsageError, which shows no value, if one has no '=' or names a parameter again.
    """
    found: dict[str, str] = {}
    for number, option in enumerate(options, 1):
        name, equals, value = option.partition("=")
        if not equals or not name:  # all of it may be a secret
            raise UsageError(f"parameter {number} has no name", hint="write it as -p name=value")
        if name in found:
            raise UsageError(f"parameter {shown(name)} is given twice", hint="give it once")
        found[name] = value
    return found


def read_file(path: str) -> dict[str, Json]:
    """Return the parameters in a YAML or JSON file, which may also be a pipe.

    Raises NotFoundError if there is none, InvalidError, which shows nothing of the text, if it
    cannot be read.
    """
    document = YamlDocument(path, Path(), _bytes(path))
    try:
        text = decode(document.data)
        tree, faults = read(text)
    except YamlStop as stop:
        tree, faults = None, [stop.problem]
    if faults:
        raise InvalidError([_silent(fault, document) for fault in faults])
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        fault = problem_at(
            RunbookCode.TYPE, "must be a mapping", Span(0, 0, 0, 0), "write 'name: value'"
        )
        raise InvalidError([_silent(fault, document)])
    if isinstance(version := tree.get("version"), str):
        tree["version"] = _version(version, text)
    return tree


def bind(
    declared: Mapping[str, Param],
    typed: Mapping[str, str],
    from_file: Mapping[str, Json],
    where: str | None,
) -> dict[str, Json]:
    """Return the value of each declared parameter: as typed, else from the file, else its default.

    `where` is what the values of the file are called in messages. Raises with all problems at
    once, and no value: ParamsError if one is about what was typed or is missing, InvalidError if
    all are about the file.
    """
    values: dict[str, Json] = {}
    usage: list[Diagnostic] = []
    within: list[Diagnostic] = []
    place = f" in {shown(where)}" if where else ""
    for name, param in declared.items():
        try:
            if name in typed:
                values[name] = param.read(typed[name])
            elif name in from_file:
                values[name] = param.check(from_file[name])
            elif param.required:
                usage.append(_missing(param))
            else:
                values[name] = param.default
        except ParamError as error:
            message = f"parameter {name!r}{'' if name in typed else place} {error.message}"
            problem = Diagnostic(RunbookCode.TYPE, message, hint=error.hint)
            (usage if name in typed else within).append(problem)
    usage += [_unknown(name, declared, "") for name in typed if name not in declared]
    within += [_unknown(name, declared, place) for name in from_file if name not in declared]
    if usage:
        raise ParamsError(usage + within, hint=_how_to_give(declared))
    if within:
        raise InvalidError(within)
    return values


def _how_to_give(declared: Mapping[str, Param]) -> str:
    """Return what to type next: an example with a parameter that needs a value."""
    needed = next((name for name, param in declared.items() if param.required), None)
    name = needed or next(iter(declared), None)
    if name is None:
        return "omit -p and --params: this runbook has no parameters"
    example = f"-p {name}={_EXAMPLES[declared[name].type]}"
    return f"give parameters as in `{example}`, or in a file with --params FILE"


_EXAMPLES = {
    "string": "text",
    "integer": "12",
    "number": "0.5",
    "boolean": "true",
    "date": "2024-02-29",
    "list": "'[\"a\"]'",
    "object": "'{\"key\": 1}'",
}


def _missing(param: Param) -> Diagnostic:
    message = f"parameter {param.name!r} needs a value: {TYPES[param.type].words}"
    if param.secret:
        # other users of a machine can see what a process was started with
        hint = f"give it in a file with --params FILE, as '{param.name}: ...'"
    else:
        hint = f"give it with -p {param.name}=..., or in a file with --params FILE"
    return Diagnostic(RunbookCode.MISSING, message, hint=hint)


def _unknown(name: str, declared: Mapping[str, Param], place: str) -> Diagnostic:
    known = f"the runbook has: {', '.join(declared)}" if declared else "the runbook has none"
    hint = did_you_mean(name, declared) or known
    return Diagnostic(RunbookCode.UNKNOWN_KEY, f"unknown parameter {shown(name)}{place}", hint=hint)


def _bytes(path: str) -> bytes:
    try:
        with open(at_home(path), "rb") as file:  # noqa: PTH123 - may be a pipe, such as <(...) of a shell
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = "the path is taken from the current folder"
        raise NotFoundError(f"no parameters at {shown(path)}", hint=hint) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", None) or str(error)
        message = f"cannot read {shown(path)}: {reason}"
        hint = "give the path of a YAML or JSON file"
        raise InvalidError([Diagnostic(RunbookCode.UNREADABLE, message, hint=hint)]) from error


_PLAIN_MESSAGES = (
    RunbookCode.SYNTAX,
    RunbookCode.ENCODING,
    RunbookCode.LIMIT,
    RunbookCode.KEY,
    RunbookCode.TYPE,
)
"""Those of the other codes may quote the text."""


def _silent(fault: Diagnostic, document: YamlDocument) -> Diagnostic:
    """Return a fault as a problem that shows nothing of the text: it may be a secret."""
    problem = document.locate(fault)
    message = fault.message
    if fault.code not in _PLAIN_MESSAGES:
        message = cast(RunbookCode, fault.code).meaning
    at = problem.position
    if at:
        text = "(not shown: a value may be a secret)"
        at = at._replace(text=text, text_column=at.column, length=min(at.length, len(text)))
    return problem._replace(message=f"parameters: {message}", position=at)


def _version(text: str, whole: str) -> Json:
    """Return a top-level `version` as any other value: a runbook keeps its number as text."""
    from waivern.yamldoc.positions import Positions

    place = Positions(whole).find(("version",))
    assert place is not None
    written = whole[place.value.start : place.value.end]
    return resolve(text) if written == text else text
