"""SIGKILL before every operation of what asks people, and of what takes from the cache.

A run with a child, a `for_each`, a retry, a condition and a gate: until it waits, while a decision
is written down, while it goes on; while it takes all from the cache, while it is replayed, while it
is resumed with another child. Afterwards `wct runs` tells the truth, a decision on record is there
and counts once, what was acknowledged is not made again, and all comes out as if undisturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from harness import RUN, Bench, Count, Done, Plan, Runner, Shelf, carry_out
from oracle import BEFORE, Known, after_resume, contents, is_new, story
from programme import (
    CALLED,
    GATE,
    MADE,
    Stand,
    approve,
    begin,
    go_on,
    known_before,
    serial,
    suspended,
    write,
)

from waivern.service.verify import verify
from waivern.store.local import LocalFilesystemStore

pytestmark = pytest.mark.timeout(600)  # a sweep on a busy machine

REFUSED = 5
CHANGED = ("child/raw", "child/made")
"""What the changed child makes another way."""


@pytest.fixture(scope="module")
def waiting(bench: Bench) -> Shelf:
    return suspended(bench)


@pytest.fixture(scope="module")
def approved(bench: Bench, waiting: Shelf) -> dict[str, Any]:
    """What a run comes to that nothing disturbs."""
    shelf = waiting.copy()
    done = carry_out(bench.script, approve(shelf))
    assert done.code == 0, done.err
    made = comparable(shelf)
    assert made.keys() == MADE | {GATE, "end"}
    assert made["end"] == made["sum"] == {"total": 3 + 2 + 7 + 7 + 4}
    return made


def comparable(shelf: Shelf) -> dict[str, Any]:
    """Return the contents of a run, without who decided and when."""
    made = contents(shelf.run)
    if GATE in made:
        made[GATE] = {name: value for name, value in made[GATE].items() if name != "decisions"}
    return shown_by_name(made)


def shown_by_name(made: dict[str, Any]) -> dict[str, Any]:
    """Leave out the digests of what was shown: a file has the time of its making in it."""
    if GATE in made:
        made[GATE] = made[GATE] | {"shown": sorted(made[GATE]["shown"])}
    return made


def told_by_wct(bench: Bench, shelf: Shelf, stand: Stand) -> None:
    rows = carry_out(bench.zygote, shelf.wct("runs")).out.splitlines()
    told = {row.split("\t")[0]: row.split("\t")[1] for row in rows}
    assert told.get(RUN) == (stand.known.story.status if stand.known.story else None)


def sound(shelf: Shelf) -> None:
    found = verify(LocalFilesystemStore(shelf.path / ".waivern"), RUN)
    assert not found.faults, found.faults


def decided(bench: Bench, shelf: Shelf, stand: Stand, code: int, *more: str) -> Done:
    """Do what a person would do after a crash: decide once more; go on if that is settled.

    Whether it is settled, the journal says: a decision that is on record is never asked for again,
    and one that is not there is taken.
    """
    again = carry_out(bench.zygote, approve(shelf, None, *more))
    truth = stand.known.story
    assert truth
    if truth.decisions:
        assert again.code == REFUSED, f"{again.code}: {again.err}"
        assert len(story(shelf.run).decisions) == 1, "a decision counts twice"
        if truth.status in ("completed", "failed"):
            return carry_out(bench.zygote, go_on(shelf))
        again = carry_out(bench.zygote, go_on(shelf))
    assert again.code == code, f"{again.code}: {again.err}{again.out}"
    assert [each["by"] for each in story(shelf.run).decisions] == ["ann"]
    return again


def swept(
    bench: Bench,
    template: Shelf,
    command: Callable[[Shelf, Plan], Any],
    ended: int,
    recover: Callable[[Shelf, Stand], None],
    runner: Runner | None = None,
) -> int:
    """Kill a command before each of its operations; return how many there are."""

    def point(number: int) -> bool:
        shelf = template.copy()
        done = carry_out(runner or bench.zygote, command(shelf, Plan("kill", number)))
        if done.broke is None:
            assert done.code == ended, f"{done.code}: {done.err}"
            shelf.clear()
            return False
        assert done.code == -9
        try:
            stand = Stand.after(shelf, done)
            told_by_wct(bench, shelf, stand)
            recover(shelf, stand)
        except AssertionError as error:
            raise AssertionError(f"{done.broke}: {error}\n{done.err}") from error
        shelf.clear()
        return True

    return bench.sweep(point)


def until_it_waits(bench: Bench, undisturbed: dict[str, Any], shelf: Shelf, stand: Stand) -> None:
    """Check that a run that is begun or resumed now waits at its gate, and nothing is made twice."""
    job = go_on(shelf) if shelf.run.exists() else begin(shelf)
    expected = {name: undisturbed[name] for name in MADE}
    after_resume(shelf, stand.known, carry_out(bench.zygote, job), expected)
    assert story(shelf.run).status == "suspended"
    sound(shelf)


def to_the_end(
    bench: Bench, undisturbed: dict[str, Any], shelf: Shelf, stand: Stand, *more: str
) -> None:
    """Check that a run that waits, or went on when it was killed, can be brought to its end."""
    before = shelf.calls
    done = decided(bench, shelf, stand, 0, *more)
    assert done.code == 0, done.err
    truth = story(shelf.run)
    assert truth.status == "completed"
    assert comparable(shelf) == undisturbed
    assert {name for name in MADE | {"end"} if shelf.calls[name] > before[name]} <= {"end"}
    known = stand.known.story
    assert known
    assert known.completed.items() <= truth.completed.items()
    sound(shelf)


def test_a_run_until_it_waits(
    bench: Bench, approved: dict[str, Any], tried: Count
) -> None:
    recover = partial(until_it_waits, bench, approved)
    points = swept(bench, bench.shelf(), begin, 7, recover)
    tried("kill: a run with a child, a retry and a gate, until it waits", points)


def test_a_decision_and_what_follows_it(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    recover = partial(to_the_end, bench, approved)
    tried("kill: approve, and the run goes on", swept(bench, waiting, approve, 0, recover))


def test_a_decision_that_is_only_recorded(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    def command(shelf: Shelf, plan: Plan) -> Any:
        return shelf.wct("runs", "approve", RUN, "--by", "ann", "--no-resume", plan=plan)

    recover = partial(to_the_end, bench, approved)
    tried("kill: approve --no-resume", swept(bench, waiting, command, 0, recover))


def test_a_rejection(bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count) -> None:
    def recover(shelf: Shelf, stand: Stand) -> None:
        done = decided(bench, shelf, stand, 1, "--reject")
        assert done.code == 1, done.err
        truth = story(shelf.run)
        assert (truth.artifacts[GATE], truth.artifacts["end"]) == ("failed", "skipped")
        assert comparable(shelf) == {name: approved[name] for name in MADE}
        sound(shelf)

    def command(shelf: Shelf, plan: Plan) -> Any:
        return approve(shelf, plan, "--reject")

    tried("kill: approve --reject", swept(bench, waiting, command, 1, recover))


def test_a_decision_as_data_of_a_resume(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    def command(shelf: Shelf, plan: Plan | None = None) -> Any:
        return go_on(shelf, plan, "--data", "approved=true")

    def recover(shelf: Shelf, stand: Stand) -> None:
        truth = stand.known.story
        assert truth
        done = carry_out(bench.zygote, go_on(shelf) if truth.decisions else command(shelf))
        assert done.code == 0, done.err
        assert comparable(shelf) == approved
        assert len(story(shelf.run).decisions) == 1
        sound(shelf)

    tried("kill: resume --data approved=true", swept(bench, waiting, command, 0, recover))


def test_a_run_that_takes_everything_from_the_cache(
    bench: Bench, approved: dict[str, Any], tried: Count
) -> None:
    """Neither it nor the resume of it makes anything; what it copied is whole or not there."""
    template = known_before(bench)
    whole = {name: template.calls[name] for name in CALLED}

    def recover(shelf: Shelf, stand: Stand) -> None:
        until_it_waits(bench, approved, shelf, stand)
        assert {name: shelf.calls[name] for name in CALLED} == whole, "made, not taken"
        taken = {name for name, e in story(shelf.run).completed.items() if e["how"] == "cached"}
        assert taken == CALLED

    tried("kill: a run that takes all from the cache", swept(bench, template, begin, 7, recover))


def test_the_cache_is_written(bench: Bench, approved: dict[str, Any], tried: Count) -> None:
    """A kill while its key is made or an entry is appended: the next run finds all, or makes it.

    What is torn is no entry, and what was remembered after it is found.
    """
    write(bench)

    def command(shelf: Shelf, plan: Plan) -> Any:
        return begin(shelf, Plan("tear", plan.ordinal, only="write", persistent=True), run=BEFORE)

    def recover(shelf: Shelf, stand: Stand) -> None:
        for run, status in ((RUN, 7), ("third", 7)):
            before = shelf.calls
            done = carry_out(bench.zygote, begin(shelf, run=run))
            assert done.code == status, done.err
            expected = {name: approved[name] for name in MADE}
            assert contents(shelf.run.parent / run) == expected
        assert shelf.calls == before, "what the second run made is not taken by the third"
        assert not list((shelf.path / ".waivern" / "cache").glob(".tmp-*"))

    def point(number: int) -> bool:
        shelf = bench.bare_shelf()
        done = carry_out(bench.zygote, command(shelf, Plan(ordinal=number)))
        if done.broke:
            recover(shelf, None)  # type: ignore[arg-type]
        else:
            assert done.code == 7, done.err
        shelf.clear()
        return done.broke is not None

    tried("kill: in the middle of every write of a run that fills the cache", bench.sweep(point))


def test_a_replay(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    """Nothing of it, and of its resume, comes from the cache."""
    template = known_before(bench)

    def command(shelf: Shelf, plan: Plan | None) -> Any:
        return serial(shelf, plan, "runs", "replay", BEFORE, "--run-id", RUN)

    def recover(shelf: Shelf, stand: Stand) -> None:
        job = go_on(shelf) if shelf.run.exists() else command(shelf, None)
        expected = {name: approved[name] for name in MADE}
        after_resume(shelf, stand.known, carry_out(bench.zygote, job), expected)
        hows = {event["how"] for event in story(shelf.run).completed.values()}
        assert hows == {"produced"}, "evidence was used"

    tried("kill: a replay", swept(bench, template, command, 7, recover))


def test_a_resume_with_another_child(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    """Whenever it dies, the bytes of the child that it last ran are there, and those of before."""

    def command(shelf: Shelf, plan: Plan | None = None) -> Any:
        words = ("run", "changed/programme.yaml", "--resume", RUN, "--allow-changed")
        return serial(shelf, plan, *words)

    shelf = waiting.copy()
    assert carry_out(bench.zygote, command(shelf)).code == 7
    undisturbed = contents(shelf.run)
    assert undisturbed["sum"] == {"total": 30 + 2 + 7 + 7 + 4}

    def recover(shelf: Shelf, stand: Stand) -> None:
        looked = carry_out(bench.zygote, shelf.wct("plan", "--resume", RUN, "changed/programme.yaml"))
        assert looked.code in (0, REFUSED), looked.err
        other = shelf.copy()
        kept = carry_out(bench.zygote, go_on(other))
        assert kept.code == 7, kept.err
        assert contents(other.run)["sum"]["total"] in (23, 50)
        other.clear()
        after_resume(shelf, touched(stand.known), carry_out(bench.zygote, command(shelf)), undisturbed)
        sound(shelf)

    def touched(known: Known) -> Known:
        """Leave out what counts no longer as soon as an attempt with the other child begins."""
        truth = known.story
        if truth is None or truth.attempts > 1:
            return known
        stays = {n: e for n, e in truth.completed.items() if n not in {*CHANGED, "sum"}}
        return replace(known, story=replace(truth, completed=stays))

    tried("kill: resume --allow-changed of another child", swept(bench, waiting, command, 7, recover))


def test_in_the_script_itself(
    bench: Bench, waiting: Shelf, approved: dict[str, Any], tried: Count
) -> None:
    def command(shelf: Shelf, plan: Plan) -> Any:
        return approve(shelf, Plan("kill", 1 + (plan.ordinal - 1) * 12))

    recover = partial(to_the_end, bench, approved)
    points = swept(bench, waiting, command, 0, recover, bench.script)
    tried("kill: approve, in the installed script, every 12th", points)
