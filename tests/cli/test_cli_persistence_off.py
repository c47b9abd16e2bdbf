"""Commands that need recorded runs, in a project that records none."""

from __future__ import annotations

import pytest
from wct_process import Place, Wct

COMMANDS = [
    ("runs",),
    ("runs", "list", "--status", "failed"),
    ("inspect", "@last"),
    ("runs", "inspect", "@last"),
    ("runs", "tag", "@last", "a"),
    ("runs", "stats"),
    ("runs", "export"),
    ("runs", "resume", "@last"),
    ("runs", "replay", "@last"),
    ("runs", "approve", "@last"),
    ("runs", "cancel", "@last"),
    ("runs", "verify", "@last"),
    ("runs", "redact", "@last", "--yes"),
    ("runs", "delete", "@last", "--yes"),
    ("runs", "prune", "--keep-last", "1", "--yes"),
    ("runs", "pin", "@last"),
    ("runs", "unpin", "@last"),
    ("runs", "access"),
    ("run", "x.yaml", "--resume", "@last"),
    ("plan", "x.yaml", "--resume", "@last"),
]
BOOK = """
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
"""


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_the_command_says_that_persistence_is_off(
    place: Place, wct: Wct, command: tuple[str, ...]
) -> None:
    place.runbook("x.yaml", BOOK)
    (place.path / "waivern.yaml").write_text("persistence: {enabled: false}\n")
    done = wct(*command)
    assert (done.code, done.out) == (5, "")
    assert "persistence is off (persistence.enabled in waivern.yaml:1:15)" in done.err
    assert "--store" in done.err
    assert not (place.path / ".waivern").exists()


def test_other_commands_and_named_stores_work(place: Place, wct: Wct) -> None:
    place.runbook("x.yaml", BOOK)
    (place.path / "waivern.yaml").write_text("persistence: {backend: memory, path: elsewhere}\n")
    assert wct("run", "x.yaml").code == 0
    assert wct("plan", "x.yaml").code == 0
    assert wct("validate", "x.yaml").code == 0
    assert wct("runs").code == 5
    assert wct("run", "x.yaml", "--store", "kept", "--run-id", "r").code == 0
    assert [row[0] for row in wct("runs", "--store", "kept").rows] == ["r"]
    assert place.wct("runs", WAIVERN_STORE="kept").code == 0
    (place.path / "waivern.yaml").write_text("persistence: {enabled: maybe}\n")
    assert wct("runs").code == 3
