"""The access log under faults: nothing of a source is shown before its line is durable."""

from __future__ import annotations

import errno
import json
from dataclasses import replace

import pytest
from harness import Bench, Count, Plan, carry_out

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

SHOWN = '"value": 5'


@pytest.mark.parametrize(
    ("what", "plan"),
    [
        ("kill", Plan("kill")),
        ("no space, once", Plan("error", number=errno.ENOSPC)),
        ("no space, from then on", Plan("error", number=errno.ENOSPC, persistent=True)),
    ],
)
@pytest.mark.parametrize("before", [0, 1])
def test_an_access_broken_at_every_operation(
    bench: Bench, tried: Count, what: str, plan: Plan, before: int
) -> None:
    """Of a log that is new, and of one that has a line."""
    words = ("inspect", "origin/seed", "--full")
    template = bench.shelf()
    for _ in range(before):
        assert SHOWN in carry_out(bench.script, template.wct(*words)).out

    def point(number: int) -> bool:
        shelf = template.copy()
        job = shelf.wct(*words, plan=replace(plan, ordinal=number))
        done = carry_out(bench.zygote, job)
        log = shelf.path / ".waivern" / "access.jsonl"
        lines = log.read_bytes().splitlines() if log.exists() else []
        if SHOWN in done.out:
            assert len(lines) > before
            assert json.loads(lines[-1])["event"]["artifact"] == "seed"
        elif done.broke is None:
            raise AssertionError(f"nothing was shown: {done.err}")
        assert "internal error" not in done.err
        # the next one is shown, whatever was left of the line
        assert SHOWN in carry_out(bench.zygote, shelf.wct(*words)).out
        listed = carry_out(bench.zygote, shelf.wct("runs", "access", "--json"))
        assert listed.code == 0, listed.err
        assert len(json.loads(listed.out)["data"]) > before
        shelf.clear()
        return done.broke is not None

    tried(f"{what}: an access, {before} lines before", bench.sweep(point))
