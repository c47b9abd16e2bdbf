"""Modules in a user's folders, imported so that no folder sees another's.

A file may import its neighbours by name, as a script does. The search begins in the folder of the
file, and the module is entered into `sys.modules` under a name that contains the folder, never
under the plain name. Two folders that both have a `helper.py` therefore get one each, in one
process, at the same time, and code outside a folder does not see its modules at all.

The name of such a module is `waivern.plugins.module_folders.<quoted folder>.<module>`. It can be
imported: a spawned child process finds the file by it. ADR 17 has the reasons.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import threading
import weakref
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from waivern.files import open_file
from waivern.message import sha256
from waivern.plugins.module_loaders import FolderSys, loader_of
from waivern.plugins.module_search import FoundModule, look, quoted, unquoted

PREFIX = f"{__name__}."
__path__: list[str] = []  # the import system requires it of a parent of modules

_naming = threading.Lock()
"""Held while a folder gets its name: the names in `sys.modules` belong to the process."""


class ModuleSource(NamedTuple):
    """A file as it was when it was first read."""

    path: Path
    data: bytes
    digest: str


class ModuleFolders:
    """The modules of the folders that one project uses, until it is closed or garbage-collected.

    Thread-safe.
    """

    def __init__(self) -> None:
        self._folders: dict[tuple[Path, bool], ModuleFolder] = {}
        self._lock = threading.Lock()
        names: list[str] = []
        self._names = names
        self._finalizer = weakref.finalize(self, _forget, names)
        self._finalizer.atexit = False

    def close(self) -> None:
        """Remove the modules from `sys.modules`; code of theirs that still runs is not affected."""
        self._finalizer()

    def folder(self, path: Path, *, follow: bool = True) -> ModuleFolder:
        """Return a folder; without `follow`, no file in it may be a symbolic link."""
        path = path.resolve()
        with self._lock:
            found = self._folders.get((path, follow))
            if found is None:
                found = self._folders[path, follow] = ModuleFolder(path, follow=follow)
                self._names.append(found.name)
            return found


class ModuleFolder:
    """A folder, its modules and what each of them imported from it. Thread-safe."""

    def __init__(self, path: Path, *, follow: bool = True, name: str | None = None) -> None:
        self.path = path
        self._follow = follow
        self._sources: dict[Path, ModuleSource] = {}
        self._names: dict[Path, str] = {}
        self._loaded: dict[str, ModuleType] = {}
        """What `load` returned: it is called for each artifact, and an import costs more."""
        self._tops: dict[str, FoundModule] = {}
        self._elsewhere: set[str] = set()
        self.sys = FolderSys()
        self.unlock()
        self.edges: dict[str, set[str]] = {}
        """By the name of a module: the modules of this folder that it imported."""
        self._reached: dict[str, frozenset[str]] = {}
        """What `reached` returned since the last import: it is asked after each artifact."""
        self.name = _register(self, name)

    def unlock(self) -> None:
        """Release the lock, whichever thread held it."""
        self._lock = threading.Lock()

    def source(self, path: Path) -> ModuleSource:
        """Return a file, which is read once. Raises OSError."""
        with self._lock:
            found = self._sources.get(path)
        if found is None:
            with open_file(path, follow=self._follow) as file:
                data = file.read()
            with self._lock:  # of two threads that read it at once, the first decides
                found = self._sources.setdefault(path, ModuleSource(path, data, sha256(data)))
        return found

    def name_of(self, file: Path) -> str:
        """Return the name under which a file of the folder is imported, the same each time."""
        name = self._names.get(file)
        if name is None:
            found = self.find(quoted(file.stem))
            # a package of the same name takes precedence when it is imported
            tail = file.stem if found is not None and found.path == file else file.name
            name = self._names[file] = f"{self.name}.{quoted(tail)}"
        return name

    def load(self, file: Path) -> ModuleType:
        """Return the module in a file of the folder, run once. Raises what the module raises."""
        name = self.name_of(file)
        module = self._loaded.get(name)
        if module is None or sys.modules.get(name) is not module:
            # one that another thread is importing is there only when it is whole
            module = self._loaded[name] = importlib.import_module(name)
        return module

    def find(self, top: str, *, last: bool = False) -> FoundModule | None:
        """Return the module of this name at the top of the folder, or of one that it put in `path`.

        With `last`, also of those at the end of `path`, which are searched after everything else.
        """
        found = self._tops.get(top)
        if found is None:
            first, after = self._added()
            places = [self.path, *first, *(after if last else ())]
            found = next(filter(None, (look(place, top) for place in places)), None)
            if found is not None:
                self._tops[top] = found
        return found

    def settle(self, top: str) -> None:
        """Record that a module of this name was found elsewhere, and is not looked for again."""
        if top not in self._tops:
            self._elsewhere.add(top)

    def _added(self) -> tuple[list[Path], list[Path]]:
        """Return what the modules of the folder added to `sys.path`, before and after the others.

        Folders with installed packages, and archives, go to the `sys.path` of the process: such
        packages may not work under another name.
        """
        common, first, after = frozenset(sys.path), list[Path](), list[Path]()
        if self.sys.path == sys.path:
            return first, after
        seen = False
        for entry in self.sys.path:
            if entry in common or not isinstance(entry, str):
                seen = seen or entry in common
            elif not Path(entry).is_dir() or any(Path(entry).glob("*.dist-info")):
                sys.path.insert(len(sys.path) if seen else 0, entry)
            else:
                (after if seen else first).append(Path(entry).resolve())
        return first, after

    def own(self, name: str, items: Iterable[str], importer: Path) -> FoundModule | None:
        """Return the module of this folder that an absolute import resolves to, None if none does.

        A file does not import itself: `csv.py` that imports `csv` gets the standard library's. A
        package elsewhere takes precedence over a folder without `__init__.py`, and over a file
        where a package is needed.
        """
        top, _, rest = name.partition(".")
        found = None if top in self._elsewhere else self.find(top)
        if found is None or found.path == importer:
            return None
        if found.namespace:
            wanted = [rest.partition(".")[0]] if rest else items
            return found if any(look(found.path, each) for each in wanted) else None
        if rest and not found.package and _elsewhere(top):
            return None
        return found

    def spec(self, name: str, search: Sequence[str]) -> ModuleSpec | None:
        """Return the spec of the module of this name below one of the folders in `search`."""
        parent, _, tail = name.rpartition(".")
        if parent == self.name:
            found = self.find(tail, last=True)
        else:
            places = (look(Path(folder), tail) for folder in search)
            found = next(filter(None, places), None)
        if found is None:
            return None
        if found.namespace:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = [str(found.path)]
            return spec
        loader = loader_of(self, name, str(found.path))
        inside = [str(found.path.parent)] if found.package else None
        return importlib.util.spec_from_file_location(
            name, found.path, loader=loader, submodule_search_locations=inside
        )

    def note(self, importer: str, name: str, items: Iterable[str]) -> None:
        """Record that a module has imported one of this folder, and those above and below it."""
        names = [name, *(f"{name}.{item}" for item in items)]
        while (name := name.rpartition(".")[0]) != self.name and name.startswith(self.name):
            names.append(name)
        with self._lock:
            known = self.edges.setdefault(importer, set())
            known.update(each for each in names if each in sys.modules)
            self._reached.clear()

    def reached(self, name: str) -> frozenset[str]:
        """Return a module and all modules of this folder that it imported, directly or not."""
        with self._lock:
            if (known := self._reached.get(name)) is not None:
                return known
            found, ahead = {name}, [name]
            while ahead:
                new = self.edges.get(ahead.pop(), set()) - found
                found |= new
                ahead += new
            self._reached[name] = frozenset(found)
            return self._reached[name]


class _RootLoader:
    """The loader of the package of a folder; a file `__init__.py` in the folder is not run."""

    def __init__(self, folder: ModuleFolder) -> None:
        self._folder = folder

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave it to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["folder"] = self._folder


class ModuleFinder:
    """The finder of the modules of folders by their full names; first in `sys.meta_path`."""

    @staticmethod
    def find_spec(
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,  # noqa: ARG004 - the finder's protocol
    ) -> ModuleSpec | None:
        """Return the spec of a module whose name begins with PREFIX."""
        if not name.startswith(PREFIX):
            return None
        root, _, rest = name.removeprefix(PREFIX).partition(".")
        if rest:
            folder = _folder_of(sys.modules[PREFIX + root])
            return folder.spec(name, path or ())
        where = Path(unquoted(root.partition("~")[0]))
        if not where.is_absolute() or not where.is_dir():
            return None
        ModuleFolder(where, name=name)  # in a spawned child: its parent has named the folder
        return sys.modules[name].__spec__


sys.meta_path.insert(0, ModuleFinder)  # before the finder that takes any file below a `__path__`


def folder_of(module: str) -> ModuleFolder | None:
    """Return the folder of the module with this name; None if it belongs to none."""
    if not module.startswith(PREFIX):
        return None
    root = PREFIX + module.removeprefix(PREFIX).partition(".")[0]
    return _folder_of(sys.modules[root]) if root in sys.modules else None


def short(text: str) -> str:
    """Return a text with the names of modules as they are written in the user's files."""
    return re.sub(_FULL, "", text) if PREFIX in text else text


