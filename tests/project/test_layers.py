"""The layers of the package: who may import whom, wherever in a file the import stands."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import waivern
from waivern.record import journal_events

PACKAGE = Path(waivern.__file__).parent

LAYERS = [  # from the top; no import goes up, packages on one line do not import each other
    {"cli", "testing"},
    {"server"},  # `wct serve` starts it; it starts runs as processes of `wct`
    {"api", "exporters"},
    {"report"},
    {"runs"},
    {"engine", "pictures"},
    {"planning", "builtin"},
    {"plugins", "detection"},
    {"language", "record", "store"},
    {"yamldoc", "whole_artifact"},
    {"message"},
    {"record_stream", "json_faults"},
    {"kinds", "data_directory"},
    {"ids", "diagnostics", "clock", "files", "shapes"},
    {"errors"},
]
HEIGHT = {
    package_of: len(LAYERS) - n for n, packages in enumerate(LAYERS) for package_of in packages
}
RUNTIME = {"pydantic", "pydantic_core", "yaml", "click", "anyio"}
EXTRAS = {
    "testing/__init__.py": {"pytest"},
    "testing/artifact_conformance.py": {"pytest"},
    "testing/components.py": {"pytest"},
    "testing/run_conformance.py": {"pytest"},
    "testing/stores.py": {"pytest"},
    "testing/stream_conformance.py": {"pytest"},
    "exporters/xlsx_workbook.py": {"xlsxwriter"},
    "server": {"starlette", "uvicorn", "h11", "jinja2", "markupsafe"},
    "detection/ner/classifier.py": {"numpy", "onnxruntime"},
    "store/objects/bucket_client.py": {"obstore"},
    "store/remote/connection.py": {"httpx2"},
    "store/sql/postgres_connections.py": {"psycopg"},
    "store/sql/postgres_url.py": {"psycopg"},
}
"""Package or file -> what it may import beyond RUNTIME, each thing an extra."""

Import = tuple[str, str, int]
"""The file below the package, the module that it imports, the line."""


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Yield every module that a file imports, also inside functions and `if TYPE_CHECKING`."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            assert node.module
            for alias in node.names:
                deeper = PACKAGE.parent / Path(*node.module.split("."), alias.name)
                is_module = deeper.is_dir() or deeper.with_suffix(".py").is_file()
                yield (f"{node.module}.{alias.name}" if is_module else node.module), node.lineno


@cache
def everything() -> list[Import]:
    return [
        (str(path.relative_to(PACKAGE)), name, line)
        for path in sorted(PACKAGE.rglob("*.py"))
        for name, line in imports(path)
    ]


def package_of(module: str) -> str | None:
    """Return the first name below `waivern`; None for `waivern` itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def own(imported: list[Import]) -> Iterator[tuple[str, str, str, int]]:
    """Yield (package, file, module, line) for the imports within the project."""
    for file, name, line in imported:
        here = file.split("/")[0].removesuffix(".py")
        if here != "__init__" and name.split(".")[0] == "waivern":
            yield here, file, name, line


def test_the_parser_sees_what_is_there() -> None:
    seen = {(file, name) for file, name, _ in everything()}
    assert ("runs/attempt.py", "waivern.engine.loop") in seen
    assert ("message.py", "pydantic_core") in seen  # inside a function
    assert ("yamldoc/document.py", "waivern.yamldoc.positions") in seen  # if TYPE_CHECKING
    # those that import nothing of ours
    without = {"errors", "clock", "files", "shapes", "json_faults"}
    assert {package for package, *_ in own(everything())} >= HEIGHT.keys() - without


def test_every_package_has_its_layer() -> None:
    packages = {path.name.removesuffix(".py") for path in PACKAGE.iterdir() if path.name[0] != "_"}
    assert packages - {"py.typed"} <= HEIGHT.keys()


