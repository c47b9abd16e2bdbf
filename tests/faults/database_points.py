"""Points of the sweeps over stores in databases: a run with one fault, and its resume.

SQLite and PostgreSQL have the same ones, on benches of their own.
"""

from __future__ import annotations

from typing import Any

from harness import Bench, Done, Plan, Shelf, carry_out
from oracle import Known, after_fault, after_resume, contents, is_new

from waivern.errors import Exit


def without_faults(bench: Bench) -> dict[str, Any]:
    """Return the artifacts of a run that nothing disturbs."""
    shelf = bench.shelf()
    done = carry_out(bench.script, shelf.start())
    assert done.code == 1, done.err
    made = contents(shelf.run)
    assert made.keys() == {"one", "old", "two", "all", "last"}
    return made


def killed(bench: Bench, number: int, undisturbed: dict[str, Any]) -> bool:
    """Kill a run at a statement, and resume it; return whether it had that statement."""
    shelf = bench.shelf()
    done = carry_out(bench.zygote, shelf.again(Plan("kill", number)))
    if done.broke is None:
        assert done.code == 1, done.err
    else:
        assert done.code == -9
        _resumed(bench, shelf, after_fault(shelf, done), undisturbed)
    shelf.clear()
    return done.broke is not None


def failed(bench: Bench, plan: Plan, undisturbed: dict[str, Any]) -> bool:
    """Let a statement fail, and resume the run; return whether it had that statement."""
    shelf = bench.shelf()
    done = carry_out(bench.zygote, shelf.start(plan))
    if done.broke:
        try:
            known = after_fault(shelf, done)
            _reported(done, known)
            _resumed(bench, shelf, known, undisturbed)
        except AssertionError as error:
            message = f"{done.broke} -> {done.code}: {error}\n{done.err}{done.out}"
            raise AssertionError(message) from error
    else:
        assert done.code == 1, done.err
    shelf.clear()
    return done.broke is not None


def _resumed(bench: Bench, shelf: Shelf, known: Known, undisturbed: dict[str, Any]) -> None:
    if is_new(shelf, known):
        after_resume(shelf, known, carry_out(bench.zygote, shelf.again()), undisturbed)


def _reported(done: Done, known: Known) -> None:
    """Check what a command with an error in it reported."""
    assert "Traceback" not in done.err
    if done.code == Exit.FAILED:  # what failed was not needed for the artifacts
        assert known.story
        assert known.story.status == "failed"
    elif done.code == Exit.INVALID:  # planning takes an error for a fault of the runbook
        assert known.story is None
    else:
        assert done.code == Exit.STORE
        text = done.out + done.err
        assert "cannot " in text
        assert "= help: " in text or "next:" in text
