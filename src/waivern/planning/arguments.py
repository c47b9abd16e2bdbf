"""The values of a child's parameters where it is included. Pure.

A parameter has the value that `child_runbook.params` gives it; else that of the same parameter in
the nearest runbook around; else its own default. A secret or a variable stays a reference, which is
replaced where the work runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from waivern.diagnostics import Diagnostic, did_you_mean
from waivern.language import template
from waivern.language.params import TYPES, Param, ParamError
from waivern.message import Json
from waivern.planning.plan_codes import PlanCode
from waivern.planning.scope import ChildInclusion, Scope


class ChildArguments(NamedTuple):
    """The values of a child's parameters, as far as they are known, and what is wrong with them."""

    values: dict[str, Json]
    problems: list[Diagnostic]


def arguments(directive: ChildInclusion, declared: Mapping[str, Param]) -> ChildArguments:
    """Return the values for one inclusion of a child that declares these parameters."""
    values, child = directive.child.params, directive.child.path
    found = ChildArguments(
        {}, [_unknown(directive, name, declared) for name in values.keys() - declared]
    )
    for name, param in declared.items():
        own = name in values
        try:
            around = directive.scope
            value = _supplied(around, param, values[name]) if own else _inherited(around, param)
        except ParamError as error:
            at = (*directive.at, *(("params", name) if own else ()))
            message = f"parameter '{name}' of {child} {error.message}"
            problem = directive.scope.problem(
                PlanCode.CHILD, message, at, on="value" if own else "key", hint=error.hint
            )
            found.problems.append(problem)
            continue
        if value is not template.LATER:
            found.values[name] = value
    return found


def _unknown(directive: ChildInclusion, name: str, declared: Mapping[str, Param]) -> Diagnostic:
    message = f"{directive.child.path} has no parameter '{name}'"
    known = f"it has {', '.join(declared)}" if declared else "it has none"
    hint = did_you_mean(name, declared) or known
    at = (*directive.at, "params", name)
    return directive.scope.problem(PlanCode.CHILD, message, at, on="key", hint=hint)


def _supplied(around: Scope, param: Param, written: Json) -> Json:
    """Return the value that a directive gives; LATER if a parameter in it has no value yet."""
    names = template.names(written)
    parameters = [name.removeprefix("params.") for name in names if name.startswith("params.")]
    if any(_is_open(around, name) for name in parameters):
        return template.LATER
    if not names:
        value = template.expand(written, {})
        if param.secret and value != "":
            hint = "give it a secret parameter of this runbook, or a variable as in ${TOKEN}"
            raise ParamError("is a secret, which cannot be written in a runbook", hint)
        return param.check(value)
    if not isinstance(written, str) or param.type != "string":
        hint = "declare a parameter of this runbook, and give it that"
        raise ParamError(f"must be {TYPES[param.type].words}, and a variable is text", hint)
    if parameters and not param.secret:
        hint = "declare it there with 'secret: true'"
        raise ParamError("receives a secret, but is not declared as one", hint)
    return template.deferred(written)


def _is_open(around: Scope, name: str) -> bool:
    declared = around.runbook.params.get(name)
    return declared is not None and not declared.secret and name not in around.values


def _inherited(around: Scope, param: Param) -> Json:
    """Return what a parameter has that the directive gives no value."""
    scope: Scope | None = around
    while scope is not None:
        own = scope.runbook.params.get(param.name)
        if own is None:
            scope = scope.by[0] if scope.by else None
        elif (own.type, own.secret) != (param.type, param.secret):
            hint = "give it the same 'type' and 'secret' as here, or a value under 'params'"
            raise ParamError("is declared differently", hint)
        else:
            otherwise = template.LATER if param.required else param.default
            return scope.values.get(param.name, otherwise)
    if param.required:
        what = "is a secret, which has a value only in a run" if param.secret else "has no value"
        hint = f"add `params: {{{param.name}: ...}}` to the child_runbook"
        raise ParamError(what, f"{hint}, or declare it here under 'params'")
    return (
        template.deferred("") if param.secret else param.default
    )  # of a secret it is always empty
