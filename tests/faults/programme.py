"""A runbook with a child, a `for_each`, a retry, a condition and a gate; what is done with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness import RUN, Bench, Done, Job, Plan, Shelf, carry_out
from oracle import BEFORE, Known, after_fault, after_resume, contents, story

from waivern.runs.verify import verify
from waivern.store.local import LocalFilesystemStore

REFUSED = 5

CHILD = """
name: child
inputs: {factor: {input_schema: json, optional: true, default: {value: 2}}}
outputs: {made: {artifact: made}}
artifacts:
  raw: {source: {type: python, properties: {call: "steps.py:value", args: {name: child/raw, x: 3}}}}
  made:
    inputs: [raw, factor]
    process: {type: python, properties: {call: "steps.py:total", args: {name: child/made}}}
"""
PROGRAMME = """
name: programme
params: {most: {type: integer, default: 1}}
config: {cache: true}
artifacts:
  child: {child_runbook: {path: child.yaml, output: made}}
  item:
    for_each: [a, b]
    source: {type: python, properties: {call: "steps.py:value", args: {name: "item/${each}", x: 7}}}
  flaky:
    source: {type: python, properties: {call: "steps.py:flaky", args: {name: flaky, x: 4}}}
    retry: {max: 1, on: ConnectionError, delay: 0.001}
  seldom:
    when: params.most > 5
    source: {type: python, properties: {call: "steps.py:value", args: {name: seldom, x: 9}}}
  sum:
    inputs: [child, item, flaky]
    process: {type: python, properties: {call: "steps.py:total", args: {name: sum}}}
  sign: {gate: {question: Is it well?, show: [sum, child]}}
  end:
    inputs: [sum, sign]
    process: {type: python, properties: {call: "steps.py:total", args: {name: end}}}
"""
GATE = "sign"
MADE = {"child/raw", "child/made", "child/factor", "item/a", "item/b", "flaky", "sum"}
"""What is made before anybody is asked."""
CALLED = MADE - {"child/factor"}
"""Of that, what a component made."""


def write(bench: Bench) -> None:
    """Put the runbook into the bench's folder; into `changed`, with another child; warm up."""
    changed = bench.folder / "changed"
    if changed.exists():
        return
    changed.mkdir()
    steps = (bench.folder / "steps.py").read_text()
    for folder, child in ((bench.folder, CHILD), (changed, CHILD.replace("x: 3", "x: 30"))):
        (folder / "steps.py").write_text(steps)
        (folder / "child.yaml").write_text(child)
        (folder / "programme.yaml").write_text(PROGRAMME)
    shelf = bench.shelf()
    bench.warm_up(begin(bench.shelf()))  # its own: a zygote may carry this out at any time
    done = carry_out(bench.script, begin(shelf))
    assert done.code == 7, done
    bench.warm_up(approve(shelf))
    bench.warm_up(shelf.wct("runs", "replay", RUN, "--run-id", "replayed"))


def begin(shelf: Shelf, plan: Plan | None = None, *more: str, run: str = RUN) -> Job:
    return serial(shelf, plan, "run", "programme.yaml", "--run-id", run, *more)


def go_on(shelf: Shelf, plan: Plan | None = None, *more: str) -> Job:
    """Resume from what was kept."""
    return serial(shelf, plan, "runs", "resume", RUN, *more)


def approve(shelf: Shelf, plan: Plan | None = None, *more: str, by: str = "ann") -> Job:
    return serial(shelf, plan, "runs", "approve", RUN, "--by", by, *more)


def serial(shelf: Shelf, plan: Plan | None, *words: str) -> Job:
    width = () if plan and not plan.serial else ("--max-concurrency", "1")
    return shelf.wct(*words, *width, plan=plan)


def suspended(bench: Bench) -> Shelf:
    """Return a store in which the run waits at its gate."""
    write(bench)
    shelf = bench.shelf()
    done = carry_out(bench.zygote, begin(shelf))
    assert done.code == 7, done.err
    assert story(shelf.run).completed.keys() == MADE
    return shelf


def known_before(bench: Bench) -> Shelf:
    """Return a store with a run in which all has been made once, under another id."""
    write(bench)
    shelf = bench.shelf()
    done = carry_out(bench.zygote, begin(shelf, run=BEFORE))
    assert done.code == 7, done.err
    return shelf


@dataclass(frozen=True)
class Stand:
    """What is known after a fault: as of any run, and of decisions."""

    known: Known
    decisions: int

    @classmethod
    def after(cls, shelf: Shelf, done: Done) -> Stand:
        """Check that what is left says the truth, and that no decision that was told of is lost."""
        known = after_fault(shelf, done)
        decisions = known.story.decisions if known.story else ()
        said = [line for line in done.err.splitlines() if " by ann" in line]
        said += [line for line in done.out.splitlines() if line.startswith(f"{RUN}/{GATE}")]
        assert not said or decisions, f"told of a decision that is not kept: {said}"
        return cls(known, len(decisions))


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


def until_it_waits(bench: Bench, undisturbed: dict[str, Any], shelf: Shelf, stand: Stand) -> None:
    """Check that a run, begun or resumed now, waits at its gate, and nothing is made twice."""
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
