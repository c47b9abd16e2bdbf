"""Components in folders of a project: the module `<name>.py` declares the component `<name>`.

It does so with a variable `connector` or `processor` at its top level, a class or an instance.
Which of the two it has is read from its text: no module is run until its component is named.
"""

from __future__ import annotations

import ast
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Literal, NamedTuple, TypeAlias

from waivern.errors import RefusedError
from waivern.files import open_file
from waivern.message import sha256

Variable: TypeAlias = Literal["connector", "processor"]
VARIABLES: frozenset[Variable] = frozenset({"connector", "processor"})

DIGEST = "__waivern_digest__"
"""In a module that was run from a folder: the digest of its source as it was run."""
MAX_BYTES = 4 * 1024 * 1024

_loading = threading.RLock()  # a module may name another component


class Module(NamedTuple):
    """A file that declares a component."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    def variables(self) -> frozenset[Variable]:
        """Return what the text binds; both if that cannot be told, for `load` to say why."""
        try:
            return frozenset(_bound(ast.parse(_source(self.path)))) or VARIABLES
        except (ImportError, SyntaxError, ValueError, RecursionError, MemoryError):
            return VARIABLES

    def load(self, variable: Variable) -> object:
        """Return what the module's variable holds; the module is run once in this process.

        Raises ImportError if it is not a file to be run or has no such variable, and whatever the
        module raises.
        """
        with _loading:
            module = _run(self.path)
        if not hasattr(module, variable):
            raise ImportError(f"it has no variable {variable!r}")
        return getattr(module, variable)


def modules(folders: Iterable[str | Path], within: str | Path) -> list[Module]:
    """Return the modules in folders that must be inside the folder `within`, links followed.

    Names that begin with '_' or '.' are left out, for helpers. A folder that is not there has none.
    Raises RefusedError for one that is elsewhere or cannot be read.
    """
    return [module for folder in folders for module in _in_folder(folder, Path(within).resolve())]


def _in_folder(folder: str | Path, within: Path) -> list[Module]:
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
    return [Module(real / n) for n in names if n.endswith(".py") and n[0] not in "_."]


def _bound(tree: ast.Module) -> Iterator[Variable]:
    for node in tree.body:
        names: list[str | None] = []
        match node:
            case ast.Assign():
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.ClassDef(name=name):
                names = [name]
            case ast.Import() | ast.ImportFrom():
                names = [alias.asname or alias.name for alias in node.names]
        yield from (variable for variable in VARIABLES if variable in names)


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


@cache
def _run(path: Path) -> ModuleType:
    """Run the file as it is now, under a name of its own; no bytecode is left beside it."""
    source = _source(path)
    code = compile(source, path, "exec", dont_inherit=True)
    name = f"_waivern_component_{sha256(bytes(path)).removeprefix('sha256:')[:16]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    module.__dict__[DIGEST] = sha256(source)
    sys.modules[name] = module  # dataclasses and pickle look there
    try:
        exec(code, module.__dict__)  # noqa: S102 - the project names its folder for this
    except BaseException:
        del sys.modules[name]
        raise
    return module
