"""Parameters: given, recorded, taken over by a resume; secrets that are kept nowhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from runs_kit import Book, join, make

from waivern.diagnostics import InvalidError
from waivern.errors import RefusedError
from waivern.language.supplied_params import ParamsError
from waivern.record.journal_events import AttemptStartedRecord
from waivern.runs.replay import replay
from waivern.runs.request import RunRequest
from waivern.runs.result import RunResult
from waivern.runs.run_params import RequestedParams

SECRET = "canary-5dd1b2"
REGION = {"region": {"type": "string", "default": "eu"}}
TOKEN = {"token": {"type": "string", "secret": True}}


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Book:
    monkeypatch.setattr(sys, "path", list(sys.path))  # steps add their folder
    return Book(tmp_path / "place")


def parametrised(book: Book, params: dict[str, Any]) -> None:
    book.write(make("a", value="${params.region}"), make("x"), join("b", "a", "x"), params=params)


def with_secret(book: Book) -> None:
    """`a` fails with the secret in its message, as long as it is told to."""
    (book.folder / "steps.py").write_text(
        (book.folder / "steps.py").read_text()
        + "\ndef told(name, token):\n    try:\n        _step(name)\n"
        + "    except RuntimeError as error:\n        raise RuntimeError(token) from error\n"
        + "    return {'name': name, 'length': len(token)}\n"
    )
    artifact = make("a")
    artifact["a"]["source"]["properties"] = {
        "call": "steps.py:told",
        "args": {"name": "a", "token": "${params.token}"},
    }
    book.write(artifact, make("x"), params=TOKEN)


async def test_given_recorded_and_used(book: Book) -> None:
    parametrised(book, REGION)
    first = await book.start(params=RequestedParams(typed={"region": "us"}))
    assert first.status == "completed"
    assert book.content(first.run_id, "a")["value"] == "us"
    assert book.document(first.run_id)["params"] == {"region": "us"}
    second = await book.start(params=RequestedParams(values={"region": "ch"}))
    assert book.document(second.run_id)["params"] == {"region": "ch"}
    third = await book.start()
    assert book.content(third.run_id, "a")["value"] == "eu"


async def test_what_is_missing_unknown_or_wrong_is_named_and_nothing_is_written(book: Book) -> None:
    parametrised(book, {"region": {"type": "string"}, "count": {"type": "integer", "default": 1}})
    with pytest.raises(ParamsError, match="'region' needs a value") as missing:
        await book.start()
    assert missing.value.exit_code == 2
    with pytest.raises(ParamsError, match=r"(?s)'count' must be a whole number.*'regoin'"):
        await book.start(
            params=RequestedParams(typed={"count": "many", "region": "eu", "regoin": "x"})
        )
    with pytest.raises(InvalidError, match=r"in 'p\.yaml'") as in_file:
        await book.start(params=RequestedParams({"region": "eu"}, {"count": "many"}, "p.yaml"))
    assert in_file.value.exit_code == 3
    assert not (book.folder / ".waivern").exists()


async def test_a_resume_has_the_values_of_the_run(book: Book) -> None:
    parametrised(book, REGION)
    book.fail("a")
    first = await book.start(params=RequestedParams(typed={"region": "us"}))
    book.fail("a", False)
    assert (await book.resume(first.run_id)).status == "completed"
    assert book.content(first.run_id, "a")["value"] == "us"


async def test_a_different_value_is_refused_like_a_changed_runbook(book: Book) -> None:
    parametrised(book, REGION)
    run_id = (await book.start()).run_id
    book.calls()
    before = book.events(run_id)
    other = RequestedParams(typed={"region": "us"})
    with pytest.raises(RefusedError) as raised:
        await book.resume(run_id, params=other)
    assert "changed parameter: region" in raised.value.message
    assert "changed: a: source.properties.args.value 'eu' → 'us'" in raised.value.message
    assert "touches completed: a" in raised.value.message
    assert "--allow-changed" in (raised.value.hint or "")
    assert book.events(run_id) == before
    assert book.calls() == {}

    allowed = await book.resume(run_id, params=other, allow_changed=True)
    assert allowed.status == "completed"
    assert book.calls() == {"a": 1, "b": 1}
    last = [e for e in book.events(run_id) if isinstance(e, AttemptStartedRecord)][-1]
    assert last.params == {"region": "us"}
    assert last.forced == ["allow-changed"]
    assert book.document(run_id)["params"] == {"region": "us"}
    assert (await book.resume(run_id)).nothing_to_do


async def test_the_same_value_again_is_no_change(book: Book) -> None:
    parametrised(book, REGION)
    run_id = (await book.start()).run_id
    assert (await book.resume(run_id, params=RequestedParams(typed={"region": "eu"}))).nothing_to_do


async def test_a_secret_is_written_nowhere(book: Book) -> None:
    with_secret(book)
    book.fail("a")
    first = await book.start(params=RequestedParams(typed={"token": SECRET}))
    assert first.status == "failed"
    assert "${params.token}" in (first.error or "")
    book.fail("a", False)
    await book.resume(first.run_id, params=RequestedParams(values={"token": SECRET}))
    assert book.content(first.run_id, "a")["length"] == len(SECRET)
    assert book.document(first.run_id)["params"] == {"token": None}
    files = [path for path in (book.folder / ".waivern").rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


async def test_a_secret_has_to_be_given_again(book: Book) -> None:
    with_secret(book)
    book.fail("a")
    first = await book.start(params=RequestedParams(typed={"token": SECRET}))
    book.fail("a", False)
    book.calls()
    before = book.events(first.run_id)
    for again in (book.resume(first.run_id), _replayed(book, first.run_id)):
        with pytest.raises(ParamsError, match="'token' is a secret") as raised:
            await again
        assert raised.value.exit_code == 2
        assert SECRET not in raised.value.message
    assert book.events(first.run_id) == before
    assert book.calls() == {}
    assert book.store.runs() == [first.run_id]


async def _replayed(book: Book, run_id: str) -> RunResult:
    return replay(RunRequest(run=run_id), book.store, book.options())
