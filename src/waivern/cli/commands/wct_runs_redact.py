"""`wct runs redact`."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option, opened, option, store_option, yes_option
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import Exit, RefusedError
from waivern.record.text_forms import counted


@click.command(
    "redact",
    short_help="Destroy source content and evidence.",
    epilog=examples(
        "wct runs redact @last --reason 'request 17'",
        "wct runs redact 3f2a9c/source_data",
    ),
)
@click.argument("reference", metavar="RUN[/ARTIFACT]")
@option("--reason", metavar="TEXT", help="Record a reason.")
@yes_option("Do not ask for confirmation.")
@json_option
@store_option
def command(reference: str, reason: str | None, yes: bool, as_json: bool, store: str | None) -> int:
    """Destroy the source content and the evidence that a run holds; retain the proof.

    This destroys the content of artifacts with source content, and the evidence of findings. Other
    artifacts are redacted only if they are named as RUN/ARTIFACT. Copies in other runs of the store
    are redacted, too; known copies outside it are listed. Running and pinned runs are not redacted.
    A redaction cannot be undone.

    The journal retains digests, sizes and coverage, with who, when and why: `wct runs verify`
    reports the artifacts as redacted.
    """
    from waivern.cli.ui.redaction_view import REDACTIONS, confirmed, show_items, show_rest
    from waivern.cli.ui.removal import REMOVALS, named
    from waivern.cli.ui.user import user_at_host
    from waivern.clock import Clock
    from waivern.runs import redact, retention
    from waivern.runs.run_references import split

    where, out = opened(store), stdout()
    run, artifact = split(reference)
    run_id = named(where, run, "redact")
    found = redact.survey(where, run_id, artifact or None)
    if found.protection is not None:
        raise redact.refusal({run_id: found.protection})
    interactive = out.tty and not as_json
    if interactive:
        REMOVALS.table(out, retention.survey(where, [run_id], force=True, now=datetime.now(UTC)))
        out.print()
        show_items(out, found.items, "")
        show_rest(found.left, found.outside)
    agreed = yes or (interactive and bool(found.items) and confirmed(found.items))
    items, left, outside = found.items, dict(found.left), found.outside
    retained: dict[str, str] = {}
    if agreed:
        done = redact.redact(where, run_id, artifact or None, user_at_host(), reason, Clock())
        items, outside, retained = done.redacted, done.outside, dict(done.retained)
        left = {**done.left, **retained}
    if as_json:
        document = {"run_id": run_id, "redacted": REDACTIONS.documents(items), "left": left}
        print_document("redact", {**document, "outside": list(outside), "dry_run": not agreed})
    elif not interactive:
        show_items(out, items, "redacted" if agreed else "would redact")
        show_rest(left, outside)
    return _conclude(run_id, len(items), agreed, retained, as_json)


def _conclude(
    run_id: str, count: int, agreed: bool, retained: dict[str, str], as_json: bool
) -> int:
    from waivern.runs.redact import refusal

    error: RefusedError | None = None
    if retained:
        error = refusal(retained)
    elif count and not agreed:
        error = RefusedError(
            "nothing was redacted: --yes is missing",
            hint="the same command with --yes redacts what is shown",
        )
    if not as_json and agreed:
        stderr().print(f"{counted(count, 'artifact')} redacted")
    elif not as_json and not count:
        stderr().print(f"nothing to redact in run {run_id}")
    if error is None:
        return Exit.OK
    if as_json:  # the one document on stdout has every reason
        return error.exit_code
    raise error
