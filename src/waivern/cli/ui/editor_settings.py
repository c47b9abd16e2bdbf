"""Settings of VS Code that say which files are runbooks, with their schema beside them."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from waivern.cli.ui.written_files import replace
from waivern.errors import RefusedError, StoreError
from waivern.files import NotAFileError, open_file

_KEY = "yaml.schemas"
_DEEPEST = 4
_MOST_FILES = 2_000
_HEAD = 1 << 20
"""The depth, the number of YAML files and the bytes of each in which runbooks are looked for."""


class InstalledSchema(NamedTuple):
    """The schema that was installed, and the files that have it."""

    schema: str
    patterns: list[str]


def install(schema: str, folder: Path = Path()) -> InstalledSchema:
    """Write the schema and the setting that names its files; all other settings stay.

    Raises RefusedError, and writes nothing, if the settings cannot be read as JSON.
    """
    path, target = folder / ".vscode" / "settings.json", folder / ".vscode" / "runbook.schema.json"
    name = "./.vscode/runbook.schema.json"
    before = _read(path)
    settings = _parsed(path, before, name)
    schemas = settings.setdefault(_KEY, {})
    if not isinstance(schemas, dict):
        raise _refused(path, f"{_KEY!r} is not an object", name)
    known = schemas.get(name, [])
    patterns = [known] if isinstance(known, str) else list(known)
    patterns += [each for each in _runbooks(folder) if each not in patterns]
    schemas[name] = patterns or ["runbooks/*.yaml"]
    replace(target, schema)
    text = json.dumps(settings, indent=_indent(before), ensure_ascii=False) + "\n"
    if text != before:
        replace(path, text)
    return InstalledSchema(str(target), schemas[name])


def _read(path: Path) -> str:
    try:
        with open_file(path) as file:
            return file.read().decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise RefusedError(f"{str(path)!r} is not UTF-8", hint="save it as UTF-8") from error
    except (NotAFileError, OSError) as error:
        raise StoreError(f"cannot read {str(path)!r}: {error.strerror}") from error


def _parsed(path: Path, text: str, name: str) -> dict[str, Any]:
    """Return the settings. A file with comments is left alone: they would be lost."""
    if not text.strip():
        return {}
    try:
        settings = json.loads(text)
    except ValueError as error:
        raise _refused(path, "is not plain JSON (it may have comments)", name) from error
    if not isinstance(settings, dict):
        raise _refused(path, "is not an object", name)
    return settings


def _refused(path: Path, what: str, name: str) -> RefusedError:
    line = json.dumps({_KEY: {name: ["runbooks/*.yaml"]}})[1:-1]
    return RefusedError(
        f"{str(path)!r} {what}; it is not changed",
        hint=f"write the schema with `wct schema > {name}`, and add this by hand: {line}",
    )


def _indent(text: str) -> int | str:
    """Return the indentation of a JSON text; without one, four blanks as VS Code does."""
    found = re.search(r"^([ \t]+)\S", text, re.MULTILINE)
    return found[1] if found else 4


def _runbooks(folder: Path) -> list[str]:
    """Return the paths of the runbooks in a folder: YAML files with `artifacts` at the top."""
    return sorted(path.relative_to(folder).as_posix() for path in _yaml(folder) if _declares(path))


def _yaml(folder: Path) -> Iterator[Path]:
    count = 0
    for at, folders, files in os.walk(folder):
        here = Path(at)
        deep = len(here.relative_to(folder).parts) >= _DEEPEST
        folders[:] = [] if deep else sorted(one for one in folders if not _skipped(one))
        for name in sorted(files):
            if name.endswith((".yaml", ".yml")) and not name.startswith("."):
                count += 1
                if count > _MOST_FILES:
                    return
                yield here / name


def _skipped(name: str) -> bool:
    return name.startswith(".") or name in ("node_modules", "venv", "__pycache__")


def _declares(path: Path) -> bool:
    try:
        with open_file(path, follow=False) as file:
            return re.search(rb"^artifacts[ \t]*:", file.read(_HEAD), re.MULTILINE) is not None
    except (NotAFileError, OSError):
        return False
