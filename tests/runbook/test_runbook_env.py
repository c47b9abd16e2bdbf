"""`${VAR}` in values."""

from __future__ import annotations

import traceback

import pytest
from runbook_text import problems, runbook

from waivern.problems import InvalidError
from waivern.runbook import expand, names

ENVIRON = {"A": "1", "B_2": "two", "_": "under", "EMPTY": "", "TRICK": "${A}$${"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("plain", "plain"),
        ("${A}", "1"),
        ("x${A}y${B_2}z", "x1ytwoz"),
        ("${_}", "under"),
        ("${EMPTY}", ""),
        ("${EMPTY:-d}", "d"),
        ("${NONE:-}", ""),
        ("${NONE:-a b:-c$}", "a b:-c$"),
        ("${A:-d}", "1"),
        ("$${A}", "${A}"),
        ("$$${A}", "$${A}"),
        ("$A $ $$ {A}", "$A $ $$ {A}"),
        ("${TRICK}", "${A}$${"),
        ({"${A}": ["${A}", {"k": "${A}"}], "n": 1}, {"${A}": ["1", {"k": "1"}], "n": 1}),
        ([None, True, 1, 2.5], [None, True, 1, 2.5]),
    ],
)
def test_expand(written: object, value: object) -> None:
    assert expand(written, ENVIRON) == value


@pytest.mark.parametrize(
    "written",
    ["${", "${}", "${1A}", "${A B}", "${A", "${A-x}", "${A:x}", "${é}", "${X:-${A}}", "x ${ y"],
)
def test_a_malformed_variable_is_refused(written: str) -> None:
    with pytest.raises(InvalidError) as caught:
        expand(["ok", written], ENVIRON)
    assert {problem.code for problem in caught.value.problems} == {"WCT116"}


def test_each_missing_variable_is_named_once_a_value() -> None:
    with pytest.raises(InvalidError) as caught:
        expand({"a": "${X} ${X} ${Y} ${Z:-1}", "b": "${X}"}, ENVIRON)
    assert [problem.message for problem in caught.value.problems] == [
        f"environment variable {name!r} is not set" for name in "XYX"
    ]


def test_names_tell_which_have_a_default() -> None:
    value = {"${KEY}": ["${A} ${B:-1}", {"x": "${B} $${C} ${D:-}"}]}
    assert names(value) == {"A": False, "B": False, "D": True}


def test_keys_and_descriptive_texts_are_never_looked_at() -> None:
    found = runbook("""\
name: ${N}
version: ${V}
description: ${D}
contact: ${C}
framework: ${F
artifacts:
  a:
    name: ${N}
    description: ${D
    contact: ${C}
    source: {type: t, properties: {"${KEY}": 1}}
""")
    assert (found.name, found.version, found.framework) == ("${N}", "${V}", "${F")
    [artifact] = found.artifacts.values()
    assert (artifact.name, artifact.description) == ("${N}", "${D")


CANARY = "canary-7f3a"


@pytest.mark.parametrize(
    "text",
    [
        "artifacts: {a: {inputs: ['${S}', '${S}']}}",
        "artifacts: {a: {inputs: b, output_schema: '${S}/x'}}",
        "artifacts: {a: {reuse: {from_run: '${S}', artifact: '../${S}'}}}",
        "artifacts: {a: {source: {type: '${S}', typ: '${S}', properties: {a: '${S} ${NONE}'}}}}",
        "artifacts: {a: {source: {type: '${S}${LINES}'}}}",
    ],
)
def test_the_value_of_a_variable_is_in_no_error(text: str) -> None:
    environ = {"S": CANARY, "LINES": f"{CANARY}\n"}
    with pytest.raises(InvalidError) as caught:
        runbook(text, environ)
    told = "".join(traceback.format_exception(caught.value))
    assert "error[WCT1" in told
    assert CANARY not in told
    assert caught.value.__context__ is None


def test_variables_in_a_value_that_is_expanded_are_placed() -> None:
    found = problems("artifacts:\n  a:\n    inputs:\n      - ${ONE}${TWO}\n      - ${\n")
    assert [(p.code, p.position and p.position.line) for p in found] == [
        ("WCT115", 4),
        ("WCT115", 4),
        ("WCT116", 5),
    ]
