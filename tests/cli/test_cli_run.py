"""`wct run`: what it prints where, what it copies, and the code it leaves with."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
from pathlib import Path

import pytest
from wct_process import WCT, Place, Wct

GOOD = """
  a: {source: {type: python, properties: {call: "steps.py:value", args: {x: 2}}}}
  b: {source: {type: python, properties: {call: "steps.py:chatty"}}}
  sum:
    inputs: [a, b]
    process: {type: python, properties: {call: "steps.py:total"}}
    output: true
"""
BAD = """
  a: {source: {type: python, properties: {call: "steps.py:value"}}, output: true}
  broken: {source: {type: python, properties: {call: "steps.py:fail"}}}
  sum:
    inputs: [a, broken]
    process: {type: python, properties: {call: "steps.py:total"}}
    output: true
"""


def test_answer_on_stdout_progress_on_stderr(place: Place, wct: Wct) -> None:
    done = wct("run", place.runbook("good.yaml", GOOD))
    (run_id,) = place.run_ids()
    assert done.code == 0
    assert done.out.startswith(f"COMPLETED  good  run {run_id[:8]}")
    assert run_id in done.out
    assert "3:  3 completed" in done.out
    assert done.out.splitlines()[-1] == f"  next:  wct inspect {run_id[:8]}"
    assert f"run {run_id}  good.yaml" in done.err
    for name in ("a", "b", "sum"):
        assert f"completed  {name}" in done.err
    assert "started" not in done.err
    assert "a word \\u001b[2Jaside" in done.err  # what a component prints is no answer
    assert "\x1b" not in done.out + done.err


def test_quiet_and_verbose(place: Place, wct: Wct) -> None:
    book = place.runbook("good.yaml", GOOD)
    assert wct("run", book, "-q").err == ""
    assert "started    sum" in wct("run", book, "-v").err


def test_failure_says_why_and_what_next(place: Place, wct: Wct) -> None:
    done = wct("run", place.runbook("bad.yaml", BAD))
    run_id = place.run_folder().name
    log = f".waivern/runs/{run_id}/_system/logs/broken.log"
    assert done.code == 1
    assert "ValueError: it broke" in done.out
    assert f"log: {log}" in done.out
    assert (place.path / log).is_file()
    assert "sum  skipped: needs broken" in done.out
    assert f"next:  wct run bad.yaml --resume {run_id[:8]}" in done.out


def test_next_command_works_as_printed(place: Place, wct: Wct) -> None:
    book = place.runbook("bad one.yaml", BAD)
    first = wct("run", book, "--store", "a store", "-q")
    command = first.out.rpartition("next:  ")[2].partition("\n")[0]
    (place.path / "steps.py").write_text(
        (place.path / "steps.py").read_text() + "\ndef fail(): return {'value': 5}\n"
    )
    again = wct(*shlex.split(command)[1:])
    assert again.code == 0, again.err
    assert "attempt 2" in again.out
    assert "3 completed (1 restored)" in again.out


def test_json(place: Place, wct: Wct) -> None:
    done = wct("run", place.runbook("bad.yaml", BAD), "--json", "-o", "out")
    data = done.data("run")
    assert done.code == data["exit_code"] == 1
    assert (data["run_id"], data["status"]) == (place.run_folder().name, "failed")
    assert data["artifacts"] == {
        "completed": 1, "failed": 1, "skipped": 1, "not_started": 0, "suspended": 0,
    }  # fmt: skip
    steps = {step["artifact"]: step for step in data["steps"]}
    assert steps["broken"]["error"]["message"] == "it broke"
    assert data["outputs"] == ["out/a.json"]
    assert data["next"].startswith("wct run bad.yaml --resume ")


def delivered(folder: Path) -> set[str]:
    """Return what is in a folder of outputs beside the record of them."""
    names = {path.name for path in folder.iterdir()}
    assert ".waivern-output.json" in names
    return names - {".waivern-output.json"}


def test_outputs_are_copied_privately_and_replaced(place: Place, wct: Wct) -> None:
    book = place.runbook("good.yaml", GOOD)
    assert wct("run", book, "-o", "deep/out").code == 0
    copy = place.path / "deep" / "out" / "sum.json"
    assert json.loads(copy.read_text())["content"] == {"total": 3}
    assert copy.read_bytes() == (place.run_folder() / "sum.json").read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o700
    assert delivered(copy.parent) == {"sum.json"}

    elsewhere = place.path / "elsewhere"
    elsewhere.write_text("mine")
    copy.unlink()
    copy.symlink_to(elsewhere)
    copy.parent.chmod(0o755)
    assert wct("run", book, "-o", "deep/out").code == 0
    assert elsewhere.read_text() == "mine"  # the link was replaced, not followed
    assert not copy.is_symlink()
    assert stat.S_IMODE(copy.parent.stat().st_mode) == 0o755  # the user's own folder


def test_no_output_to_copy_is_told(place: Place, wct: Wct) -> None:
    book = place.runbook("none.yaml", GOOD.replace("    output: true\n", ""))
    done = wct("run", book, "-o", "out")
    assert done.code == 0
    assert "no artifact of the runbook has `output: true`" in done.out


def test_unusable_output_folder(place: Place, wct: Wct) -> None:
    book = place.runbook("good.yaml", GOOD)
    before = wct("run", book, "-o", "steps.py")
    assert before.code == 2
    assert not (place.path / ".waivern").exists()
    after = wct("run", book, "-o", "/proc/nowhere", "-q")
    assert after.code == 74
    assert "COMPLETED" in after.out  # the run itself is told all the same


def test_run_id_of_choice(place: Place, wct: Wct) -> None:
    book = place.runbook("good.yaml", GOOD)
    done = wct("run", book, "--run-id", "nightly-1", "-q")
    assert done.code == 0
    assert "next:  wct inspect nightly-1" in done.out
    again = wct("run", book, "--run-id", "nightly-1")
    assert again.code == 5
    assert again.out == ""
    assert wct("run", book, "--run-id", "../up").code == 2


def test_nothing_to_do(place: Place, wct: Wct) -> None:
    book = place.runbook("good.yaml", GOOD)
    wct("run", book, "-q")
    done = wct("run", book, "--resume", "@last")
    assert done.code == 0
    assert done.out.startswith("NOTHING TO DO")
    assert wct("run", book, "--resume", "@last", "--json").data("run")["nothing_to_do"]


def test_memory_store_gives_outputs_and_no_false_promise(place: Place, wct: Wct) -> None:
    done = wct("run", place.runbook("good.yaml", GOOD), "--store", "memory:", "-o", "out")
    assert done.code == 0
    assert (place.path / "out" / "sum.json").is_file()
    assert "next:" not in done.out
    assert not (place.path / ".waivern").exists()


@pytest.mark.parametrize("environ", [{}, {"NO_COLOR": "1"}])
def test_colour_only_on_a_terminal_that_wants_it(place: Place, environ: dict[str, str]) -> None:
    done = place.on_a_terminal("run", place.runbook("bad.yaml", BAD), **environ)
    assert done.code == 1
    assert "FAILED" in done.out
    assert "python  " in done.out
    coloured = "\x1b[31m" in done.out
    assert coloured is not bool(environ)


def test_large_run_is_counted_not_listed(place: Place, wct: Wct) -> None:
    many = "".join(
        f'  n{n}: {{source: {{type: python, properties: {{call: "steps.py:fail"}}}}}}\n'
        for n in range(40)
    )
    done = wct("run", place.runbook("many.yaml", many), "-q")
    assert done.code == 1
    assert "40:  40 failed" in done.out
    assert "and 20 more failed" in done.out
    assert len(done.out.splitlines()) < 60


def test_reader_that_goes_away_is_no_error(place: Place) -> None:
    book = place.runbook("good.yaml", GOOD)
    process = place.start("run", book)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    with process.stderr:
        err = process.stderr.read()
    assert process.wait(30) == 141
    assert "Traceback" not in err
    assert "BrokenPipe" not in err
    assert place.wct("runs").rows[0][1] == "completed"


def test_answer_that_cannot_be_written(place: Place) -> None:
    command = ["sh", "-c", 'ulimit -f 0; exec "$0" --help > answer', WCT]
    done = subprocess.run(command, cwd=place.path, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 74
    assert "cannot write to stdout" in done.stderr
    assert "Traceback" not in done.stderr


GATED = """
  a: {source: {type: python, properties: {call: "steps.py:value"}}}
  ok: {gate: {question: "May it?", show: [a]}}
  sum: {inputs: [a, ok], process: {type: python, properties: {call: "steps.py:total"}}}
