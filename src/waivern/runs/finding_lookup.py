"""The findings of a run that people name by their ids, or by the beginnings of these."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from waivern.diagnostics import did_you_mean
from waivern.errors import NotFoundError, UsageError
from waivern.runs.recorded_findings import RecordedFinding, RunFindings

SHORTEST = 4
"""Characters of the beginning of an id that are enough to name a finding."""
_CANDIDATES = 10_000


def look_up(findings: RunFindings, ids: Sequence[str]) -> list[RecordedFinding]:
    """Return the findings with these ids; of an id that several systems have, all of them.

    Raises NotFoundError, naming the nearest id, UsageError for an id that is too short or the
    beginning of several.
    """
    for each in ids:
        if len(each) < SHORTEST:
            raise UsageError(f"{each!r} is too short", hint=f"type {SHORTEST} characters of the id")
    found: dict[str, dict[tuple[str, str], RecordedFinding]] = {each: {} for each in ids}
    for finding in findings:
        for each, matching in found.items():
            if finding.id.startswith(each):
                matching.setdefault((finding.id, finding.system), finding)
    return [one for each in ids for one in _chosen(findings, each, found[each].values())]


def _chosen(
    findings: RunFindings, wanted: str, matching: Iterable[RecordedFinding]
) -> list[RecordedFinding]:
    several = list(matching)
    exact = [each for each in several if each.id == wanted]
    if exact:
        return exact
    names = sorted({each.id for each in several})
    if not names:
        run_id = findings.record.metadata.run_id
        known = [each.id for each in islice(findings, _CANDIDATES)]
        hint = did_you_mean(wanted, known) or f"`wct findings list {run_id}` lists them"
        raise NotFoundError(f"run {run_id} has no finding {wanted[:64]!r}", hint=hint)
    if len(names) > 1:
        raise UsageError(
            f"{len(names):,} findings begin with {wanted!r}", hint=f"say {', '.join(names[:5])}"
        )
    return several
