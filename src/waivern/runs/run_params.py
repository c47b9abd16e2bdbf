"""The parameter values of a run: requested by the caller, or recorded by an earlier attempt."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from waivern.diagnostics import Diagnostic
from waivern.language import params
from waivern.language.supplied_params import ParamsError, bind
from waivern.message import Json
from waivern.yamldoc.runbook_codes import RunbookCode

if TYPE_CHECKING:
    from waivern.language.params import Param


class RequestedParams(NamedTuple):
    """Values by parameter."""

    typed: Mapping[str, str] = MappingProxyType({})
    """Texts, as of `-p name=value`; they go before `values`."""
    values: Mapping[str, Json] = MappingProxyType({})
    """As of a file, or of a program."""
    where: str | None = None
    """What `values` are called in messages."""

    def __repr__(self) -> str:
        return f"RequestedParams(where={self.where!r})"  # the values may be secrets

    @property
    def names(self) -> frozenset[str]:
        """The parameters that are given."""
        return frozenset({*self.typed, *self.values})

    def bound(self, declared: "Mapping[str, Param]") -> dict[str, Json]:
        """Return the value of each declared parameter.

        Raises InvalidError (ParamsError for values that are wrong or missing) with all problems.
        """
        return bind(declared, self.typed, self.values, self.where)


NO_PARAMS = RequestedParams()


class RecordedParams(NamedTuple):
    """Values for another attempt at what was run before, or for a replay of it."""

    run_id: str
    recorded: Mapping[str, Json]
    """As the run recorded them: null in place of a secret."""
    requested: RequestedParams = NO_PARAMS

    def __repr__(self) -> str:
        return f"RecordedParams({self.run_id!r})"  # the values may be secrets

    def bound(self, declared: "Mapping[str, Param]") -> dict[str, Json]:
        """Return the value of each declared parameter: as requested now, else as it was recorded.

        Raises ParamsError naming the secrets that have to be given again, and what
        `RequestedParams.bound` raises.
        """
        requested = self.requested
        lost = params.missing(declared, self.recorded, [*requested.typed, *requested.values])
        if lost:
            raise ParamsError([self._lost(name) for name in lost])
        values = {**params.restored(declared, self.recorded), **requested.values}
        return bind(declared, requested.typed, values, requested.where or f"run {self.run_id}")

    def _lost(self, name: str) -> Diagnostic:
        message = f"parameter {name!r} is a secret of run {self.run_id}, and secrets are not stored"
        hint = f"set it again in a file with --params FILE, as '{name}: ...'"
        return Diagnostic(RunbookCode.MISSING, message, hint=hint)
