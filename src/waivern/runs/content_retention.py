"""The retention of content: runs of an age are redacted, and stay as proof."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from waivern.clock import Clock
from waivern.errors import RefusedError, WaivernError
from waivern.runs import queries, redact, runbook_file
from waivern.runs.protection import protection
from waivern.runs.queries import RunRow
from waivern.runs.redact import RedactionItem, RedactionSurvey
from waivern.runs.retention import RetentionPolicy, age_of, named
from waivern.store.base import RunStore

BY = "retention.content"
"""The reason that the journal records."""


class ExpiredContent(NamedTuple):
    """The runs whose content is older than the policy allows."""

    surveys: tuple[RedactionSurvey, ...] = ()
    spared: tuple[tuple[str, str], ...] = ()
    """Runs that are protected, each with the reason."""

    @property
    def items(self) -> tuple[RedactionItem, ...]:
        """The artifacts that are to be redacted, each once: it may be a copy in several surveys."""
        found = {(item.run_id, item.artifact): item for each in self.surveys for item in each.items}
        return tuple(found.values())


def expired(
    store: RunStore,
    rows: Iterable[RunRow],
    age: timedelta,
    now: datetime,
    *,
    runbooks: frozenset[str] = frozenset(),
    without: Collection[str] = (),
) -> ExpiredContent:
    """Return the runs that hold source content or evidence and are older than `age`.

    Their copies in younger runs follow, as with every redaction: the age is that of the content,
    not of the run that copied it. `without`: runs that are removed anyway.
    """
    surveys, spared = [], []
    policy = RetentionPolicy(runbooks=runbooks)
    for row in rows:
        if row.run_id in without or row.metadata is None:
            continue
        lived = age_of(row.metadata, now)
        if lived is None or lived < age:
            continue
        if runbooks and not named(policy, row.metadata, runbook_file.of_run(store, row.metadata)):
            continue
        try:
            if not redact.has_something(queries.load(store, row.run_id)):
                continue
            if reason := protection(store, row, force=False):
                spared.append((row.run_id, reason))
            else:
                surveys.append(redact.survey(store, row.run_id))
        except WaivernError as error:
            spared.append((row.run_id, error.message))
    return ExpiredContent(tuple(surveys), tuple(spared))


def redact_expired(
    store: RunStore, found: ExpiredContent, by: str, clock: Clock
) -> tuple[list[RedactionItem], dict[str, str]]:
    """Redact runs; return what was redacted, and what could not be, with the reason."""
    items: list[RedactionItem] = []
    retained: dict[str, str] = {}
    for survey in found.surveys:
        try:
            done = redact.redact(store, survey.run_id, None, by, BY, clock)
        except RefusedError as error:  # it became protected since
            retained[survey.run_id] = error.message
            continue
        items += done.redacted
        retained |= done.retained
    return items, retained
