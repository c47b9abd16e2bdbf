"""What components print, log and warn lands in their logs, and never on stdout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from wct_process import Done, Place

TALK = """
import asyncio, contextlib, faulthandler, io, logging, os, subprocess, sys, threading, warnings

def prints(name):
    print("printed", name)
    sys.stderr.write(f"written {name}\\n")
    sys.stdout.writelines([f"two {name}\\n", f"lines {name}\\n"])
    print(f"no end {name}", end="")

def logs(name):
    logging.info("root %s", name)
    logging.getLogger("some.module").warning("named %s", name)
    logging.getLogger("quiet.one").debug("never %s", name)

def configures(name):
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, force=True)
    logging.getLogger("own").error("error %s", name)

def warns(name):
    for _ in range(3):
        warnings.warn(f"careful {name}")
        warnings.warn("the same for all")

def threads(name):
    def work():
        print("thread", name)
        inner = threading.Thread(target=print, args=("inner", name))
        inner.start(); inner.join()
        raise RuntimeError(f"thread failed {name}")
    thread = threading.Thread(target=work)
    thread.start(); thread.join()

async def tasks(name):
    async def one(n):
        await asyncio.sleep(0)
        print("task", n, name)
    await asyncio.gather(one(1), one(2))
    await asyncio.to_thread(print, "to thread", name)

def stream(name):
    for out in (sys.stdout, sys.stderr):
        out.reconfigure(encoding="latin-1", errors="strict")
        assert (out.encoding, out.errors, out.isatty(), out.closed) == (
            "utf-8", "backslashreplace", False, False)
        assert out.writable() and not out.readable()
        out.close()
        out.flush()
    data = f"bytes č {name}\\n".encode()
    sys.stdout.buffer.write(data[:7])
    sys.stdout.buffer.write(data[7:])
    sys.stdout.buffer.flush()
    assert sys.stdout.fileno() == 1 and sys.stderr.fileno() == 2
    faulthandler.enable()
    faulthandler.disable()
    print(f"dunder {name}", file=sys.__stdout__)
    with contextlib.redirect_stdout(io.StringIO()) as kept:
        print("kept")
    assert kept.getvalue() == "kept\\n"

def past_python(name):
    os.system(f"echo shell {name}")
    os.write(1, f"descriptor 1 {name}\\n".encode())
    os.write(2, f"descriptor 2 {name}\\n".encode())
    subprocess.run(["echo", f"child {name}"], stdout=sys.stderr, check=True)

def secret(name):
    print("it is", os.environ["CANARY"])
    os.system("echo it is $CANARY")
    logging.error("it is %s", os.environ["CANARY"])

def floods(name):
    print("x" * 100_000)
    for n in range(200_000):
        print(n)
    os.system("seq 1000000 1200000")

def hijacks(name):
    sys.stdout = io.StringIO()

ASKED = {"input": input, "read": lambda: sys.stdin.read(), "line": lambda: next(sys.stdin),
         "breakpoint": breakpoint, "pdb": lambda: __import__("pdb").set_trace() or print("on")}

def asks(name):
    ASKED[name]()
    print("went on")

def talk(what, name="A"):
    globals()[what](name)
    return {"value": name}

async def talk_async(what, name="A"):
    await globals()[what](name)
    return {"value": name}
