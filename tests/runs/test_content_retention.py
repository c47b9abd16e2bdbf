"""The retention of content: what is older than the policy allows is destroyed wherever it lies."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from waivern import RunResult, load, run
from waivern.clock import Clock
from waivern.runs import listing, queries, redact
from waivern.runs.content_retention import expired, redact_expired
from waivern.store.local import LocalFilesystemStore

MAIL = "maria.keller@quetzal-mail.com"
BOOK = """
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  findings: {inputs: files, process: {type: personal_data, properties: {field_names: false}}}
"""


@pytest.fixture
def runs(tmp_path: Path) -> tuple[LocalFilesystemStore, RunResult, RunResult, datetime]:
    """Return two runs, the second with a file more, and a time between them."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text(f"write to {MAIL}\n")
    (tmp_path / "x.yaml").write_text(BOOK)
    store = LocalFilesystemStore(tmp_path / ".waivern")
    first = run(load(tmp_path / "x.yaml"), store=store)
    between = datetime.now(UTC)
    (tmp_path / "data/b.txt").write_text("write to otto@quetzal-mail.com\n")
    return store, first, run(load(tmp_path / "x.yaml"), store=store), between


@pytest.mark.parametrize("rest", ["an item", "all"])
def test_results_that_younger_runs_took_from_the_cache_follow(
    runs: tuple[LocalFilesystemStore, RunResult, RunResult, datetime], tmp_path: Path, rest: str
) -> None:
    store, first, second, between = runs
    if rest == "all":  # a third run takes what the second one has
        third = run(load(tmp_path / "x.yaml"), store=store)
        assert str(third.artifacts["findings"].how) == "cached"
    now = datetime.now(UTC)
    found = expired(store, listing.every(store), now - between, now)
    assert {(item.run_id, item.artifact) for item in found.items} >= {
        (first.run_id, "findings"),
        (second.run_id, "findings"),
    }
    by_command = redact.survey(store, first.run_id)
    assert {each[:2] for each in found.items} == {each[:2] for each in by_command.items}
    done, retained = redact_expired(store, found, "me", Clock())
    assert {each[:2] for each in done} == {each[:2] for each in by_command.items}
    assert retained == {}
    for row in listing.every(store):
        assert queries.load(store, row.run_id).metadata.redacted, row.run_id


def test_what_only_a_younger_run_found_stays(
    runs: tuple[LocalFilesystemStore, RunResult, RunResult, datetime], tmp_path: Path
) -> None:
    store, first, _, between = runs
    alone = run(load(tmp_path / "x.yaml"), store=store, cache=False)
    now = datetime.now(UTC)
    redact_expired(store, expired(store, listing.every(store), now - between, now), "me", Clock())
    assert queries.load(store, first.run_id).metadata.redacted
    assert not queries.load(store, alone.run_id).metadata.redacted
