"""`${VAR}` in values."""

from __future__ import annotations

import traceback
from itertools import product

import pytest
from runbook_text import problems, runbook

from waivern.diagnostics import InvalidError
from waivern.language import template
from waivern.language.secrets import Secrets
from waivern.language.template import expand, names
from waivern.message import Json

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
        ("${$}${A} ${$}{A}", "$1 ${A}"),
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


SCOPE: dict[str, Json] = {
    "params": {
        "region": "eu",
        "days": 30,
        "rate": 0.5,
        "on": True,
        "tables": ["a", {"k": "${A}"}],
        "by-name": {"${A}": "x"},
        "home": "${A}",
        "token": template.LATER,
    },
    "each": {"table": "users", "cols": ["id"], "n": None},
}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${params.region}", "eu"),
        ("${params.days}", 30),
        ("${params.on}", True),
        ("${params.tables}", ["a", {"k": "$${A}"}]),
        ("${params.by-name}", {"${A}": "x"}),
        ("${each}", {"table": "users", "cols": ["id"], "n": None}),
        ("${each.cols}", ["id"]),
        ("${each.n}", None),
        ("in ${params.region}-${params.days}d", "in eu-30d"),
        ("${params.rate} ${params.on} ${each.n}", "0.5 true null"),
        ("${params.home}", "$${A}"),
        ("$${params.region}", "$${params.region}"),
        ("$${params.region} ${params.region}", "$${params.region} eu"),
        ("${A:-d} ${NONE}", "${A:-d} ${NONE}"),
        ("${A} ${params.region} ${B_2:-x}", "${A} eu ${B_2:-x}"),
        ("Bearer ${params.token} ${params.region}", "Bearer ${params.token} eu"),
        ("${params.token}", "${params.token}"),
        ("${", "${"),
        (
            {"${params.region}": ["${params.days}", ("${each.table}",)]},
            {"${params.region}": [30, ["users"]]},
        ),
    ],
)
def test_bind(written: Json, value: Json) -> None:
    bound = template.bind(written, SCOPE)
    assert bound == value
    assert type(bound) is type(value)


def test_bound_values_are_copies() -> None:
    template.bind("${params.tables}", SCOPE).append("b")
    assert len(SCOPE["params"]["tables"]) == 2


def test_what_is_not_in_the_scope_stays_for_the_next_binding() -> None:
    once = template.bind("${params.home}/${each.table}", {"params": SCOPE["params"]})
    twice = template.bind(once, {"each": {"table": "${params.region}${B_2}"}})
    assert expand(twice, ENVIRON) == "${A}/${params.region}${B_2}"


PIECES = ["$", "{", "}", "{A}", "${A}", "${$}", "$${", "${params.x}", "${params.none}"]


def meant(text: str, x: str) -> str:
    """Read `text` from left to right, once."""
    values = {"${A}": "1", "${$}": "$", "${params.x}": x, "${params.none}": ""}
    out = ""
    while text:
        if text.startswith("$${"):
            out, text = out + "${", text[3:]
        elif text.startswith("${"):
            use, _, text = text.partition("}")
            out += values[use + "}"]
        else:
            out, text = out + text[0], text[1:]
    return out


@pytest.mark.parametrize("x", ["$", "$$", "{A}", "${A}", "$${A}", "${params.x}", "a$b{", "${"])
def test_what_is_put_in_is_never_looked_through_again(x: str) -> None:
    scope = {"params": {"x": x, "none": ""}}
    looked_at = 0
    for pieces in product(PIECES, repeat=3):
        text = "".join(pieces)
        if not list(template.faults(text, ENVIRON, scope)):
            looked_at += 1
            assert expand(template.bind(text, scope), ENVIRON) == meant(text, x), text
    assert looked_at > 500


@pytest.mark.parametrize(
    ("written", "code", "message", "hint"),
    [
        ("${params.regoin}", "WCT115", "there is no parameter 'regoin'", "'region'?"),
        ("${params.zzz}", "WCT115", "there is no parameter 'zzz'", "declare it under 'params'"),
        ("${each.tabel}", "WCT115", "the item has no 'tabel'", "'table'?"),
        ("${each.zzz}", "WCT115", "the item has no 'zzz'", "it has: 'table', 'cols', 'n'"),
        ("x ${params.tables}", "WCT107", "'${params.tables}' is a list", "be the whole value"),
        ("x ${each}", "WCT107", "'${each}' is an object", "be the whole value"),
        ("${params.region:-eu}", "WCT116", "takes no default here", "under 'params'"),
        ("${each:-x}", "WCT116", "takes no default here", "under 'params'"),
        ("${params.} ${params.region}", "WCT116", "does not begin", "write ${NAME}"),
    ],
)
def test_a_reference_that_cannot_be_bound(written: str, code: str, message: str, hint: str) -> None:
    [(path, told, *words)] = template.faults({"a": [1, written]}, ENVIRON, SCOPE)
    assert (path, told) == (("a", 1), code)
    assert message in words[0]
    assert hint in words[1]
    with pytest.raises(InvalidError) as caught:
        template.bind({"a": [1, written]}, SCOPE)
    [problem] = caught.value.problems
    assert (problem.code, problem.message, problem.hint) == (code, *words)


def test_an_item_that_is_no_object_has_no_keys() -> None:
    with pytest.raises(InvalidError, match="the item has no 'table'"):
        template.bind("${each.table}", {"each": "users"})


def test_what_is_known_later_is_no_fault() -> None:
    scope = {"params": {"token": template.LATER}, "each": template.LATER}
    assert not list(template.faults("${params.token} ${each.any} ${each}", {}, scope))


def test_a_reference_that_nobody_bound_is_refused_where_the_work_runs() -> None:
    environ = {"each": "a variable", "params.token": "t0ken${A}"}
    for written in ("${each}", "${each.x}", "${params.other}"):
        with pytest.raises(InvalidError) as caught:
            expand(written, environ)
        assert [problem.code for problem in caught.value.problems] == ["WCT115"]
    assert expand(["Bearer ${params.token}"], environ) == ["Bearer t0ken${A}"]


def test_names_tell_secret_parameters() -> None:
    assert names("${A} ${params.token} ${each.x} $${params.b}") == {
        "A": False,
        "params.token": False,
    }
    hide = Secrets(names("${params.token}"), {"params.token": CANARY}).hide
    assert hide(f"401 for {CANARY}") == "401 for ${params.token}"


def test_many_unclosed_uses_are_read_in_one_go() -> None:
    text = "${params.x:-" * 20_000
    [(_, code, _, _)] = template.faults(text, {}, SCOPE)
    assert code == "WCT116"
