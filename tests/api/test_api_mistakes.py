"""Mistakes of programs: wrong types are refused by name, what is public can be pickled."""

from __future__ import annotations

import asyncio
import copy
import datetime
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import waivern

BOOK = """
params: {day: {type: date, default: "2025-01-01"}, tables: {type: list, default: []}}
artifacts:
  a: {source: {type: python, properties: {call: "s.py:g", args: {day: "${params.day}"}}}}
"""
FAILS = 'artifacts: {a: {source: {type: python, properties: {call: "s.py:f"}}}}\n'
CODE = "def f():\n    raise ValueError('x')\n\ndef g(day):\n    return {'day': day}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "s.py").write_text(CODE)
    (tmp_path / "b.yaml").write_text(BOOK)
    (tmp_path / "f.yaml").write_text(FAILS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


WRONG: list[tuple[str, Callable[..., object], dict[str, object]]] = [
    ("source", waivern.run, {}),
    ("source", waivern.plan, {}),
    ("params", waivern.run, {"source": "b.yaml"}),
    ("store", waivern.run, {"source": "b.yaml"}),
    ("project_root", waivern.run, {"source": "b.yaml"}),
    ("run_id", waivern.run, {"source": "b.yaml"}),
    ("run", waivern.resume, {}),
    ("data", waivern.resume, {"run": "@last"}),
    ("allow_changed", waivern.resume, {"run": "@last"}),
    ("run", waivern.replay, {}),
    ("gate", waivern.approve, {"by": "ann"}),
    ("by", waivern.approve, {"gate": "r/g"}),
    ("approved", waivern.approve, {"gate": "r/g", "by": "ann"}),
    ("path", waivern.load, {}),
    ("text", waivern.load, {}),
    ("folder", waivern.load, {"text": "a: 1"}),
    ("resume", waivern.stream, {}),
]


@pytest.mark.parametrize("value", [5, [1]], ids=["number", "list"])
@pytest.mark.parametrize(("name", "verb", "others"), WRONG)
@pytest.mark.usefixtures("folder")
def test_a_wrong_type_is_refused_by_the_argument_s_name(
    name: str, verb: Callable[..., object], others: dict[str, object], value: object
) -> None:
    with pytest.raises(waivern.UsageError) as raised:
        verb(**others, **{name: value})
    assert f"{name}= " in raised.value.message
    assert "give " in (raised.value.hint or "")


@pytest.mark.usefixtures("folder")
def test_the_text_of_a_runbook_is_no_source() -> None:
    source: Any = {"artifacts": {}}
    with pytest.raises(waivern.UsageError) as raised:
        waivern.run(source)
    assert raised.value.hint == "give a path; a runbook's text goes through waivern.load(text=...)"


@pytest.mark.usefixtures("folder")
def test_a_value_of_python_that_means_the_same_is_taken() -> None:
    params: Any = {"day": datetime.date(2025, 6, 30), "tables": ("a", "b")}
    result = waivern.run("b.yaml", params=params)
    assert result.artifacts["a"].message().content == {"day": "2025-06-30"}
    assert result.metadata.params == {"day": "2025-06-30", "tables": ["a", "b"]}


@pytest.mark.usefixtures("folder")
def test_a_time_is_no_date() -> None:
    when: Any = datetime.datetime(2025, 6, 30, 12)  # noqa: DTZ001
    with pytest.raises(waivern.InvalidError) as raised:
        waivern.run("b.yaml", params={"day": when})
    assert raised.value.problems[0].hint == "give the date alone: value.date()"


@pytest.mark.usefixtures("folder")
def test_what_is_public_can_be_pickled_and_copied() -> None:
    result = waivern.run("b.yaml")
    again = pickle.loads(pickle.dumps(result))
    assert again.artifacts["a"].message().content == {"day": "2025-01-01"}
    failed = waivern.RunFailed(waivern.run("f.yaml"))
    for one in (pickle.loads(pickle.dumps(failed)), copy.deepcopy(failed)):
        assert (str(one), one.hint, one.exit_code) == (str(failed), failed.hint, failed.exit_code)
        assert one.result.status == "failed"
    for each in (waivern.plan("b.yaml"), waivern.forecast("b.yaml"), waivern.load("b.yaml")):
        assert pickle.loads(pickle.dumps(each)) is not None


def test_every_public_error_can_be_pickled() -> None:
    kinds = [each for name in dir(waivern) if inspect.isclass(each := getattr(waivern, name))]
    errors = [each for each in kinds if issubclass(each, waivern.WaivernError)]
    assert len(errors) > 8
    for kind in errors:
        if kind in (waivern.RunFailed, waivern.InvalidError):
            continue
        error = pickle.loads(pickle.dumps(kind("what", hint="then")))
        assert (type(error), error.message, error.hint) == (kind, "what", "then")


@pytest.mark.usefixtures("folder")
def test_a_stream_has_one_reader() -> None:
    async def read(events: Any) -> list[str]:
        return [event.type async for event in events]

    async def both() -> tuple[Any, Any]:
        events = waivern.stream("b.yaml")
        return await asyncio.gather(read(events), read(events), return_exceptions=True)

    first, second = asyncio.run(both())
    assert first[0] == "run_started"
    assert first[-1] == "run_finished"
    assert isinstance(second, waivern.RefusedError)
    assert "another task is reading this stream" in second.message


@pytest.mark.parametrize("status", [3, {}, b"x", "", "complete"])
def test_runs_of_no_such_status_are_refused(tmp_path: Path, status: Any) -> None:
    with pytest.raises(waivern.UsageError, match="status="):
        waivern.list_runs(status, store=tmp_path / ".waivern")
