"""A Python function as a component: the shortest way from an idea to an artifact."""

import hashlib
import importlib
import inspect
import re
import sys
from collections.abc import Awaitable, Sequence
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import CodeType, ModuleType
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from waivern.builtin.code import Source, of_call, of_module, source
from waivern.builtin.properties import Properties
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json
from waivern.plugins.component import Input
from waivern.plugins.context import Context, Memo
from waivern.problems import did_you_mean

_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


def _call(text: str) -> str:
    where, _, function = text.rpartition(":")
    if not ((where.endswith(".py") or _MODULE.fullmatch(where)) and function.isidentifier()):
        raise ValueError("expected 'package.module:function' or 'path.py:function'")
    return text


class PythonProperties(Properties):
    """The properties of a Python function."""

    call: Annotated[str, AfterValidator(_call)] = Field(
        description="'package.module:function' of something installed, or 'path.py:function', the "
        "path relative to the runbook's folder."
    )
    args: dict[str, Any] = Field(
        default_factory=dict, repr=False, description="Keyword arguments for the function."
    )


class PythonConnector:
    """Calls a Python function, `function(**args)`, and keeps what it returns.

    The function may be async; a plain one runs on a thread. A file is loaded once an attempt,
    whatever happens to it meanwhile, under a module name of its own; its folder is added at the end
    of `sys.path`, so that it can import its neighbours (an installed module of the same name comes
    first).
    """

    name = "python"
    version = "1.0.0"
    produces = ANY_JSON
    Config = PythonProperties

    def code(self, config: PythonProperties, ctx: Context) -> str | None:
        """Return the digest of the file that defines the function."""
        return of_call(config.call, ctx)

    def extract(self, config: PythonProperties, ctx: Context) -> Json | Awaitable[Json]:
        """Return the function's content, or an awaitable of it.

        Raises ComponentError if the function cannot be found or does not take the arguments; what
        it raises itself is left as it is.
        """
        return _called(config, ctx)


class PythonProcessor:
    """Calls a Python function, `function(inputs, **args)`, with the contents of the inputs.

    The same rules as for the connector; `inputs` is a list in declared order.
    """

    name = "python"
    version = "1.0.0"
    accepts = None
    produces = ANY_JSON
    Config = PythonProperties

    def code(self, config: PythonProperties, ctx: Context) -> str | None:
        """Return the digest of the file that defines the function."""
        return of_call(config.call, ctx)

    def process(
        self, inputs: Sequence[Input], config: PythonProperties, ctx: Context
    ) -> Json | Awaitable[Json]:
        """Return the function's content, or an awaitable of it; raises what `extract` raises."""
        return _called(config, ctx, [one.content for one in inputs])


def _called(config: PythonProperties, ctx: Context, *positional: Json) -> Json | Awaitable[Json]:
    function = _function(config.call, ctx)
    try:
        return function(*positional, **config.args)
    except TypeError as error:
        _explain(config, function, positional, error)
        raise


def _explain(
    config: PythonProperties, function: Any, positional: Sequence[Json], error: TypeError
) -> None:
    """Raise ComponentError if the function does not take the arguments; else it was called."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # some functions written in C do not tell
    try:
        signature.bind(*positional, **config.args)
    except TypeError as misfit:
        given = [*(["inputs"] if positional else []), *config.args]
        raise ComponentError(
            f"{config.call!r} cannot be called so: {misfit}",
            hint=f"it takes {signature}, it would be given ({', '.join(given)})",
        ) from error


def _function(call: str, ctx: Context) -> Any:
    where, _, name = call.rpartition(":")
    file = source(where, ctx) if where.endswith(".py") else None
    try:
        if file:
            module = _modules.get((file.path, file.digest), lambda: _run(file))
        else:
            of_module(where)  # while its file is still what is imported
            module = importlib.import_module(where)
    except (Exception, SystemExit) as error:
        hint = "it must be installed in the environment of wct, or be given as 'path.py:function'"
        missing = isinstance(error, ModuleNotFoundError)
        raise ComponentError(
            f"{where!r} cannot be imported: {type(error).__name__}: {error}",
            hint=hint if missing else "the error is in its own code",
        ) from error
    function = getattr(module, name, None)
    if not callable(function):
        public = [key for key, value in vars(module).items() if callable(value) and key[0] != "_"]
        fact = "is not a function" if hasattr(module, name) else "does not exist"
        raise ComponentError(
            f"{name!r} in {where!r} {fact}",
            hint=did_you_mean(name, public) or f"define it: def {name}(...)",
        )
    return function


class _Loader(SourceFileLoader):
    """Runs the bytes it is given: believes no cache and leaves none beside the file."""

    def __init__(self, name: str, file: Source) -> None:
        super().__init__(name, str(file.path.resolve()))
        self._data = file.data

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader's protocol
        return self.source_to_code(self._data, self.path)


_modules = Memo()
"""The modules in files, each run once in this process while its file is as it was."""


def _run(file: Source) -> ModuleType:
    path = file.path.resolve()
    if (folder := str(path.parent)) not in sys.path:
        sys.path.append(folder)
    name = f"_waivern_file_{hashlib.sha256(bytes(path)).hexdigest()[:16]}"
    loader = _Loader(name, file)
    spec = spec_from_loader(name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickle look there
    loader.exec_module(module)
    return module
