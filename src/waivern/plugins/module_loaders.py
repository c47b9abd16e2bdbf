"""The `__import__` of modules in a user's folder, and the loaders that install it."""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    ExtensionFileLoader,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from waivern.plugins.installed_code import importing

if TYPE_CHECKING:
    from waivern.plugins.module_folders import ModuleFolder


class FolderImporter:
    """The `__import__` of one module in a folder."""

    def __init__(self, folder: ModuleFolder, module: str, file: Path) -> None:
        self._folder = folder
        self._module = module
        self._file = file
        self._importlib = _Importlib(self.import_module)

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the protocol's names
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        items = tuple(fromlist or ())
        try:
            if level:
                return self._relative(name, globals, items, level)
            if self._folder.own(name, items, self._file) is not None:
                return self._own(name, items)
            module = importing(
                name, lambda: builtins.__import__(name, globals, locals, items, 0), items
            )
        except ModuleNotFoundError as error:
            top = name.partition(".")[0]
            if not level and error.name == top and self._folder.find(top, last=True):
                return self._own(name, items)
            raise _plain(error, self._folder) from None
        self._folder.settle(name.partition(".")[0])
        if name == "sys":
            return self._folder.sys
        if name == "importlib" or (name.startswith("importlib.") and not items):
            return self._importlib
        return module

    def import_module(self, name: str, package: str | None = None) -> ModuleType:
        """Do as `importlib.import_module`."""
        name = importlib.util.resolve_name(name, package)
        own = self._folder.own(name, ("*",), self._file)
        full = f"{self._folder.name}.{name}" if own else name
        try:
            module = importing(full, lambda: importlib.import_module(full))
        except ModuleNotFoundError as error:
            raise _plain(error, self._folder) from None
        if module.__name__.startswith(f"{self._folder.name}."):
            self._folder.note(self._module, module.__name__, ())
        return module

    def _own(self, name: str, items: Sequence[str]) -> ModuleType:
        full = f"{self._folder.name}.{name}"
        # with no item to import, the import system returns the first package of the name
        leaf = builtins.__import__(full, None, None, items or ("__name__",), 0)
        self._folder.note(self._module, full, _listed(leaf, items))
        top = f"{self._folder.name}.{name.partition('.')[0]}"
        return leaf if items else sys.modules[top]

    def _relative(
        self, name: str, around: Mapping[str, Any] | None, items: Sequence[str], level: int
    ) -> ModuleType:
        module = builtins.__import__(name, around, None, items, level)
        package = str((around or {}).get("__package__") or "")
        full = importlib.util.resolve_name("." * level + name, package)
        self._folder.note(self._module, full, _listed(module, items))
        return module


class _Importlib(ModuleType):
    """The `importlib` of a module in a folder: `import_module` looks in the folder first."""

    def __init__(self, import_module: Callable[[str, str | None], ModuleType]) -> None:
        super().__init__("importlib", importlib.__doc__)
        self.import_module = import_module

    def __getattr__(self, name: str) -> Any:
        return getattr(importlib, name)


class FolderSys(ModuleType):
    """The `sys` of the modules of one folder: what they add to `path` affects no others."""

    path: list[str]

    def __init__(self) -> None:
        super().__init__("sys", sys.__doc__)
        self.__dict__["path"] = list(sys.path)

    def __getattr__(self, name: str) -> Any:
        return getattr(sys, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "path":
            self.__dict__["path"] = value
        else:
            setattr(sys, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(sys, name)


class _Scoped:
    """The part of a loader that runs a module as one of its folder."""

    folder: ModuleFolder
    path: str

    def get_code(self, fullname: str) -> CodeType | None:
        raise NotImplementedError

    def exec_module(self, module: ModuleType) -> None:
        code = self.get_code(module.__name__)
        assert code is not None
        module.__dict__["__builtins__"] = vars(builtins) | {
            "__import__": FolderImporter(self.folder, module.__name__, Path(self.path))
        }
        exec(code, module.__dict__)  # noqa: S102 - the file that a runbook or a project names


class _SourceLoader(_Scoped, SourceFileLoader):  # type: ignore[misc]
    """The loader of source: runs the bytes that were read first; reads and writes no bytecode."""

    def get_data(self, path: str) -> bytes:
        return self.folder.source(Path(path)).data if path == self.path else super().get_data(path)

    def get_code(self, fullname: str) -> CodeType | None:  # noqa: ARG002 - the loader's protocol
        try:
            data = self.get_data(self.path)
        except OSError as error:
            link = Path(self.path).is_symlink()
            reason = "it is a link" if link else error.strerror or "it cannot be read"
            raise ImportError(f"{self.path}: {reason}", path=self.path) from error
        code: CodeType = compile(data, self.path, "exec", dont_inherit=True)
        return code


class _BytecodeLoader(_Scoped, SourcelessFileLoader):
    def get_code(self, fullname: str) -> CodeType | None:
        return SourcelessFileLoader.get_code(self, fullname)


def loader_of(folder: ModuleFolder, name: str, path: str) -> Any:
    """Return the loader of a file of a folder."""
    if path.endswith(".py"):
        loader: Any = _SourceLoader(name, path)
    elif path.endswith(tuple(BYTECODE_SUFFIXES)):
        loader = _BytecodeLoader(name, path)
    else:
        return ExtensionFileLoader(name, path)
    loader.folder = folder
    return loader


def _plain(error: ModuleNotFoundError, folder: ModuleFolder) -> ModuleNotFoundError:
    """Return the error with the module name as it is written in the user's file."""
    root = f"{folder.name}."
    if not (error.name or "").startswith(root):
        return error
    text, name = str(error).replace(root, ""), str(error.name).removeprefix(root)
    return ModuleNotFoundError(text, name=name, path=error.path).with_traceback(error.__traceback__)


def _listed(module: ModuleType, items: Iterable[str]) -> list[str]:
    """Return the names that are imported from a module, '*' expanded."""
    found = [item for item in items if item != "*"]
    return found if "*" not in items else [*found, *getattr(module, "__all__", ())]
