"""Fingerprints of code: the file that is named and everything that it imports.

Modules of its own folder, and modules outside distributions, are identified by the digests of their
files; distributions by their versions; the standard library by the version of Python, which is part
of every fingerprint. The imports are read from the text of the files. After the code has run, the
modules that it really imported must be among them: otherwise there is no fingerprint. Files that it
reads by other means than an import are not covered.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from waivern.message import sha256
from waivern.plugins.installed_code import (
    ImportStatement,
    UncertainError,
    check,
    file_of,
    files_of,
    imports_of,
    standard,
    version_of,
)
from waivern.plugins.module_folders import ModuleFolder
from waivern.plugins.module_search import FoundModule, look

__all__ = ["Fingerprints", "Runtime", "UncertainError", "runtime"]


class Fingerprints:
    """The fingerprints of one run: each file is read once. Thread-safe."""

    def __init__(self) -> None:
        self._walks: dict[Path, _Walk] = {}
        self._installed: dict[str, _Installed] = {}
        self._classes: dict[type, str] = {}

    def of_file(self, folder: ModuleFolder, file: Path) -> str:
        """Return the digest of a file in a folder, with all that it imports.

        Of a file that imports only the standard library it is the digest of its bytes. Raises
        UncertainError if something else than that is what runs, OSError if it cannot be read.
        """
        walk = self._walks.get(file)
        if walk is None:
            digest, walk = folder.source(file).digest, _Walk(folder)
            walk.file(folder.name_of(file), digest, FoundModule(file))
            self._walks[file] = walk
        if strange := sorted(folder.reached(walk.name) - walk.names):
            short = strange[0].removeprefix(f"{folder.name}.")
            raise UncertainError(
                f"{file.name!r} imports {short!r} in a way that its text does not show"
            )
        installed = self._of_installed(walk.outside)
        if len(walk.files) == 1 and not installed:
            return walk.digest
        return _digest({"files": walk.files, "installed": installed})

    def of_module(self, name: str) -> str:
        """Return the digest of a module on `sys.path`, with all that it imports.

        Raises UncertainError if something else than that is what runs.
        """
        top = name.partition(".")[0]
        if standard(top) and name != "__main__":
            return f"python {name}"
        file = file_of(name)
        if name == "__main__" or file is None:
            raise UncertainError(f"module {name!r} has no source file that was read before it ran")
        own = {name: sha256(file.read_bytes())}
        return _digest({"files": own, "installed": self._of_installed({top})})

    def of_class(self, kind: type) -> str:
        """Return the digest of the module that defines a class. Raises UncertainError.

        Of the built-in components the version of the package is part of it.
        """
        found = self._classes.get(kind)
        if found is not None:
            return found
        top = kind.__module__.partition(".")[0]
        if top != "waivern":
            return self.of_module(kind.__module__)
        version, module = runtime().waivern, sys.modules[kind.__module__]
        digest = sha256(Path(str(module.__file__)).read_bytes())
        found = self._classes[kind] = f"waivern {version} {digest}"
        return found

    def _of_installed(self, tops: set[str]) -> dict[str, str]:
        """Return the identities of modules on `sys.path`, with those that they import."""
        found: dict[str, str] = {}
        ahead = sorted(tops)
        while ahead:
            top = ahead.pop()
            if top in found or standard(top) or top == "waivern":
                continue
            known = self._installed.get(top)
            if known is None:
                known = self._installed[top] = _read(top)
            for name, digest in known.files.items():
                check(name, digest)
            found[top] = known.digest
            ahead += known.imports
        return found


class Runtime(NamedTuple):
    """The versions of waivern and Python."""

    waivern: str
    python: str


def runtime() -> Runtime:
    """Return the versions of this process."""
    # `import waivern` would make the package's own front a dependency of this layer
    version = sys.modules["waivern"].__version__
    return Runtime(version, ".".join(map(str, sys.version_info[:3])))


def _digest(parts: dict[str, dict[str, str]]) -> str:
    return sha256(json.dumps(parts, sort_keys=True).encode())


class _Walk:
    """The walk from a file of a folder to the files that it imports."""

    def __init__(self, folder: ModuleFolder) -> None:
        self._folder = folder
        self.name, self.digest = "", ""
        """The name of the first file, and the digest of its bytes."""
        self.names: set[str] = set()
        """Modules of the folder, by their full names."""
        self.files: dict[str, str] = {}
        """Digests, by path below the folder."""
        self.outside: set[str] = set()
        """Modules from elsewhere, by the first part of their names."""

    def file(self, name: str, digest: str, found: FoundModule) -> None:
        """Add a module and what it imports."""
        self.name, self.digest = name, digest
        ahead = [(name, found)]
        while ahead:
            name, found = ahead.pop()
            if name in self.names:
                continue
            self.names.add(name)
            if not found.namespace:
                ahead += self._read(name, found)

    def _read(self, name: str, found: FoundModule) -> Iterator[tuple[str, FoundModule]]:
        try:
            source = self._folder.source(found.path)
        except OSError as error:
            raise UncertainError(f"{found.path.name!r} cannot be read: {error.strerror}") from error
        self.files[os.path.relpath(found.path, self._folder.path)] = source.digest
        if found.path.suffix == ".py":
            for each in imports_of(source.data):
                yield from self._imported(each, name, found)

    def _imported(
        self, each: ImportStatement, importer: str, found: FoundModule
    ) -> Iterator[tuple[str, FoundModule]]:
        root = self._folder.name
        if each.level:
            package = importer if found.package else importer.rpartition(".")[0]
            for _ in range(each.level - 1):
                package = package.rpartition(".")[0]
            if package == root or package.startswith(f"{root}."):
                inside = package.removeprefix(root).removeprefix(".")
                yield from self._below(".".join(filter(None, (inside, each.name))), each.items)
            return
        top = each.name.partition(".")[0]
        own = self._folder.own(each.name, each.items, found.path)
        if own is None:
            self.outside.add(top)
            own = self._folder.find(top)  # used if it is found nowhere else
            own = own if own is not None and own.path != found.path else None
        if own is not None:
            yield from self._below(each.name, each.items)

    def _below(self, dotted: str, items: tuple[str, ...]) -> Iterator[tuple[str, FoundModule]]:
        """Yield the modules of a dotted name, and those of them that are imported from it."""
        folder, name = self._folder.path, self._folder.name
        for part in filter(None, dotted.split(".")):
            top = name == self._folder.name
            found = self._folder.find(part) if top else look(folder, part)
            if found is None:
                return
            name = f"{name}.{part}"
            yield name, found
            if not found.package:
                return
            folder = found.path if found.namespace else found.path.parent
        for item in items:
            if (found := look(folder, item)) is not None:
                yield f"{name}.{item}", found


class _Installed(NamedTuple):
    """A top-level module on `sys.path`."""

    digest: str
    """The versions of its distributions; None if it belongs to none."""
    files: dict[str, str]
    """Module to digest, if it belongs to no distribution."""
    imports: list[str]


def _read(top: str) -> _Installed:
    version = version_of(top)
    if version is not None:
        return _Installed(version, {}, [])
    files, imports = {}, []
    for path, name in files_of(top).items():
        try:
            data = path.read_bytes()
        except OSError as error:
            raise UncertainError(f"{path.name!r} cannot be read: {error.strerror}") from error
        files[name] = sha256(data)
        imports += [one.name.partition(".")[0] for one in imports_of(data) if not one.level]
    return _Installed(_digest({"files": files}) if files else "none", files, imports)
