"""A runbook with a child, a `for_each`, a retry, a condition and a gate, and what is done with it."""

from __future__ import annotations

from dataclasses import dataclass

from harness import RUN, Bench, Done, Job, Plan, Shelf, carry_out
from oracle import BEFORE, Known, after_fault, story

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
    bench.warm_up(begin(shelf))
    assert carry_out(bench.script, begin(shelf)).code == 7
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
