"""Identity of code that is found on `sys.path`: distributions by version, other files by digest.

Python runs the code that it imported first, even if the file changes afterwards. A module outside a
distribution is therefore identified only if its file was read around its first import and has not
changed since.
"""

import ast
import importlib.util
import json
import marshal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib.machinery import ModuleSpec
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple, TypeVar

from waivern.errors import ComponentError
from waivern.message import sha256
from waivern.plugins.syntax_trees import parse

T = TypeVar("T")
MOST_FILES = 5_000
TICK_NS = 20_000_000
"""The coarsest step of a file system's clock."""


class UncertainError(ComponentError):
    """Raised if it is not certain which code runs; the message is the reason."""


class ImportStatement(NamedTuple):
    """An import statement."""

    name: str
    items: tuple[str, ...] = ()
    level: int = 0


class _Imported(NamedTuple):
    """The file of a module as it was imported."""

    spec: ModuleSpec
    """The spec of the import; a reload creates another object."""
    digest: str
    names: dict[str, object]


_imported: dict[str, _Imported] = {}  # per process, because `sys.modules` is


def standard(top: str) -> bool:
    """Return whether a module is part of Python."""
    return top in sys.stdlib_module_names


def importing(name: str, act: Callable[[], T], items: Iterable[str] = ()) -> T:
    """Return the result of `act`, which imports a module, and `items` that may be modules below it.

    Remembers what the files of the new modules were; nothing about one that was imported before.
    """
    top = name.partition(".")[0]
    module = sys.modules.get(name)
    if standard(top) or top == "waivern" or (module and all(hasattr(module, i) for i in items)):
        return act()
    before, began = frozenset(sys.modules), time.time_ns()
    files = _digests(top)
    try:
        return act()
    finally:
        for new in sys.modules.keys() - before:
            _remember(new, files, began)


def version_of(top: str) -> str | None:
    """Return the distributions of a module with their versions; None if they do not identify it."""
    owners = _owners(tuple(sys.path)).get(top, ())
    if not owners or any(_editable(owner) for owner in owners):
        return None
    return " ".join(sorted(f"{owner.name} {owner.version}" for owner in owners))


def files_of(top: str) -> dict[Path, str]:
    """Return the Python files of a top-level module that no distribution has: path to module name.

    Empty if there is no such module. Raises UncertainError if one has no source.
    """
    module = sys.modules.get(top)
    spec = getattr(module, "__spec__", None) if module else _spec(top)
    if spec is None and module is None:
        return {}
    folders = getattr(spec, "submodule_search_locations", None)
    if folders is not None:
        return dict(_tree(top, [Path(each) for each in folders]))
    origin = getattr(spec, "origin", None)
    if not origin or not origin.endswith(".py"):
        raise UncertainError(f"module {top!r} has no source file")
    return {Path(origin): top}


def check(name: str, digest: str) -> None:
    """Raise UncertainError unless a module was imported from a file with this digest."""
    module = sys.modules.get(name)
    if module is None:
        return
    known = _imported.get(name)
    if known is None or known.spec is not getattr(module, "__spec__", None):
        raise UncertainError(
            f"module {name!r} was imported or reloaded by other code: its file may have changed"
        )
    if known.digest != digest:
        raise UncertainError(f"the file of module {name!r} has changed since it was imported")
    now = vars(module)
    if other := [each for each, value in known.names.items() if now.get(each) is not value]:
        raise UncertainError(f"{other[0]!r} of module {name!r} was replaced after its import")


def file_of(name: str) -> Path | None:
    """Return the source file of a module, without importing it or its parents; None without one."""
    found = getattr(sys.modules.get(name), "__spec__", None)
    if found is not None:
        return Path(found.origin) if found.has_location and found.origin else None
    path, folders, spec = "", None, None
    for part in name.split("."):
        path = f"{path}.{part}" if path else part
        specs = (finder.find_spec(path, folders) for finder in sys.meta_path)
        spec = next(filter(None, specs), None)
        if spec is None:
            return None
        folders = spec.submodule_search_locations
    return Path(spec.origin) if spec and spec.has_location and spec.origin else None


