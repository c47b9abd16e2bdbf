"""A change of annotations under faults: it is recorded whole, or not at all."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import pytest
from harness import Bench, Count, Plan, carry_out

from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

WORDS = ("runs", "tag", "origin", "audit", "--note", "for the board")
RECORDED = {"tags": ["audit"], "note": "for the board"}


@pytest.mark.parametrize(
    ("what", "plan"),
    [
        ("kill", Plan("kill")),
        ("no space, once", Plan("error", number=errno.ENOSPC)),
        ("no space, from then on", Plan("error", number=errno.ENOSPC, persistent=True)),
    ],
)
def test_a_change_broken_at_every_operation(
    bench: Bench, tried: Count, what: str, plan: Plan
) -> None:
    template = bench.shelf()

    def point(number: int) -> bool:
        shelf = template.copy()
        job = shelf.wct(*WORDS, plan=replace(plan, ordinal=number))
        done = carry_out(bench.zygote, job)
        metadata = shelf.rows()["origin"].metadata
        assert metadata is not None
        assert metadata.metadata in ({}, RECORDED)
        if done.code == 0:
            assert metadata.metadata == RECORDED
        elif done.broke is None:
            raise AssertionError(f"it was not recorded: {done.err}")
        assert "internal error" not in done.err
        store = LocalFilesystemStore(shelf.path / ".waivern")
        assert verify(store, "origin").faults == ()
        # the next one is recorded, whatever was left of the line
        again = carry_out(bench.zygote, shelf.wct(*WORDS, "--json"))
        assert again.code == 0, again.err
        assert json.loads(again.out)["data"]["metadata"] == RECORDED
        assert verify(store, "origin").faults == ()
        shelf.clear()
        return done.broke is not None

    tried(f"{what}: a change of annotations", bench.sweep(point))