"""


def run(place: Place, *artifacts: tuple[str, str, str], flags: tuple[str, ...] = ()) -> Done:
    """Run artifacts, each (id, what it says, the name it says), with JSON as the answer."""
    (place.path / "talk.py").write_text(TALK)
    lines = []
    for name, what, word in artifacts:
        call = "talk_async" if what == "tasks" else "talk"
        args = f"args: {{what: {what}, name: {word}}}"
        work = f'{{type: python, properties: {{call: "talk.py:{call}", {args}}}}}'
        lines.append(f"  {name}: {{source: {work}}}")
    place.runbook("t.yaml", "\n".join(lines))
    return place.wct("run", "t.yaml", "--json", *flags)


def log(place: Place, artifact: str) -> str:
    path = place.run_folder() / "_system/logs" / f"{artifact}.log"
    return path.read_text() if path.exists() else ""


def run_log(place: Place) -> str:
    path = place.run_folder() / "_system/run.log"
    return path.read_text() if path.exists() else ""


SAID = {
    "prints": ["printed {0}", "written {0}", "two {0}", "lines {0}", "no end {0}"],
    "logs": ["INFO root {0}", "WARNING some.module: named {0}"],
    "threads": ["thread {0}", "inner {0}", "RuntimeError: thread failed {0}"],
    "tasks": ["task 1 {0}", "task 2 {0}", "to thread {0}"],
    "stream": ["bytes č {0}", "dunder {0}"],
    "configures": ["ERROR own: error {0}"],
    "warns": ["UserWarning: careful {0}", "UserWarning: the same for all"],
}


@pytest.mark.parametrize("flags", [(), ("-q",)])
@pytest.mark.parametrize("what", SAID)
def test_each_artifact_has_what_it_says(place: Place, what: str, flags: tuple[str, ...]) -> None:
    done = run(place, ("one", what, "First"), ("two", what, "Second"), flags=flags)
    assert done.code == 0, done
    assert done.data("run")["status"] == "completed"
    for artifact, mine, other in (("one", "First", "Second"), ("two", "Second", "First")):
        text = log(place, artifact)
        lines = text.splitlines()
        for said in SAID[what]:
            hits = [line for line in lines if line.endswith(said.format(mine))]
            assert len(hits) == 1, (said, text)
        assert other not in text
        assert "never" not in text
    assert run_log(place) == ""
    shown = [line for line in SAID[what] if not line.startswith("INFO")]
    assert all((line.format("First") in done.err) is not bool(flags) for line in shown)


@pytest.mark.parametrize("flags", [(), ("-q",)])
def test_what_passes_python_by_lands_in_the_log_of_the_run(
    place: Place, flags: tuple[str, ...]
) -> None:
    done = run(place, ("a", "past_python", "A"), flags=flags)
    assert done.data("run")["status"] == "completed"
    assert set(run_log(place).splitlines()) == {
        "shell A",
        "descriptor 1 A",
        "descriptor 2 A",
        "child A",
    }
    assert ("shell A" in done.err) is not bool(flags)


def test_stdout_is_the_answer_on_a_terminal_too(place: Place) -> None:
    assert run(place, ("a", "past_python", "A")).code == 0
    answer = place.path / "answer.json"
    ended = place.on_a_terminal("run", "t.yaml", "--no-cache", "--json")
    assert ended.code == 0
    text = ended.out[ended.out.index("{\r\n") :]
    assert json.loads(text)["data"]["status"] == "completed"
    assert not answer.exists()


def test_secrets_are_in_no_log(place: Place) -> None:
    (place.path / "talk.py").write_text(TALK)
    args = '{what: secret, name: "${CANARY}"}'
    work = f'{{type: python, properties: {{call: "talk.py:talk", args: {args}}}}}'
    place.runbook("s.yaml", f"  a: {{source: {work}}}")
    done = place.wct("run", "s.yaml", CANARY="xyzzy-canary")
    assert "xyzzy" not in done.err
    assert log(place, "a").splitlines() == ["it is ${CANARY}", "ERROR it is ${CANARY}"]
    assert run_log(place) == "it is ${CANARY}\n"


@pytest.mark.sweep
def test_a_flood_is_bounded_and_says_so(place: Place) -> None:
    done = run(place, ("a", "floods", "A"), flags=("-q",))
    assert done.code == 0, done
    for text, last in ((log(place, "a"), "199999"), (run_log(place), "1200000")):
        lines = text.splitlines()
        assert len(text) < 2**20 + 10_000
        [full] = [n for n, line in enumerate(lines) if line.startswith("(this log has reached")]
        assert lines[full + 1].endswith("lines are left out)")
        assert last in lines[-2:]
    assert "a line of 100,000 characters is left out" in log(place, "a")


def test_who_replaces_stdout_does_so_for_itself(place: Place) -> None:
    done = run(place, ("a", "hijacks", "A"), ("b", "prints", "B"), flags=("--max-concurrency", "1"))
    assert done.data("run")["status"] == "completed"
    assert "printed B" in log(place, "b")


@pytest.mark.parametrize("what", ["input", "read", "line", "breakpoint", "pdb"])
def test_nobody_can_be_asked(place: Place, what: str) -> None:
    done = run(place, ("a", "asks", what))
    assert done.code == 1
    [step] = done.data("run")["steps"]
    assert "there is no terminal" in step["error"]["message"]
    assert "went on" not in log(place, "a")


def test_inspect_shows_the_log_and_where_it_is(place: Place) -> None:
    run(place, ("a", "prints", "A"), ("b", "past_python", "B"))
    path = ".waivern/runs/" + place.run_folder().name + "/_system/logs/a.log"
    facts = {row[0]: row[1] for row in place.wct("inspect", "@last/a").rows}
    assert facts["log"] == path
    shown = place.on_a_terminal("inspect", "@last/a").out
    assert path in shown
    assert "no end A" in shown
    assert place.wct("inspect", "@last/a", "--json").data("inspect")["log"] == path
    whole = place.wct("inspect", "@last", "--json").data("inspect")
    assert whole["log"] == path.replace("logs/a.log", "run.log")
    assert "run.log" in place.on_a_terminal("inspect", "@last").out


def test_verify_knows_the_log_of_the_run(place: Place) -> None:
    run(place, ("a", "past_python", "A"))
    assert place.wct("runs", "verify", "@last").code == 0


IMPORT = """
import os
from pydantic import BaseModel
from waivern import SchemaRef
print("printed at import")
os.system("echo past python at import")

class Config(BaseModel):
    pass

class connector:
    name = "loud"
    version = "1.0.0"
    produces = SchemaRef("json")
    Config = Config
    def extract(self, config, ctx):
        return 1
"""


@pytest.mark.parametrize(
    ("command", "what"),
    [
        (["run", "l.yaml", "--json"], "run"),
        (["plan", "l.yaml", "--json"], "plan"),
        (["validate", "l.yaml", "--json"], "validate"),
        (["connectors", "--json"], "connectors"),
        (["connectors", "loud", "--json"], "connectors"),
    ],
)
def test_what_a_module_prints_when_it_is_imported_is_no_answer(
    place: Place, command: list[str], what: str
) -> None:
    folder: Path = place.path / "mine"
    folder.mkdir()
    (folder / "loud.py").write_text(IMPORT)
    (place.path / "waivern.yaml").write_text("component_paths: [mine]\n")
    place.runbook("l.yaml", "  a: {source: {type: loud}}")
    done = place.wct(*command)
    document: Any = json.loads(done.out)
    assert document["schema"].startswith("wct."), what
    assert done.code == 0


def test_the_beginning_of_a_character_at_the_end_is_kept(place: Place) -> None:
    (place.path / "cut.py").write_text(
        "import sys\ndef cut():\n    sys.stdout.buffer.write(b'ends in \\xf0\\x9f')\n"
    )
    source = '{type: python, properties: {call: "cut.py:cut"}}'
    assert place.wct("run", place.runbook("cut.yaml", f"  a: {{source: {source}}}")).code == 0
    log = place.run_folder() / "_system/logs/a.log"
    assert log.read_text() == "ends in \\xf0\\x9f\n"