def test_no_import_goes_up_or_across() -> None:
    wrong = []
    for here, file, name, line in own(everything()):
        there = package_of(name)
        if there == here:
            continue
        if there is not None and HEIGHT[there] >= HEIGHT[here]:
            wrong.append(f"{file}:{line} imports {name}")
    assert wrong == []


def test_builtin_knows_no_language() -> None:
    """Shipped components use what any plugin can use."""
    known = {package_of(name) for here, _, name, _ in own(everything()) if here == "builtin"}
    assert known & {"language", "record", "store", "planning"} == set()


STORE_DOORS = {
    "waivern.store",
    "waivern.store.base",
    "waivern.store.opening",
    "waivern.store.store_values",
}
"""What the command line may import of the store: how to open one, what it is, and its values."""

EXCEPTIONS: dict[tuple[str, str], str] = {}
"""Imports that break a rule today, each with what has to change before it can go."""


def test_the_command_line_knows_no_internals_of_the_store() -> None:
    wrong = {
        (file, name)
        for package, file, name, _ in own(everything())
        if package == "cli" and package_of(name) == "store" and name not in STORE_DOORS
    }
    assert wrong - EXCEPTIONS.keys() == set()
    assert EXCEPTIONS.keys() - wrong == set(), "an exception that is no longer needed"


LAYOUT = {"waivern.store.layout", "waivern.store.disk", "waivern.store.disk_backend"}
OWN_FOLDERS = {("runs/output_delivery.py", "waivern.store.disk")}
"""Files that write to folders of the user's with the same care as to a store."""


def test_no_layer_above_the_store_knows_its_layout() -> None:
    above = {name for name, height in HEIGHT.items() if height > HEIGHT["store"]}
    wrong = {
        (file, name)
        for package, file, name, _ in own(everything())
        if package in above and name in LAYOUT
    }
    assert wrong == OWN_FOLDERS


def test_no_layer_above_the_store_spells_names_of_its_files() -> None:
    """Docstrings and messages may name them, paths may not be built from them."""
    names = {"events.jsonl", "runbook.yaml", "runs.jsonl", "run.json", "state.json", "pinned.json"}
    wrong = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}"
        for package_of in ("runs", "engine", "api")
        for path in (PACKAGE / package_of).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.Constant) and node.value in names
    ]
    assert wrong == []


def test_builtin_knows_no_internals_of_the_language() -> None:
    wrong = [
        f"{file}:{line} imports {name}"
        for package, file, name, line in own(everything())
        if package == "builtin" and package_of(name) in ("language", "store")
    ]
    assert wrong == []


@pytest.mark.sweep
def test_no_modules_import_each_other() -> None:
    """No circle at module level, and none through imports inside functions."""
    assert circles(late=False) == set()
    assert circles(late=True) == set()


def circles(*, late: bool) -> set[tuple[str, ...]]:
    """Return the sets of modules that import each other; `late`: also inside functions."""
    graph = {module(path): set(imported(path, late)) for path in PACKAGE.rglob("*.py")}
    graph = {name: {each for each in below if each in graph} for name, below in graph.items()}
    graph["waivern"] = set()  # the front door imports its names when they are first used
    reached = {name: reachable(graph, name) for name in graph}
    return {
        tuple(sorted(other for other in found if name in reached[other]))
        for name, found in reached.items()
        if name in found
    }


