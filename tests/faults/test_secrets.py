"""A secret from the environment reaches the components, and is written nowhere.

Looked for in every file of the store, in exports, and in all that every command says, with --json
and -vv; when the run succeeds, fails in all ways, is refused, times out and is killed.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import WCT, Count

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

SECRETS = {
    "plain": "canary-5f2a9c",
    "quoted": "can'ary\"5f2a9c\\x",
    "unicode": "canäry-5f2a9c-ß€😀",
    "lines": "-----BEGIN canary-----\n5f2a9cAAAA\n-----END canary-----",
    "blank": "canary 5f2a9c\ttab",
}
PIECE = "5f2a9c"
"""What no file may hold: a part of every secret above, which stands in nothing else."""

STEPS = """
import logging, os, sys, threading, time, urllib.parse, warnings

def use(token, **more):
    assert "5f2a9c" in token
    return {"length": len(token)}

def process(inputs, token):
    return use(token)

def say(token):
    raise ValueError(f"cannot log in with {token!r} or {token}")

def linked(token):
    parts = [urllib.parse.quote(token, safe=""), urllib.parse.quote(token)]
    raise ValueError(f"no https://u:{parts[0]}@h/{parts[1]}?{urllib.parse.urlencode({'q': token})}")

def key(token):
    return {}[token]

def chained(token):
    try:
        {}[token]
    except KeyError as error:
        raise RuntimeError("no") from error

def arguments(token):
    raise OSError(5, token, token)

def noted(token):
    error = ValueError("with a note")
    error.add_note(token)
    raise error

def group(token):
    raise ExceptionGroup("many", [ValueError(token), KeyError(token)])

def exit_(token):
    sys.exit(token)

def local(token):
    secret_in_a_frame = token
    raise ZeroDivisionError

def tell(token):
    print(token)
    print("x" * 30, token, end="")
    sys.stderr.write(token + "\\n")
    logging.getLogger("a library").warning("using %s", token)
    thread = threading.Thread(target=say, args=(token,))
    thread.start()
    thread.join()
    return 1

def tell_at_a_limit(token):
    for length in (9_993, 65_530):
        print("x" * length + token, end="")
        sys.stdout.flush()
        print()
    return 1

def warn(token):
    warnings.warn(f"{token} is deprecated")
    return 1

async def later(token):
    raise LookupError(token)

def not_json(token):
    return {"x": {token}}

def not_json_key(token):
    return {5: token, "a": object()}

def wait(token, ready):
    open(ready, "w").close()
    time.sleep(60)
"""


Artifact = dict[str, Any]


def source(kind: str, **properties: Any) -> Artifact:
    return {"source": {"type": kind, "properties": properties}}


def python(function: str, **args: str) -> Artifact:
    return source("python", call=f"steps.py:{function}", args={"token": "${CANARY}"} | args)


def shell(script: str, *args: str, **properties: Any) -> Artifact:
    return source("command", argv=["sh", "-c", script, *args], **properties)


SUCCEEDS: dict[str, Artifact] = {
    "plain": python("use"),
    "told": python("tell"),
    "warned": python("warn"),
    "database": source("sqlite", path="${CANARY_DB}") | {"output": True},
    "folder": source("filesystem", path="${CANARY_DIR}") | {"output": True},
    "variable": shell('test -n "$T" && echo 1 && echo "$T" >&2', env={"T": "${CANARY}"}),
    "told_at_a_limit": python("tell_at_a_limit"),
    "logged_at_a_limit": shell(
        'printf "%65530s%s\\n" x "$0" >&2; printf "%8186s%s" x "$0" >&2; echo 1',
        "${CANARY}",
    ),
    "argument": shell('echo 1; echo "$0" >&2', "${CANARY}"),
    "processed": {
        "inputs": "plain",
        "process": {
            "type": "python",
            "properties": {"call": "steps.py:process", "args": {"token": "${CANARY}"}},
        },
    },
}
FAILS: dict[str, Artifact] = {
    "said": python("say"),
    "linked": python("linked"),
    "key": python("key"),
    "chained": python("chained"),
    "arguments": python("arguments"),
    "noted": python("noted"),
    "group": python("group"),
    "exit_": python("exit_"),
    "local": python("local"),
    "later": python("later"),
    "not_json": python("not_json"),
    "not_json_key": python("not_json_key"),
    "no_argument": python("process", other="${CANARY}"),
    "no_module": source("python", call="${CANARY_FILE}:f"),
    "no_database": source("sqlite", path="./${CANARY}.db"),
    "no_table": source("sqlite", path="${CANARY_DB}", tables=["${CANARY}"]),
    "no_folder": source("filesystem", path="./${CANARY}/x"),
    "no_command": source("command", argv=["./${CANARY}"]),
    "failed": shell('echo "$0" >&2; exit 3', "${CANARY}"),
    "long": shell('printf "%495s%s" x "$0" >&2; exit 3', "${CANARY}"),
    "no_json": shell('echo "$0"', "${CANARY}"),
}
INVALID: dict[str, Artifact] = {
    "number": source("sqlite", path="x", max_rows="${CANARY}"),
    "size": source("filesystem", path="x", max_file_size="${CANARY}"),
    "encoding": source("filesystem", path="x", encoding="${CANARY}"),
    "call": source("python", call="${CANARY} x"),
    "timeout": source("command", argv=["x"], timeout="${CANARY}"),
    "strange": source("strange", word="${CANARY}"),
}
"""What the plan refuses; `strange` is a component whose own message has the value in it."""

STRANGE = """
from pydantic import BaseModel, field_validator
from waivern.message import ANY_JSON