def imports_of(source: bytes) -> list[ImportStatement]:
    """Return all import statements of a file; none if it cannot be parsed."""
    try:
        tree = parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [ImportStatement(alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            items = tuple(alias.name for alias in node.names)
            found.append(ImportStatement(node.module or "", items, node.level))
    return found


def _digests(top: str) -> dict[Path, str]:
    """Return the digests of the files of a module, and of those that it imports."""
    found: dict[Path, str] = {}
    ahead, seen = [top], {"waivern"}
    while ahead:
        top = ahead.pop()
        if top in seen or standard(top):
            continue
        seen.add(top)
        try:
            files = {} if version_of(top) is not None else files_of(top)
            for path in files:
                data = path.read_bytes()
                found[path] = sha256(data)
                ahead += [each.name.partition(".")[0] for each in imports_of(data)]
        except (UncertainError, OSError):
            continue  # its modules then have no digest, and `check` refuses them
    return found


def _remember(name: str, files: dict[Path, str], began: int) -> None:
    module = sys.modules.get(name)
    spec = getattr(module, "__spec__", None)
    origin = getattr(spec, "origin", None)
    if module is None or spec is None or not origin or not origin.endswith(".py"):
        return
    top = name.partition(".")[0]
    if standard(top) or top == "waivern" or version_of(top) is not None:
        return
    path = Path(origin)
    try:
        data, changed = path.read_bytes(), path.stat().st_ctime_ns
    except OSError:
        return
    digest = sha256(data)
    unchanged = files.get(path) == digest or changed < began - TICK_NS
    if unchanged and _compiled_from(spec, data):
        _imported[name] = _Imported(spec, digest, dict(vars(module)))


def _compiled_from(spec: ModuleSpec, source: bytes) -> bool:
    """Return whether the bytecode that may have been run is that of the source.

    Python compares times in whole seconds: an edit within one may leave bytecode that is too old.
    """
    try:
        code = Path(spec.cached or "").read_bytes()[16:]
    except (OSError, ValueError):
        return True
    now = (source, str(spec.origin), "exec")
    try:
        loaded = marshal.loads(code)  # noqa: S302 - Python itself loads this file
        same: bool = loaded == compile(*now, dont_inherit=True)
    except (ValueError, EOFError, TypeError, SyntaxError):
        return False
    return same


def _tree(top: str, folders: list[Path]) -> Iterator[tuple[Path, str]]:
    count = 0
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            count += 1
            if count > MOST_FILES:
                raise UncertainError(f"package {top!r} has more than {MOST_FILES:,} files")
            parts = path.relative_to(folder).with_suffix("").parts
            yield path, ".".join((top, *(parts[:-1] if parts[-1] == "__init__" else parts)))


def _spec(top: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None


def _editable(owner: Distribution) -> bool:
    try:
        found = json.loads(owner.read_text("direct_url.json") or "{}")
        return bool(found.get("dir_info", {}).get("editable"))
    except (ValueError, AttributeError):
        return False


@lru_cache(maxsize=2)
def _owners(_path: tuple[str, ...]) -> dict[str, list[Distribution]]:
    """Return the distributions by the modules that they have."""
    found: dict[str, list[Distribution]] = {}
    for owner in distributions():
        for top in _tops(owner):
            found.setdefault(top, []).append(owner)
    return found


def _tops(owner: Distribution) -> set[str]:
    listed = (owner.read_text("top_level.txt") or "").split()
    if listed:
        return set(listed)
    files = owner.files or ()
    tops = {each.parts[0] if len(each.parts) > 1 else each.stem for each in files}
    return {top for top in tops if top.isidentifier()}
