"""A Python function as a component: the shortest way from an idea to an artifact."""

import inspect
import re
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from types import FunctionType
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from waivern.builtin.code import imported, of_call
from waivern.builtin.common_properties import Properties
from waivern.builtin.python_advice import Advice, advised
from waivern.diagnostics import did_you_mean
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input
from waivern.plugins.missing_modules import MissingModuleError, describe, next_step

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
    computes: bool = Field(
        default=False, description="The function computes: a worker process may run it."
    )


class _Python:
    """The common part of the connector and the processor."""

    name = "python"
    version = "1.0.0"
    produces = ANY_JSON
    Config = PythonProperties
    _positional = 0
    """How many arguments the function gets besides `args`."""

    def computes(self, properties: Mapping[str, Json]) -> bool:
        """Return what the properties say."""
        return properties.get("computes") is True

    def code(self, config: PythonProperties, ctx: Context) -> str | None:
        """Return the digest of the file that defines the function, and of all that it imports."""
        return of_call(config.call, ctx)

    def advise(self, config: PythonProperties, ctx: Context) -> Iterator[Advice]:
        """Yield the reasons why the call would fail, as far as the file shows them."""
        return _advised(config, ctx, self._positional)


class PythonConnector(_Python):
    """Calls a Python function, `function(**args)`, and stores what it returns.

    A function with a parameter `ctx` gets the context as well, to report its coverage. A generator,
    plain or async, yields the records of the list `records` and returns the rest of the content.
    The function may be async; a plain one runs on a thread or in a worker process. A file is loaded
    once in each attempt, even if it changes meanwhile. It can import its neighbours: its own folder
    is searched before installed modules, and no other folder's modules are seen.
    """

    def extract(self, config: PythonProperties, ctx: Context) -> Json | Awaitable[Json]:
        """Return the function's content, or an awaitable of it.

        Raises ComponentError if the function cannot be found or does not take the arguments; what
        it raises itself is left as it is.
        """
        return _called(_function(config.call, ctx), config, ctx)


class PythonProcessor(_Python):
    """Calls a Python function, `function(inputs, **args)`, with the contents of the inputs.

    The same rules as for the connector; `inputs` is a list in declared order. A function with the
    attribute `reads_streams = True` gets the inputs themselves, to read them item by item.
    """

    accepts = None
    reads_streams = True
    _positional = 1

    def process(
        self, inputs: Sequence[Input], config: PythonProperties, ctx: Context
    ) -> Json | Awaitable[Json]:
        """Return the function's content, or an awaitable of it; raises the errors of `extract`."""
        function = _function(config.call, ctx)
        streams = getattr(function, "reads_streams", False)
        contents = [*inputs] if streams else [one.content for one in inputs]
        return _called(function, config, ctx, contents)


def _advised(config: PythonProperties, ctx: Context, positional: int) -> Iterator[Advice]:
    where, _, function = config.call.rpartition(":")
    if not where.endswith(".py"):
        return iter(())  # of an installed module: only its import would show it
    return advised(where, function, ctx.path(where), positional, list(config.args))


def _called(
    function: Any, config: PythonProperties, ctx: Context, *positional: Json
) -> Json | Awaitable[Json]:
    args = {**_own(function, config, ctx), **config.args}
    try:
        result = function(*positional, **args)
    except TypeError as error:
        _explain(config, function, positional, args, error)
        raise
    except ModuleNotFoundError as error:
        raise MissingModuleError.of(error) or error from error
    return _awaited(result) if inspect.iscoroutine(result) else result


async def _awaited(result: Awaitable[Json]) -> Json:
    try:
        return await result
    except ModuleNotFoundError as error:
        raise MissingModuleError.of(error) or error from error


def _own(function: Any, config: PythonProperties, ctx: Context) -> dict[str, Any]:
    """Return the context for a function that has a parameter `ctx`, to report its coverage."""
    plain = type(function) is FunctionType and not vars(function)  # nothing wraps it
    if plain and "ctx" not in function.__code__.co_varnames:
        return {}  # to find its signature takes longer than the rest of the call
    try:
        wanted = "ctx" in inspect.signature(function).parameters and "ctx" not in config.args
    except (TypeError, ValueError):
        return {}  # some functions written in C have no signature
    return {"ctx": ctx} if wanted else {}


def _explain(
    config: PythonProperties,
    function: Any,
    positional: Sequence[Json],
    args: Mapping[str, Any],
    error: TypeError,
) -> None:
    """Raise ComponentError if the function does not take the arguments."""
    try:
        signature = inspect.signature(function)
    except ValueError:
        return  # some functions written in C have no signature
    try:
        signature.bind(*positional, **args)
    except TypeError as misfit:
        passed = [*(["inputs"] if positional else []), *config.args]
        raise ComponentError(
            f"{config.call!r} cannot be called with these arguments: {misfit}",
            hint=f"it takes {signature}, it would get ({', '.join(passed)})",
        ) from error


def _function(call: str, ctx: Context) -> Any:
    where, _, name = call.rpartition(":")
    try:
        module = imported(where, ctx)
    except ComponentError:
        raise
    except (Exception, SystemExit) as error:
        raise ComponentError(
            f"{where!r} cannot be imported: {describe(error)}", hint=_next_step(where, error)
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


def _next_step(where: str, error: BaseException) -> str:
    if isinstance(error, ModuleNotFoundError) and f"{where}.".startswith(f"{error.name}."):
        return "it must be installed in the environment of wct, or be given as 'path.py:function'"
    return next_step(error) or "correct the error in its own code"
