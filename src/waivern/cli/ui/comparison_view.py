"""The view of two runs side by side."""

from __future__ import annotations

from collections.abc import Iterator

from waivern.cli.ui.finding_columns import COMPARED
from waivern.cli.ui.screen import Screen, stderr, stdout
from waivern.record.text_forms import clean, counted, listed, short
from waivern.record.wording import headline
from waivern.runs.findings_comparison import FindingOutcome
from waivern.runs.run_comparison import RunComparison

FEW = 10
"""The findings of each outcome that a terminal shows unless asked for more."""
CHANGES = 5
"""The changes of an artifact that are named."""
_WORDS = {
    FindingOutcome.NEW: "new",
    FindingOutcome.RESOLVED: "resolved",
    FindingOutcome.NOT_EXAMINED: "not examined",
    FindingOutcome.MOVED: "moved",
    FindingOutcome.UNCHANGED: "unchanged",
}


def show_comparison(found: RunComparison, head: int | None) -> None:
    """Write a comparison to stdout: sections on a terminal, lines of findings to a pipe."""
    out = stdout()
    for note in found.notes:
        stderr().print(clean(f"warning: {note}"))
    if not out.tty:
        COMPARED.lines(out, found.findings.rows(head))
        return
    one, two = found.before.metadata, found.after.metadata
    out.print(
        f"before  {short(one.run_id)}  {one.started_at}  {one.status}\n"
        f"after   {short(two.run_id)}  {two.started_at}  {two.status}"
    )
    if found.equal:
        out.print("\nno difference")
        return
    for title, lines in (
        ("definition", [*_definition(found)]),
        ("artifacts", [*_artifacts(found)]),
        ("coverage", [*_coverage(found)]),
    ):
        if lines:
            out.print(f"\n{out.paint(title, 'bold')}")
            for line in lines:
                out.print(f"  {clean(line)}")
    _show_findings(out, found, FEW if head is None else head)


def _definition(found: RunComparison) -> Iterator[str]:
    for fact in found.facts:
        if fact.differs:
            before, after = (text[:60] or "none" for text in (fact.before, fact.after))
            yield f"{fact.name}: {before} → {after}"


def _artifacts(found: RunComparison) -> Iterator[str]:
    equal = 0
    for pair in found.pairs:
        changes = found.changes.get(pair.artifact, [])
        if pair.outcome == "equal" and not changes:
            equal += 1
            continue
        what = "equal content" if pair.outcome == "equal" else "other content"
        if pair.before != pair.after:
            what = f"{pair.before or 'not in the run'} → {pair.after or 'not in the run'}"
        more = len(changes) - CHANGES
        shown = changes[:CHANGES] + ([f"{more:,} more"] if more > 0 else [])
        yield f"{pair.artifact}: {what}" + (f"; {'; '.join(shown)}" if shown else "")
    if equal:
        yield f"{counted(equal, 'artifact')} equal"


def _coverage(found: RunComparison) -> Iterator[str]:
    before, after = found.coverages
    if headline(before) != headline(after):
        yield f"{headline(before)} → {headline(after)}"
    then = {each.artifact: each for each in before.counted}
    now = {each.artifact: each for each in after.counted}
    if gone := [name for name in then if name not in now]:
        yield f"no longer examined: {listed(gone)}"
    if new := [name for name in now if name not in then]:
        yield f"newly examined: {listed(new)}"


def _show_findings(out: Screen, found: RunComparison, few: int) -> None:
    findings = found.findings
    if not findings.counts:
        return
    out.print(f"\n{out.paint('findings', 'bold')}")
    for outcome, word in _WORDS.items():
        if count := findings.counts[outcome]:
            special = findings.special[outcome]
            of = f", {special:,} of a special category" if special else ""
            out.print(f"  {count:>7,} {word}{of}")
    if findings.changed_counts:
        out.print(f"  {len(findings.changed_counts):>7,} of these with another count")
    rows, every = findings.rows(few), findings.rows()
    if rows:
        out.print()
        COMPARED.table(out, rows)
    hidden = len(every) - len(rows)
    if hidden:
        out.print(out.paint(f"{hidden:,} more; `--each N` or `--json` shows them", "dim"))
