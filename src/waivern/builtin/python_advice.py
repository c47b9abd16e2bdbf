"""Advice on a function of a Python file, from its text: no code of the file is run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from waivern.diagnostics import did_you_mean
from waivern.plugins.syntax_trees import parse

Advice = tuple[str, str, str | None]
"""Property, message, hint."""


def advised(
    where: str, function: str, path: Path, positional: int, args: Sequence[str]
) -> Iterator[Advice]:
    """Yield the reasons why a call of a function would fail."""
    try:
        tree = parse(path.read_bytes(), where)
    except OSError as error:
        yield "call", f"{where!r} cannot be read: {error.strerror}", _neighbours(path)
        return
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        place = f", line {line}" if line else ""
        yield "call", f"{where!r} is not Python{place}: {getattr(error, 'msg', error)}", None
        return
    if _is_dynamic(tree):
        return
    found = next((each for each in _functions(tree) if each.name == function), None)
    if found is not None:
        yield from _misfits(found, positional, args)
    elif function not in _names(tree):
        known = [each.name for each in _functions(tree)]
        listed = f"it defines: {', '.join(known[:20])}" if known else "it defines no function"
        hint = did_you_mean(function, known) or listed
        yield "call", f"{where!r} has no function {function!r}", hint


def _misfits(
    function: ast.FunctionDef | ast.AsyncFunctionDef, positional: int, args: Sequence[str]
) -> Iterator[Advice]:
    if function.decorator_list:
        return  # a decorator may change its parameters
    takes = function.args
    places = [each.arg for each in (*takes.posonlyargs, *takes.args)]
    named = {*(each.arg for each in takes.args), *(each.arg for each in takes.kwonlyargs)}
    required = places[: len(places) - len(takes.defaults)]
    pairs = zip(takes.kwonlyargs, takes.kw_defaults, strict=True)
    required += [each.arg for each, default in pairs if default is None]
    if positional > len(places) and takes.vararg is None:
        hint = "give it a first parameter, such as `inputs`"
        yield "call", f"{function.name}() takes no inputs", hint
    passed = {*places[:positional], *args, "ctx"}
    for name in args:
        if name not in named and takes.kwarg is None:
            hint = did_you_mean(name, named) or f"it takes: {', '.join(places) or 'nothing'}"
            yield "args", f"{function.name}() takes no argument {name!r}", hint
    if missing := [name for name in required if name not in passed]:
        listed = ", ".join(missing)
        yield "call", f"{function.name}() needs {listed}", f"add it under `args`: {listed}"


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for each in _statements(tree.body):
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, also those under `if` and `try`."""
    for each in body:
        yield each
        for part in ("body", "orelse", "finalbody"):
            if isinstance(each, ast.If | ast.Try | ast.With):
                yield from _statements(getattr(each, part, []))
        for handler in getattr(each, "handlers", []):
            yield from _statements(handler.body)


def _names(tree: ast.Module) -> set[str]:
    """Return the names that a module binds beside its functions: classes, imports, assignments."""
    found: set[str] = set()
    for each in _statements(tree.body):
        if isinstance(each, ast.ClassDef):
            found.add(each.name)
        elif isinstance(each, ast.Import | ast.ImportFrom):
            found |= {(alias.asname or alias.name).partition(".")[0] for alias in each.names}
        else:
            found |= {node.id for node in ast.walk(each) if isinstance(node, ast.Name)}
    return found


def _is_dynamic(tree: ast.Module) -> bool:
    """Return whether names can come from elsewhere: `import *`, `__getattr__`, `globals()`."""
    stars = any(
        isinstance(each, ast.ImportFrom) and any(alias.name == "*" for alias in each.names)
        for each in ast.walk(tree)
    )
    return stars or "__getattr__" in {each.name for each in _functions(tree)}


def _neighbours(path: Path) -> str | None:
    try:
        names = [each.name for each in path.parent.iterdir() if each.suffix == ".py"]
    except OSError:
        return f"there is no folder {path.parent.name!r}"
    return did_you_mean(path.name, names)
