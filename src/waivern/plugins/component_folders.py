"""Components in folders of a project: the module `<name>.py` declares the component `<name>`.

It does so with a variable at its top level, a class or an instance, that is named like the kind:
`connector`, `processor`. Which of them it has is read from its text: no module is run until its
component is named.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from waivern.errors import RefusedError
from waivern.files import open_file
from waivern.kinds import KINDS, Kind
from waivern.plugins.module_folders import ModuleFolder, ModuleFolders
from waivern.plugins.restrictions import restricted
from waivern.plugins.syntax_trees import parse

_BY_VARIABLE = {kind.singular: kind for kind in KINDS.values() if kind.in_folders}

MAX_BYTES = 4 * 1024 * 1024


class ComponentOutline(NamedTuple):
    """The description of a component in the text of its file; empty where it is no literal."""

    version: str
    description: str
    path: str


class ComponentModule(NamedTuple):
    """A file that declares a component."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    def kinds(self) -> list[Kind]:
        """Return the kinds that the text declares; all if that is unknown: `load` reports why."""
        try:
            bound = set(_bound(parse(_source(self.path))))
        except (ImportError, SyntaxError, ValueError, RecursionError, MemoryError):
            bound = set()
        return [_BY_VARIABLE[each] for each in sorted(bound or _BY_VARIABLE)]

    def outline(self, variable: str) -> ComponentOutline | None:
        """Return the outline of the component; None if the text declares none of this kind."""
        try:
            tree = parse(_source(self.path))
        except (ImportError, SyntaxError, ValueError, RecursionError, MemoryError):
            return ComponentOutline("", "", str(self.path))
        if variable not in _bound(tree):
            return None
        return _outline(tree, variable, self.path)

    def folder(self, imports: ModuleFolders) -> ModuleFolder:
        """Return the folder that the file is in."""
        return imports.folder(self.path.parent, follow=False)

    def load(self, variable: str, imports: ModuleFolders) -> object:
        """Return the value of the module's variable; the module is run once in these `imports`.

        Raises ImportError if it cannot be run or has no such variable, and any error of the module.
        """
        _source(self.path)
        with restricted(self.path.name):
            module = self.folder(imports).load(self.path)
        if not hasattr(module, variable):
            raise ImportError(f"it has no variable {variable!r}")
        return getattr(module, variable)


def modules(folders: Iterable[str | Path], within: str | Path) -> list[ComponentModule]:
    """Return the modules in folders that must be inside the folder `within`, links followed.

    Names that begin with '_' or '.' are helpers and left out. A missing folder has no modules.
    Raises RefusedError for a folder that is elsewhere or cannot be read.
    """
    return [module for folder in folders for module in _in_folder(folder, Path(within).resolve())]


def _in_folder(folder: str | Path, within: Path) -> list[ComponentModule]:
    real = Path(folder).resolve()
    if not real.is_relative_to(within):
        raise RefusedError(
            f"the folder of components '{folder}' is outside {within}",
            hint="component_paths are below the folder of the project file, links followed",
        )
    try:
        names = sorted(entry.name for entry in os.scandir(real))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RefusedError(
            f"the folder of components '{folder}' cannot be read: {error.strerror}",
            hint="correct component_paths in the project file",
        ) from error
    return [ComponentModule(real / n) for n in names if n.endswith(".py") and n[0] not in "_."]


def _bound(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        names: list[str | None] = []
        match node:
            case ast.Assign():
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.ClassDef(name=name):
                names = [name]
            case ast.Import() | ast.ImportFrom():
                names = [alias.asname or alias.name for alias in node.names]
        yield from (variable for variable in _BY_VARIABLE if variable in names)


def _outline(tree: ast.Module, variable: str, path: Path) -> ComponentOutline:
    name: str = variable
    for node in tree.body:  # connector = Class, or = Class(...)
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        value = value.func if isinstance(value, ast.Call) else value
        if isinstance(value, ast.Name) and variable in _bound(ast.Module([node], [])):
            name = value.id
    classes = [each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name]
    version, text = "", ast.get_docstring(tree)
    for each in classes:
        text = ast.get_docstring(each) or text
        for line in each.body:
            match line:
                case ast.Assign([ast.Name(id="version")], ast.Constant(value=str(version))):
                    pass
                case ast.AnnAssign(ast.Name(id="version"), value=ast.Constant(value=str(version))):
                    pass
    return ComponentOutline(version, (text or "").partition("\n")[0], str(path))


def _source(path: Path) -> bytes:
    try:
        with open_file(path, follow=False) as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = "a link" if path.is_symlink() else error.strerror or "it cannot be read"
        raise ImportError(reason) from error
    if len(data) > MAX_BYTES:
        raise ImportError(f"it is larger than {MAX_BYTES // 2**20} MiB")
    return data