def module(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def reachable(graph: dict[str, set[str]], start: str) -> set[str]:
    """Return all modules that can be reached from one; itself only through a circle."""
    found: set[str] = set()
    stack = list(graph[start])
    while stack:
        name = stack.pop()
        if name not in found:
            found.add(name)
            stack += graph[name]
    return found


def imported(path: Path, late: bool) -> Iterator[str]:
    """Yield the modules that a file imports when it runs; not those under `TYPE_CHECKING`."""
    tree = ast.parse(path.read_bytes())
    stack: list[ast.AST] = list(tree.body)
    while stack:
        node = stack.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            stack += node.orelse
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not late:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                deeper = PACKAGE.parent / Path(*node.module.split("."), alias.name)
                is_module = deeper.is_dir() or deeper.with_suffix(".py").is_file()
                yield f"{node.module}.{alias.name}" if is_module else node.module
        stack += ast.iter_child_nodes(node)


def test_nobody_imports_builtin() -> None:
    wrong = [
        f"{f}:{n}"
        for r, f, n, _ in own(everything())
        if r != "builtin" and package_of(n) == "builtin"
    ]
    assert wrong == []


@pytest.mark.parametrize("file", ["runs/queries.py", "runs/prepare.py", "runs/run_references.py"])
def test_readers_do_not_reach_the_engine(file: str) -> None:
    """Not even through what they import."""
    known = {path.relative_to(PACKAGE.parent) for path in PACKAGE.rglob("*.py")}
    reached, stack = set(), [f"waivern/{file}"]
    while stack:
        path = stack.pop()
        for name, _ in imports(PACKAGE.parent / path):
            plain = Path(*name.split("."))
            for each in (plain.with_suffix(".py"), plain / "__init__.py"):
                if each in known and each not in reached:
                    reached.add(each)
                    stack.append(str(each))
    assert Path("waivern/store/base.py") in reached
    assert [path for path in reached if "engine" in path.parts] == []


TASKS = {"create_task_group", "TaskGroup", "gather", "create_task", "ensure_future"}
LOOPS = {"new_event_loop", "run_forever", "run_until_complete"}


@cache
def used() -> dict[str, set[str]]:
    """Return the names that each file uses."""
    return {
        str(path.relative_to(PACKAGE)): {
            node.attr if isinstance(node, ast.Attribute) else node.id
            for node in ast.walk(ast.parse(path.read_bytes()))
            if isinstance(node, ast.Attribute | ast.Name)
        }
        for path in PACKAGE.rglob("*.py")
    }


def users(names: set[str]) -> set[str]:
    """Return the files in which one of these names is used."""
    return {file for file, those in used().items() if those & names}


def test_no_task_group_drives_a_run() -> None:
    """The loop is synchronous (ADR 12); the pipes of a command are the component's own.

    So are the tasks of a component that is a coroutine (ADR 19).
    """
    drivers = {file for file in users(TASKS) if not file.startswith("server/")}  # it only reads
    assert drivers == {"builtin/command.py", "engine/coroutines.py"}
    assert users(LOOPS) == {"engine/coroutines.py"}
    files = ("engine/loop.py", "engine/transitions.py", "engine/inbox.py")
    loop = {name for file, name, _ in everything() if file in files}
    assert "queue" in loop
    assert not {name.partition(".")[0] for name in loop} & {"asyncio", "anyio"}


def test_only_the_loop_changes_the_state_of_a_run() -> None:
    """Only the loop, in its transitions, creates events of artifacts and enters them.

    `step_events` returns two of them to it.
    """
    events = {name for name in vars(journal_events) if name.startswith("Artifact")}
    assert len(events) > 5
    makers = users(events) & {path for path, _, _ in everything() if path.startswith("engine/")}
    assert "engine/transitions.py" in makers
    called = {path for path in makers if calls(path, events)}
    # the ledger: of a store that failed
    assert called <= {"engine/transitions.py", "engine/step_events.py", "engine/ledger.py"}
    assert users({"step_events"}) == {"engine/transitions.py"}
    assert users({"Transitions"}) == {"engine/loop.py"}


def calls(file: str, names: set[str]) -> bool:
    """Say whether a file calls one of these."""
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names
        for node in ast.walk(ast.parse((PACKAGE / file).read_bytes()))
    )


def test_only_runtime_dependencies() -> None:
    wrong = []
    for file, name, line in everything():
        top = name.split(".")[0]
        package = file.split("/")[0]
        allowed = RUNTIME | EXTRAS.get(file, set()) | EXTRAS.get(package, set()) | {"waivern"}
        if top not in allowed and top not in sys.stdlib_module_names:
            wrong.append(f"{file}:{line} imports {name}")
    assert wrong == []
