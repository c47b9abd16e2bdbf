"""Parameters: their types, what a run is given for them and what it keeps."""

from __future__ import annotations

import os
import pickle
import threading
import traceback
from pathlib import Path

import pytest

from waivern.diagnostics import InvalidError
from waivern.errors import Exit, NotFoundError, UsageError, WaivernError
from waivern.language import template
from waivern.language.params import (
    TYPES,
    Param,
    ParamError,
    Type,
    changed,
    missing,
    name_fault,
    recorded,
    restored,
    scope,
    with_secrets,
)
from waivern.language.supplied_params import ParamsError, bind, read_file, typed
from waivern.message import Json

CANARY = "canary-7f3a"


def param_of(name: str, type_: Type, default: Json = None, *, secret: bool = False) -> Param:
    return Param(name=name, type=type_, default=default, secret=secret)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("string", "007", "007"),
        ("string", "", ""),
        ("string", " ${HOME}=x ", " ${HOME}=x "),
        ("integer", "-12", -12),
        ("number", "12", 12),
        ("number", "0.5", 0.5),
        ("number", "1e3", 1000.0),
        ("boolean", "true", True),
        ("boolean", "false", False),
        ("date", "2024-02-29", "2024-02-29"),
        ("list", '["a", {"b": [1.5, null]}]', ["a", {"b": [1.5, None]}]),
        ("object", '{"a": "é"}', {"a": "é"}),
    ],
)
def test_read(kind: Type, text: str, value: Json) -> None:
    found = param_of("p", kind).read(text)
    assert found == value
    assert type(found) is type(value)
    assert param_of("p", kind).check(value) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("string", "\udc80"),
        *(
            ("integer", text)
            for text in ("", "1.0", "1e3", "0x10", "012", "1_000", "true", "\u0661")
        ),
        ("integer", "9" * 5_000),
        *(("number", text) for text in ("", "NaN", "Infinity", "1e999", ".5", "one", "true")),
        *(("boolean", text) for text in ("", "yes", "True", "1", "null")),
        *(("date", text) for text in ("", "2023-02-29", "20240101", "2024-W01-1", "2024-1-1")),
        ("date", "2024-01-01T00:00:00"),
        ("date", "\u0662024-01-01"),
        *(("list", text) for text in ("", "a", "{}", "[1,]", "['a']", "[NaN]", "[1e999]", "null")),
        ("list", "[" * 100_000),
        ("list", "[" * 300 + "]" * 300),
        *(("object", text) for text in ("", "[]", '{"a": 1, "a": 2}', '{"a": "\\ud800"}')),
    ],
)
def test_a_text_that_is_not_of_the_type_is_refused(kind: Type, text: str) -> None:
    with pytest.raises(ParamError) as caught:
        param_of("p", kind).read(text)
    assert caught.value.message.startswith(("must be ", "cannot be recorded"))


FITS: dict[str, list[Json]] = {
    "string": ["a"],
    "integer": [1],
    "number": [1, 1.5],
    "boolean": [True],
    "date": [],
    "list": [[1]],
    "object": [{"a": 1}],
}


@pytest.mark.parametrize("kind", FITS)
def test_each_value_fits_its_own_types_only(kind: Type) -> None:
    param = param_of("p", kind)
    for value in [None, "a", 1, 1.5, True, [1], {"a": 1}]:
        if any(value == each and type(value) is type(each) for each in FITS[kind]):
            assert param.check(value) == value
        else:
            with pytest.raises(ParamError, match="must be"):
                param.check(value)
    assert TYPES.keys() == FITS.keys()


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], [{1: 2}], [object()], ["\ud800"]])
def test_what_json_cannot_say_is_refused(value: Json) -> None:
    with pytest.raises(ParamError):
        param_of("p", "list" if isinstance(value, list) else "number").check(value)


@pytest.mark.parametrize(
    ("param", "keys"),
    [
        (param_of("p", "integer", 1), []),
        (param_of("p", "integer"), []),
        (param_of("p", "list", []), []),
        (param_of("p", "string", secret=True), []),
        (param_of("p", "string", "", secret=True), []),
        (param_of("p", "integer", "1"), ["default"]),
        (param_of("p", "boolean", 0), ["default"]),
        (param_of("p", "integer", secret=True), ["secret"]),
        (param_of("p", "string", CANARY, secret=True), ["secret"]),
        (param_of("p", "list", [CANARY], secret=True), ["secret", "secret"]),
    ],
)
def test_a_declaration(param: Param, keys: list[str]) -> None:
    found = list(param.faults())
    assert [key for key, *_ in found] == keys
    assert CANARY not in repr(found)


