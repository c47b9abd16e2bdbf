"""The session of a run: all that one attempt works with while it holds the run's lock."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from waivern.engine import rebuilder
from waivern.ids import ArtifactId
from waivern.language import template
from waivern.language.secrets import Secrets
from waivern.message import Json
from waivern.planning.plan import AskPeople, Extract, Plan, Transform
from waivern.record.fold import RunRecord
from waivern.runs import history, unjournaled
from waivern.runs.prepare import PreparedRun
from waivern.runs.queries import fold
from waivern.runs.run_options import RunOptions, fraction
from waivern.store.base import RunStore
from waivern.store.lock import this_process
from waivern.store.writers import Lease

if TYPE_CHECKING:
    from waivern.runs.policies import EndPolicy


class LockedRun(NamedTuple):
    """A recorded run that no other process can write to."""

    store: RunStore
    lease: Lease
    record: RunRecord


@contextmanager
def locked(store: RunStore, run_id: str, verb: str = "resumed") -> Iterator[LockedRun]:
    """Hold the lock of a run, its journal folded after the lock was taken.

    The order matters: a journal that was read before could have grown until the lock is held.
    """
    unjournaled.refuse(store, run_id, verb)
    lease = store.lock(run_id, this_process())
    try:
        journal, record = fold(store, run_id)
        history.catch_up(store, journal)
        if record.metadata.redacted:
            from waivern.runs import redaction  # few runs are redacted

            redaction.finish(store, lease, record)
        yield LockedRun(store, lease, record)
    finally:
        lease.release()


class Session(NamedTuple):
    """A locked run with its plan, ready for one attempt."""

    store: RunStore
    lease: Lease
    record: RunRecord
    prepared: PreparedRun
    options: RunOptions
    evidence: rebuilder.Evidence
    """The completed artifacts that are restored."""
    only: frozenset[ArtifactId] | None = None
    """The artifacts that may be produced; None: all."""
    data: Mapping[ArtifactId, dict[str, Json]] = {}
    """The data for the artifacts that waited."""
    policies: "tuple[EndPolicy, ...]" = ()

    def __repr__(self) -> str:
        return f"Session({self.run_id!r})"  # the data may be personal

    @property
    def plan(self) -> Plan:
        """The plan of the run."""
        return self.prepared.plan

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.record.metadata.run_id

    def tripped_policies(self, secrets: Secrets) -> tuple[str, ...]:
        """Return a text for each policy that holds, with the values that decided."""
        found = (
            each.tripped_by(self.store, self.plan, self.record, secrets.hide)
            for each in self.policies
        )
        return tuple(filter(None, found))

    @property
    def policy_notes(self) -> list[str]:
        """What the evaluated policies report beside their result."""
        return [note for each in self.policies for note in each.notes]


def secrets_of(plan: Plan, environ: Mapping[str, str]) -> Secrets:
    """Return the secrets of a plan: the secret parameters, and the variables that it uses."""
    names = {name for name in environ if name.startswith(f"{template.PARAMS}.")}
    for node in plan.nodes.values():
        if isinstance(node.work, (Extract, Transform)):
            names |= template.names(node.work.properties).keys()
        elif isinstance(node.work, AskPeople) and node.work.notify is not None:
            names |= template.names(node.work.notify.model_dump()).keys()
    return Secrets(names, environ)


def policies_of(
    prepared: PreparedRun, options: RunOptions, store: RunStore
) -> "tuple[EndPolicy, ...]":
    """Return the policies that are evaluated at the end.

    Raises UsageError or ArtifactNotFoundError for a condition that cannot be evaluated, and what
    `read_finding_policies` raises.
    """
    least, settings = options.min_coverage, prepared.plan.runbook.config
    if least is None and settings.min_coverage is not None:
        least = fraction(settings.min_coverage)
    recall = options.min_recall
    if recall is None and settings.min_recall is not None:
        recall = Fraction(str(settings.min_recall))
    if not options.fail_on and least is None and recall is None and options.baseline is None:
        return ()
    from waivern.runs import policies  # few runs have one, and conditions are dear to import

    found: list[EndPolicy] = [
        *policies.read(options.fail_on, prepared.plan, prepared.catalogue, store, options)
    ]
    found += [] if least is None else [policies.MinCoverage(least)]
    found += [] if recall is None else [policies.MinRecall(recall)]
    return tuple(found)