"""


def test_what_is_proposed_after_a_rejection_asks_again(place: Place, wct: Wct) -> None:
    secret = "params: {token: {type: string, secret: true}}"
    place.runbook("gated.yaml", GATED, head=secret)
    (place.path / "FILE").write_text("token: hush\n")  # as it stands in what is proposed
    first = wct("run", "gated.yaml", "-q", "--params", "FILE")
    assert first.code == 7
    run = place.run_folder().name
    told = wct("runs", "approve", f"{run}/ok", "--reject", "--params", "FILE", "-q")
    assert told.code == 1
    _, _, end = told.out.rpartition("  next:  ")
    assert end.splitlines() == [
        f"wct runs resume {run[:8]} --ask-again --params FILE",
        "         restores 1, produces 2",
    ]
    again = wct(*shlex.split(end.splitlines()[0])[1:], "-q")
    assert again.code == 7, again.err


def test_a_decision_that_counts_no_longer_says_so(place: Place, wct: Wct) -> None:
    two = "\nartifacts:" + GATED.replace("show: [a]", "show: [a], approvers: 2")
    book = place.path / "gated.yaml"
    book.write_text(two)
    assert wct("run", "gated.yaml", "-q", "--run-id", "r").code == 7
    assert wct("runs", "approve", "r/ok", "--by", "ann", "-q").code == 7
    assert "invalid:" not in wct("inspect", "r/ok").out
    book.write_text(two.replace("May it?", "May all of it?"))
    assert wct("run", "gated.yaml", "--resume", "r", "--allow-changed", "-q").code == 7
    decided = [text for key, text in wct("inspect", "r/ok").rows if key == "decision"]
    assert len(decided) == 1
    assert decided[0].startswith("approved by ann at ")
    assert "(invalid: the question or the artifacts have changed)" in decided[0]


@pytest.mark.parametrize("how", ["--fail-fast", "on_error"])
def test_nothing_is_started_after_the_failure_that_ends_it(
    place: Place, how: str, wct: Wct
) -> None:
    (place.path / "log.py").write_text(
        "def fail(name):\n"
        "    with open('calls.txt', 'a') as out:\n"
        "        out.write(name)\n"
        "    raise ValueError(name)\n"
    )
    call = '{call: "log.py:fail", args: {name: "${each}"}}'
    book = place.runbook(
        "book.yaml",
        "  k:\n    for_each: [a, b, c, d, e, f, g, h]\n"
        f"    source: {{type: python, properties: {call}}}\n",
        "config: {on_error: fail}" if how == "on_error" else "",
    )
    more = ("--fail-fast",) if how == "--fail-fast" else ()
    for _ in range(3):
        done = wct("run", book, "-q", "--max-concurrency", "1", *more)
        assert done.code == 1
        assert "1 failed, 7 not started" in done.out
        assert (place.path / "calls.txt").read_text() == "a"
        (place.path / "calls.txt").unlink()