def test_names() -> None:
    assert not any(map(name_fault, ["a", "_", "max-rows", "a_1", "a" * 64]))
    assert all(map(name_fault, ["", "1a", "-a", "a.b", "é", "a b", "a}", "a\n", "a" * 65]))


DECLARED = {
    each.name: each
    for each in (
        param_of("region", "string"),
        param_of("days", "integer", 30),
        param_of("tables", "list", ["${HOME}"]),
        param_of("token", "string", secret=True),
    )
}


def test_what_is_typed_wins_over_the_file_and_that_over_the_default() -> None:
    values = bind(
        DECLARED,
        {"region": "eu", "token": "a=b"},
        {"region": "us", "days": 7},
        "p.yaml",
    )
    assert values == {"region": "eu", "days": 7, "tables": ["${HOME}"], "token": "a=b"}
    assert list(values) == list(DECLARED)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ParamsError) as caught:
        bind(DECLARED, {"days": "many", "regoin": CANARY}, {"tabels": [], "token": 7}, "p.yaml")
    told = {(problem.code, problem.message) for problem in caught.value.problems}
    assert told == {
        ("WCT105", "parameter 'region' needs a value: text"),
        ("WCT106", "parameter 'days' must be a whole number"),
        ("WCT106", "parameter 'token' in 'p.yaml' must be text"),
        ("WCT103", "unknown parameter 'regoin'"),
        ("WCT103", "unknown parameter 'tabels' in 'p.yaml'"),
    }
    assert "did you mean 'region'?" in str(caught.value)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.exit_code is Exit.USAGE
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), again.problems) == (ParamsError, caught.value.problems)


def test_a_missing_secret_is_asked_for_in_a_file() -> None:
    with pytest.raises(ParamsError, match="--params FILE") as caught:
        bind(DECLARED, {"region": "eu"}, {}, None)
    [problem] = caught.value.problems
    assert problem.message == "parameter 'token' needs a value: text"
    assert problem.hint is not None
    assert "-p token" not in problem.hint


def test_what_is_only_wrong_in_the_file_is_not_about_usage() -> None:
    with pytest.raises(InvalidError) as caught:
        bind(DECLARED, {"region": "eu", "token": "t"}, {"days": True}, "p.yaml")
    assert caught.value.exit_code is Exit.INVALID


def test_typed() -> None:
    assert typed(["a=1", "b==", "c=", "d=x=y"]) == {"a": "1", "b": "=", "c": "", "d": "x=y"}


