"""A secret that is given as a parameter, or as data, reaches components and is written nowhere.

Neither it nor a hash to guess from: in runs, in the cache, in plans, replays, decisions, and in all
that is said on the way.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from harness import Count
from test_secrets import FAILS, PIECE, SECRETS, SUCCEEDS, Artifact, Place

pytestmark = [pytest.mark.sweep, pytest.mark.timeout(600)]

WAITS = """
from pydantic import BaseModel
from waivern.message import ANY_JSON
from waivern.plugins.component import Suspend


class Config(BaseModel):
    trouble: bool = False


class Waits:
    name, version, produces, Config = "waits", "1", ANY_JSON, Config

    def extract(self, config, ctx):
        if "word" not in ctx.resume_data:
            raise Suspend("a word is needed")
        assert "5f2a9c" in ctx.resume_data["word"]
        return {"length": len(ctx.resume_data["word"])}


connector = Waits
"""
GATE: Artifact = {"gate": {"question": "Is it well?", "show": "plain"}}
HELD: dict[str, Any] = {"type": "string", "secret": True}


def with_param(artifact: Any) -> Any:
    """Return the same, with the parameter in the place of the variable."""
    return json.loads(json.dumps(artifact).replace("${CANARY}", "${params.token}"))


@pytest.fixture
def at(tmp_path: Path) -> Place:
    return Place(tmp_path, "plain")


def given(at: Place, secret: str, how: str) -> list[str]:
    """Return the words that give the secret, as what is typed or in a file."""
    if how == "typed":
        return ["-p", f"token={secret}"]
    (at.path / "secret.json").write_text(json.dumps({"token": secret}, ensure_ascii=False))
    return ["--params", "secret.json"]


def wct(at: Place, *words: str) -> int:
    """Carry a command out; what it was called with is not what it said."""
    code = at.wct(*words)
    at.said[-2:] = [text.partition("): ")[2] for text in at.said[-2:]]
    return code


def clean(at: Place, secret: str) -> int:
    """Check that neither the secret nor a plain hash of it is anywhere."""
    points = at.clean()
    for name in ("sha256", "sha1", "md5", "blake2b"):
        for text in (secret, json.dumps(secret), json.dumps({"token": secret})):
            digest = hashlib.new(name, text.encode()).hexdigest()[:24]
            assert not any(digest in said for said in at.said)
            for path in (at.path / ".waivern").rglob("*"):
                if path.is_file():
                    assert digest.encode() not in path.read_bytes(), f"{path}: {name}"
                    points += 1
    return points


@pytest.mark.parametrize(
    ("kind", "how"), list(zip(SECRETS, itertools.cycle(["typed", "in a file"]), strict=False))
)
def test_a_secret_parameter(tmp_path: Path, tried: Count, kind: str, how: str) -> None:
    """Run, plan, approve, resume, replay: with what succeeds and what fails in every way."""
    at, secret = Place(tmp_path, kind), SECRETS[kind]
    artifacts = with_param(SUCCEEDS | FAILS) | {"sign": GATE}
    artifacts["told"]["cache"] = artifacts["plain"]["cache"] = True
    book = at.write("book.yaml", artifacts, params={"token": HELD}, config={"cache": True})
    more = given(at, secret, how)
    assert wct(at, "validate", book, *more) in (0, 2), at.said[-1]
    assert wct(at, "plan", book, "--json", *more) == 0, at.said[-1]
    assert wct(at, "run", book, "-vv", "--json", "-o", "out", "--run-id", "r1", *more) == 1
    assert wct(at, "run", book, "-vv", "--run-id", "r2", *more) == 1
    steps = json.loads((at.path / ".waivern/runs/r2/_system/state.json").read_text())
    assert {"plain", "told", "processed"} <= set(steps["completed"])
    assert set(FAILS) <= set(steps["failed"])
    assert "cached" in at.said[-1]
    assert wct(at, "plan", book, *more) == 0
    assert wct(at, "plan", book, "--resume", "r2", *more) == 0
    wct(at, "config", "show", book, "--json")
    assert wct(at, "runs", "resume", "r1", "-vv", *more) == 1
    assert wct(at, "runs", "resume", "r1", "-vv") != 1, "it has to be given again"
    wct(at, "runs", "resume", "r1", "-vv", "-p", "token=canary-another")
    assert wct(at, "runs", "replay", "r1", "--compare", "-vv", "--run-id", "r3", *more) in (1, 6)
    wct(at, "run", book, "-vv", "--fail-on", "params.token == 'x'", *more)
    at.look_at(artifacts)
    assert at.environ["CANARY"] == secret
    tried(f"secrets: a {kind} one as a parameter, {how}", clean(at, secret))


def test_where_a_secret_may_not_stand(at: Place, tried: Count) -> None:
    """In a condition, a question, an id, a child's path: refused, or shown as its name."""
    plain = with_param(SUCCEEDS["plain"])
    places: dict[str, dict[str, Artifact]] = {
        "when": {"a": plain | {"when": "params.token == 'x'"}},
        "wrong": {"a": plain | {"when": "params.token + 1 > 2"}},
        "length": {"a": plain | {"when": "count(params.token) < 2"}},
        "question": {
            "plain": plain,
            "a": {"gate": {"question": "${params.token}?", "show": "plain"}},
        },
        "for_each": {"a": plain | {"for_each": ["${params.token}"]}},
        "schema": {"a": plain | {"output_schema": "${params.token}"}},
        "child": {"a": {"child_runbook": {"path": "${params.token}.yaml", "output": "x"}}},
        "reuse": {"a": {"reuse": {"from_run": "${params.token}", "artifact": "x"}}},
        "retry": {"a": plain | {"retry": {"max": "${params.token}"}}},
        "pool": {"a": plain | {"pool": "${params.token}"}},
        "inputs": {"a": {"inputs": ["${params.token}"]}},
        "type": {"a": {"source": {"type": "${params.token}"}}},
        "repeat": {
            "plain": plain,
            "a": with_param(SUCCEEDS["processed"])
            | {"inputs": "plain", "repeat": {"until": "params.token == 'x'", "max": 2}},
        },
    }
    more = given(at, SECRETS["plain"], "typed")
    for number, (name, artifacts) in enumerate(places.items()):
        book = at.write(f"{name}.yaml", artifacts, params={"token": HELD})
        for words in (["validate", book], ["plan", book], ["plan", book, "--json"]):
            assert wct(at, *words, *more) in (0, 2, 3), at.said[-1]
        run = f"r{number}"
        wct(at, "run", book, "-vv", "--json", "--run-id", run, *more)
        if (at.path / ".waivern/runs" / run).exists():
            wct(at, "runs", "approve", run, "--by", "ann", "-vv", *more)
            wct(at, "inspect", run, "--full")
    tried(
        "secrets: where a secret parameter may not stand",
        len(places) and clean(at, SECRETS["plain"]),
    )