_FULL = re.escape(PREFIX) + r"[^.\n]*\."


def _folder_of(root: ModuleType) -> ModuleFolder:
    folder: ModuleFolder = root.__dict__["folder"]
    return folder


def _register(folder: ModuleFolder, name: str | None) -> str:
    """Enter the folder's own package into `sys.modules`, under a free name."""
    base = PREFIX + quoted(str(folder.path))
    with _naming:
        number = 1
        while name is None:
            free = base if number == 1 else f"{base}~{number}"
            name = None if free in sys.modules else free
            number += 1
        loader: Any = _RootLoader(folder)
        spec = ModuleSpec(name, loader, is_package=True)
        spec.submodule_search_locations = [str(folder.path)]
        root = sys.modules[name] = importlib.util.module_from_spec(spec)
        loader.exec_module(root)
    return name


def _forget(names: list[str]) -> None:
    """Remove the modules of folders from `sys.modules`."""
    for root in names:
        for name in [each for each in list(sys.modules) if f"{each}.".startswith(f"{root}.")]:
            sys.modules.pop(name, None)
        vars(sys.modules[__name__]).pop(root.removeprefix(PREFIX), None)


def _elsewhere(top: str) -> bool:
    return top in sys.modules or importlib.util.find_spec(top) is not None


def _after_fork() -> None:
    """In a child, release the locks that threads of the parent held: they do not exist there.

    A module that one of them was importing is imported again by the child itself; with the lock of
    the import system still held, the child would wait for ever.
    """
    global _naming
    _naming, own = threading.Lock(), threading.get_ident()
    locks: Any = vars(sys.modules["_frozen_importlib"])["_module_locks"]
    for name, reference in list(locks.items()):
        lock = reference()
        if lock is not None and lock.owner not in (None, own):
            locks.pop(name, None)
            sys.modules.pop(name, None)
    for name in list(sys.modules):
        if (folder := folder_of(name)) is not None:
            folder.unlock()


os.register_at_fork(after_in_child=_after_fork)