@pytest.mark.parametrize("options", [["a=1", CANARY], [f"={CANARY}"], [f"a={CANARY}", "a=1"]])
def test_what_is_typed_without_a_name_is_not_shown(options: list[str]) -> None:
    with pytest.raises(UsageError) as caught:
        typed(options)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# nothing\n", {}),
        ("a: no\nday: 2024-01-31\nn: 012\n", {"a": "no", "day": "2024-01-31", "n": 12}),
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        ('{"a": "\\ud83d\\ude00", "b": 1e3, "version": 2}', {"a": "😀", "b": 1000.0, "version": 2}),
        (" {'a': 1, b: [x]}", {"a": 1, "b": ["x"]}),
        ("version: 2", {"version": 2}),
        ("a: 1\nversion: 1.5 # x\n", {"a": 1, "version": 1.5}),
        ("version: '2'", {"version": "2"}),
        ("version: two", {"version": "two"}),
        ("\ufeffa: 1", {"a": 1}),
        ("\ufeffversion: 3", {"version": 3}),
    ],
)
def test_read_file(tmp_path: Path, text: str, values: Json) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    found = read_file(str(path))
    assert found == values
    assert {name: type(each) for name, each in found.items()} == {
        name: type(each) for name, each in values.items()
    }


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (f"token: {CANARY}\ntoken: {CANARY}\n", "WCT108", 2),
        (f"a: 1\ntoken: {CANARY}: x\n", "WCT101", 2),
        (f"a: 1\ntoken: !{CANARY} x\n", "WCT110", 2),
        (f"token: *{CANARY}\n", "WCT112", 1),
        (f"token: {{{CANARY}, {CANARY}}}\n", "WCT108", 1),
        (f'token: "{CANARY}', "WCT101", 1),
        (f"token: {CANARY}\x07\n", "WCT102", 1),
        (f'{{"token": "{CANARY}\\ud83d"}}', "WCT101", 1),
        (f'{{"token": "{CANARY}", "token": "{CANARY}"}}', "WCT108", 1),
        (f'{{"{CANARY}": {"9" * 301}}}', "WCT111", 1),
        (f'{{"{CANARY}": {"[" * 65}{"]" * 65}}}', "WCT111", 1),
        (f"- {CANARY}\n", "WCT106", 1),
        (f"{CANARY}\n", "WCT106", 1),
        (f"token: {CANARY}\n---\n", "WCT110", 2),
        ("a: " + "[" * 100_000, "WCT111", 1),
        pytest.param(
            "a: &a [1]\n" + "".join(f"d{n}: *a\n" for n in range(500_001)),
            "WCT111",
            500_002,
            marks=pytest.mark.sweep,
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_and_not_shown(
    tmp_path: Path, text: str, code: str, line: int
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text)
    with pytest.raises(InvalidError) as caught:
        read_file(str(path))
    [problem] = caught.value.problems
    assert problem.position is not None
    assert (problem.code, problem.position.file, problem.position.line) == (code, str(path), line)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert CANARY not in repr(caught.value.problems)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_file(str(tmp_path / "none.yaml"))
    for path in (str(tmp_path), "a\0b"):
        with pytest.raises(WaivernError) as caught:
            read_file(path)
        assert caught.value.exit_code is Exit.INVALID


def test_a_pipe_is_read(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_text, args=("a: 1\n",))
    writer.start()
    assert read_file(str(path)) == {"a": 1}
    writer.join()


VALUES: dict[str, Json] = {"region": "eu", "days": 30, "tables": ["a"], "token": CANARY}
RECORDED: dict[str, Json] = {"region": "eu", "days": 30, "tables": ["a"], "token": None}


def test_a_secret_is_neither_bound_nor_recorded() -> None:
    assert recorded(DECLARED, VALUES) == RECORDED
    written = {"auth": "Bearer ${params.token}", "in": "${params.region}"}
    bound = template.bind(written, scope(DECLARED, VALUES))
    assert bound == {"auth": "Bearer ${params.token}", "in": "eu"}
    environ = with_secrets({"params.region": "spoofed", "A": "1"}, DECLARED, VALUES)
    assert environ == {"A": "1", "params.token": CANARY}
    assert template.expand(bound, environ) == {"auth": f"Bearer {CANARY}", "in": "eu"}


def test_without_values_every_declared_name_is_known() -> None:
    written = "${params.region} ${params.token} ${params.tokn}"
    [(_, _, message, hint)] = template.faults(written, {}, scope(DECLARED, {}))
    assert (message, hint) == ("there is no parameter 'tokn'", "did you mean 'token'?")


def test_an_empty_secret_hides_nothing() -> None:
    declared = {"token": param_of("token", "string", "", secret=True)}
    values = bind(declared, {}, {}, None)
    assert recorded(declared, values) == {"token": ""}
    assert missing(declared, recorded(declared, values), []) == []


def test_the_next_attempt_needs_the_secrets_again() -> None:
    assert missing(DECLARED, RECORDED, {}) == ["token"]
    assert missing(DECLARED, RECORDED, {"token": "x"}) == []
    values = bind(DECLARED, {"token": "x"}, restored(DECLARED, RECORDED), None)
    assert values == {**VALUES, "token": "x"}
    assert changed(DECLARED, RECORDED, values) == []


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"token": "another"}, []),
        ({"days": 31, "region": "us"}, ["days", "region"]),
        ({"days": 30.0}, ["days"]),
        ({"tables": ["a", "a"]}, ["tables"]),
        ({"new": 1}, ["new"]),
    ],
)
def test_changed(other: dict[str, Json], names: list[str]) -> None:
    assert changed(DECLARED, RECORDED, VALUES | other) == names


def test_true_is_not_one_within_a_list() -> None:
    declared = {"l": param_of("l", "list")}
    assert changed(declared, {"l": [1]}, {"l": [True]}) == ["l"]
    assert changed(declared, {"l": [{"a": 1, "b": 2}]}, {"l": [{"b": 2, "a": 1}]}) == ["l"]
    assert changed(declared, {"l": [1], "gone": 1}, {"l": [1]}) == ["gone"]