class Strange:
    name, version, produces = "strange", "1", ANY_JSON
    class Config(BaseModel):
        word: str
        @field_validator("word")
        @classmethod
        def short(cls, word):
            raise ValueError(f"{word!r} is too long")
    def extract(self, config, ctx):
        return 1
"""


class Place:
    """A folder with the runbooks, a secret, and all that was said."""

    def __init__(self, path: Path, kind: str) -> None:
        self.path = path
        self.said: list[str] = []
        secret = SECRETS[kind]
        file = "5f2a9c-place"
        (path / "steps.py").write_text(STEPS)
        (path / file).mkdir()
        (path / file / "a.txt").write_text("some text")
        (path / file / "b.bin").write_bytes(bytes(range(256)))
        connection = sqlite3.connect(path / f"{file}.db")
        connection.execute("create table t (a)")
        connection.commit()
        connection.close()
        site = path / "site"
        (site / "strange-1.dist-info").mkdir(parents=True)
        (site / "strange.py").write_text(STRANGE)
        (site / "strange-1.dist-info/METADATA").write_text(
            "Metadata-Version: 2.1\nName: strange\nVersion: 1\n"
        )
        (site / "strange-1.dist-info/entry_points.txt").write_text(
            "[waivern.connectors]\nstrange = strange:Strange\n"
        )
        paths = os.pathsep.join(filter(None, (str(site), os.environ.get("PYTHONPATH"))))
        self.environ = os.environ | {
            "CANARY": secret,
            "CANARY_FILE": f"{file}.py",
            "CANARY_DB": f"{file}.db",
            "CANARY_DIR": file,
            "PYTHONPATH": paths,
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def write(self, name: str, artifacts: dict[str, Artifact], **head: Any) -> str:
        (self.path / name).write_text(json.dumps(head | {"artifacts": artifacts}, indent=1))
        return name

    def wct(self, *words: str) -> int:
        done = subprocess.run(
            [WCT, *words],
            cwd=self.path,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.said += [f"{' '.join(words)} (out): {done.stdout}", f"{words} (err): {done.stderr}"]
        assert "internal error" not in done.stderr, done.stderr
        return done.returncode

    def look_at(self, artifacts: dict[str, Artifact]) -> None:
        """Ask every command about the newest run."""
        self.wct("runs", "--json")
        self.wct("inspect", "@last", "--full")
        self.wct("inspect", "@last", "--full", "--json")
        for name in list(artifacts)[:3]:
            self.wct("inspect", f"@last/{name}", "--full", "--json")
        self.wct("runs", "verify", "@last", "--json")

    def clean(self) -> int:
        """Check that no secret is in what was said, or in any file that `wct` made."""
        points = 0
        for text in self.said:
            assert PIECE not in text, text[max(0, text.index(PIECE) - 300) :][:400]
            points += 1
        for folder in (self.path / ".waivern", self.path / "out"):
            for path in folder.rglob("*"):
                assert PIECE not in path.name, path
                if path.is_file() and not path.is_symlink():
                    data = path.read_bytes()
                    at = data.find(PIECE.encode())
                    assert at < 0, f"{path}: {data[max(0, at - 100) : at + 100]!r}"
                    points += 1
        assert points > len(self.said) or not (self.path / ".waivern").exists()
        return points


@pytest.fixture
def place(tmp_path: Path) -> Callable[[str], Place]:
    return lambda kind: Place(tmp_path, kind)


@pytest.mark.parametrize("kind", SECRETS)
def test_success_and_failure(place: Callable[[str], Place], tried: Count, kind: str) -> None:
    at = place(kind)
    everything = SUCCEEDS | FAILS
    book = at.write("book.yaml", everything)
    assert at.wct("validate", book) == 0, at.said
    assert at.wct("run", book, "-vv", "-o", "out", "--json") == 1
    statuses = {
        name: step["status"]
        for step in json.loads(at.said[-2].partition(": ")[2])["data"]["steps"]
        for name in [step["artifact"]]
    }
    assert {n for n, status in statuses.items() if status == "completed"} == set(SUCCEEDS)
    assert {n for n, status in statuses.items() if status == "failed"} == set(FAILS)
    at.wct("run", book, "--resume", "@last", "-vv")
    at.look_at(everything)
    for name in ("said", "variable"):
        assert (
            "${CANARY}"
            in next(at.path.glob(f".waivern/runs/*/_system/logs/{name}.log")).read_text()
        )
    tried(f"secrets: a {kind} one in files and outputs", at.clean())


@pytest.mark.parametrize("kind", ["plain", "quoted", "lines"])
def test_what_the_plan_refuses(place: Callable[[str], Place], tried: Count, kind: str) -> None:
    at = place(kind)
    book = at.write("book.yaml", INVALID)
    for words in (["validate", book], ["validate", book, "--json"], ["run", book, "-vv"]):
        assert at.wct(*words) == 3, at.said[-1]
    assert at.said[1].count("error[WCT") == len(INVALID), at.said[1]
    at.clean()
    tried(f"secrets: a {kind} one in refusals of the plan", len(INVALID))


def test_timeout(place: Callable[[str], Place], tried: Count) -> None:
    at = place("plain")
    waits = {"slow": python("wait", ready="ready"), "said": python("say")}
    book = at.write("book.yaml", waits, config={"timeout": 1.5})
    assert at.wct("run", book, "-vv", "--json", "-o", "out") == 8
    at.look_at(waits)
    tried("secrets: after a timeout", at.clean())


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGABRT, signal.SIGTERM])
def test_crash(place: Callable[[str], Place], tried: Count, number: signal.Signals) -> None:
    at = place("plain")
    waits = {"slow": python("wait", ready="ready"), "said": python("say")}
    book = at.write("book.yaml", waits)
    process = subprocess.Popen(
        [WCT, "run", book, "-vv", "--grace", "0"],
        cwd=at.path,
        env=at.environ | {"PYTHONFAULTHANDLER": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 30
    while not (at.path / "ready").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    at.said += process.communicate(timeout=30)
    assert process.returncode != 0
    at.look_at(waits)
    tried(f"secrets: after {number.name}", at.clean())


def test_what_a_component_returns_is_kept_as_it_is(place: Callable[[str], Place]) -> None:
    """Content is what it is: nothing in it is redacted (docs/explanation/reliability.md)."""
    at = place("plain")
    (at.path / "steps.py").write_text("def back(token):\n    return token\n")
    assert at.wct("run", at.write("book.yaml", {"a": python("back")}), "--run-id", "r") == 0
    assert SECRETS["plain"] in (at.path / ".waivern/runs/r/a.json").read_text()
    held = [p for p in (at.path / ".waivern").rglob("*") if p.is_file() and p.name != "a.json"]
    assert held
    assert not any(PIECE.encode() in path.read_bytes() for path in held)
    assert not any(PIECE in text for text in at.said)