def test_wrong_parameters(at: Place, tried: Count) -> None:
    """A secret in a file that cannot be read, or under a name that is not there."""
    secret = SECRETS["plain"]
    book = at.write("book.yaml", with_param({"plain": SUCCEEDS["plain"]}), params={"token": HELD})
    files = {
        "list.yaml": f"- {secret}",
        "torn.yaml": f"token: '{secret}",
        "deep.yaml": f"token: {{x: {secret}}}",
        "twice.yaml": f"token: {secret}\ntoken: {secret}2",
        "other.yaml": f"tokn: {secret}",
        "number.yaml": "token: 5",
        "tagged.yaml": f"token: !x {secret}",
    }
    for name, text in files.items():
        (at.path / name).write_text(text)
        for verb in (["run", book, "-vv"], ["plan", book], ["validate", book]):
            wct(at, *verb, "--params", name)
            assert "Traceback" not in at.said[-1]
    for typed in (f"tokn={secret}", secret, f"={secret}", f"token.x={secret}"):
        assert wct(at, "run", book, "-vv", "-p", typed) != 0
    tried("secrets: as wrong parameters", clean(at, secret))


def test_data_for_a_component_that_waits(at: Place, tried: Count) -> None:
    """Its value is handed over, and only its name is kept."""
    (at.path / "components").mkdir()
    (at.path / "components/waits.py").write_text(WAITS)
    (at.path / "waivern.yaml").write_text("component_paths: [components]\n")
    book = at.write("book.yaml", {"word": {"source": {"type": "waits"}}})
    assert wct(at, "run", book, "--run-id", "r", "-vv") == 7, at.said
    secret = SECRETS["plain"]
    assert wct(at, "runs", "resume", "r", "--data", secret, "-vv") == 2
    assert wct(at, "runs", "resume", "r", "--data", f"word={secret}", "-vv", "--json") == 0, at.said
    artifact = json.loads((at.path / ".waivern/runs/r/word.json").read_text())
    assert artifact["content"] == {"length": len(secret)}
    assert "word" in (at.path / ".waivern/runs/r/_system/events.jsonl").read_text()
    at.look_at({"word": {}})
    tried("secrets: data for a component", clean(at, secret))


def test_a_decision_that_is_refused_keeps_nothing(at: Place, tried: Count) -> None:
    """What is given with a decision is kept with it, and only there: so says the runbook's page."""
    book = at.write(
        "book.yaml", {"plain": with_param(SUCCEEDS["plain"]), "sign": GATE}, params={"token": HELD}
    )
    more, secret = given(at, SECRETS["plain"], "typed"), SECRETS["plain"]
    assert wct(at, "run", book, "--run-id", "r", "-vv", *more) == 7
    data = ["--data", f"word={secret}", "-vv"]
    assert wct(at, "runs", "approve", "r/plain", *data, *more) == 5
    assert wct(at, "runs", "approve", "r/nothing", *data, *more) == 4
    assert wct(at, "runs", "approve", "r", "--by", " ", *data, *more) == 2
    assert wct(at, "runs", "approve", "r", "--data", secret, *more) == 2
    assert PIECE not in "".join(at.said)
    assert wct(at, "runs", "approve", "r", "--by", "ann", "-vv", *more) == 0, at.said[-1]
    assert wct(at, "runs", "approve", "r", *data, *more) == 5
    at.look_at({"plain": {}, "sign": {}})
    tried("secrets: decisions that are refused", clean(at, secret))
