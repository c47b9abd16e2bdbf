"""Rulesets by the name that a runbook gives: the shipped one, a file, or an installed one.

An installed one is an entry point of the group `waivern.rulesets`, whose object is the path of a
YAML file: `RULES = importlib.resources.files(__name__) / "acme.yaml"`.
"""

from __future__ import annotations

from pathlib import Path

from waivern.builtin.common_properties import located
from waivern.detection import Ruleset, load_ruleset
from waivern.errors import ComponentError, WaivernError
from waivern.files import NotAFileError, open_file
from waivern.kinds import Entry, entry
from waivern.plugins.context import Context

MAX_BYTES = 2**20
"""The maximal size of a ruleset file; the shipped one has 17 kB."""


def ruleset(name: str | None, ctx: Context) -> Ruleset:
    """Return the ruleset in a file, or the installed one of that name; None: the shipped one.

    A name with a '/', or one that ends in `.yaml` or `.yml`, is a path relative to the folder of
    the runbook. Raises ComponentError if there is no such ruleset, and InvalidError with the
    positions of all that is wrong in it.
    """
    if name is None:
        return load_ruleset()
    if is_path(name):
        return _read(name, _bytes(name, located(ctx, name)))
    return _read(name, _installed(name))


def is_path(name: str) -> bool:
    """Return whether a name of a ruleset is the path of a file."""
    return "/" in name or name.endswith((".yaml", ".yml"))


def marks(rules: Ruleset) -> dict[str, str]:
    """Return "version digest" by name, of a ruleset and of the one that it extends."""
    both = [rules] if rules.base is None else [rules.base, rules]
    return {each.name: f"{each.version} {each.digest}" for each in both}


def _bytes(name: str, path: Path) -> bytes:
    try:
        with open_file(path) as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        hint = "name a YAML file" if isinstance(error, NotAFileError) else None
        raise ComponentError(f"{name!r} cannot be read: {error.strerror}", hint=hint) from error


def check_installed(name: str) -> None:
    """Raise ComponentError if no distribution, or several, offer a ruleset of that name."""
    _entry(name)


def _entry(name: str) -> Entry:
    try:
        return entry("rulesets", name)
    except WaivernError as error:
        hint = f"{error.hint}; a file's name has to end in .yaml"
        raise ComponentError(error.message, hint=hint) from error


def _installed(name: str) -> bytes:
    found = _entry(name)
    try:
        return bytes(found.load().read_bytes())
    except Exception as error:  # a plugin may raise anything
        raise ComponentError(
            f"ruleset {name!r} cannot be loaded: {type(error).__name__}: {error}",
            hint=f"it is declared as {found.place}, which has to be the path of a YAML file",
        ) from error


def _read(name: str, data: bytes) -> Ruleset:
    """Return the ruleset in the bytes of a file. Raises InvalidError with all that is wrong."""
    from waivern.detection.additions import RulesetError, extend_ruleset
    from waivern.diagnostics import InvalidError
    from waivern.yamldoc.document import YamlDocument
    from waivern.yamldoc.tree import read
    from waivern.yamldoc.yaml_events import YamlStop, decode

    if len(data) > MAX_BYTES:
        raise ComponentError(f"{name!r} is larger than {MAX_BYTES // 1024} KiB")
    document = YamlDocument(name, Path(), data)
    try:
        content, faults = read(decode(data))
    except YamlStop as stop:
        faults = [stop.problem]
    if faults:
        raise InvalidError([document.locate(fault) for fault in faults])
    try:
        return extend_ruleset(content, document.digest)
    except RulesetError as error:
        raise InvalidError([document.locate(each) for each in error.problems]) from error
