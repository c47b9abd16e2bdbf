"""`wct validate` warns of what is likely to fail, and runs nothing of it."""

from __future__ import annotations

import json

import pytest
from wct_process import Place

CODE = """
raise RuntimeError("validate must not run this file")

def none(): ...
def two(inputs, least, *, most=3): ...
def ctx_too(inputs, ctx): ...
async def anything(*args, **kwargs): ...
try:
    from fast import quick
except ImportError:
    def quick(): ...
bound = none
"""


def _source(properties: str, type_: str = "python") -> str:
    return f"  a: {{source: {{type: {type_}, properties: {{{properties}}}}}}}\n"


def _process(properties: str, type_: str = "python") -> str:
    step = _source('call: "c.py:none"')
    return step + f"  b: {{inputs: a, process: {{type: {type_}, properties: {{{properties}}}}}}}\n"


WARNED = [
    (_source('call: "d.py:f"'), "'d.py' cannot be read", "did you mean 'c.py'?"),
    (_source('call: "c.py:non"'), "'c.py' has no function 'non'", "did you mean 'none'?"),
    (_source('call: "c.py:none", args: {x: 1}'), "none() takes no argument 'x'", "nothing"),
    (_process('call: "c.py:none"'), "none() takes no inputs", "a first parameter"),
    (_process('call: "c.py:two"'), "two() needs least", "under `args`"),
    (_process('call: "c.py:two", args: {least: 1, mst: 2}'), "no argument 'mst'", "'most'"),
    (_source('call: "broken.py:f"'), "'broken.py' is not Python, line 1", None),
    (_source("path: nowhere", "filesystem"), "'nowhere' cannot be read", "runbook's folder"),
    (_source("path: shop.db", "sqlite"), "'shop.db' cannot be read", None),
    (_source("argv: [no-such-command]", "command"), "'no-such-command' on PATH", "install"),
    (_source("argv: [./no.sh]", "command"), "there is no command './no.sh' in", "correct"),
    (_process("ruleset: no.yaml", "personal_data"), "'no.yaml' cannot be read", None),
    (_process("ruleset: bad.yaml", "personal_data"), "bad.yaml:", None),
]


@pytest.fixture(autouse=True)
def files(place: Place) -> None:
    (place.path / "c.py").write_text(CODE)
    (place.path / "broken.py").write_text("def (:\n")
    (place.path / "bad.yaml").write_text("name: x\nversion: 1.0.0\ntypes: {A: {category: no}}\n")


@pytest.mark.parametrize(("text", "said", "hint"), WARNED)
def test_what_is_likely_to_fail_is_a_warning_at_its_place(
    place: Place, text: str, said: str, hint: str | None
) -> None:
    done = place.quick("validate", place.runbook("b.yaml", text))
    assert done.code == 0
    assert "warning[WCT214]: " in done.err
    assert said in done.err
    assert hint is None or hint in done.err
    assert "--> b.yaml:" in done.err
    assert done.rows[0][0] == "ok"


FINE = [
    _source('call: "c.py:none"'),
    _source('call: "c.py:bound"'),
    _source('call: "c.py:quick"'),
    _source('call: "c.py:anything", args: {x: 1}'),
    _process('call: "c.py:two", args: {least: 1}'),
    _process('call: "c.py:ctx_too"'),
    _source("argv: [echo]", "command"),
    _source('call: "json:dumps"'),
    _source('path: "${params.where}"', "filesystem"),
]


@pytest.mark.parametrize("text", FINE)
def test_what_is_there_is_no_warning(place: Place, text: str) -> None:
    book = place.runbook("b.yaml", text, "params: {where: {type: string}}")
    done = place.quick("validate", book)
    assert (done.code, done.err) == (0, "")


def test_children_are_looked_at_from_their_own_folders(place: Place) -> None:
    (place.path / "sub").mkdir()
    (place.path / "sub" / "own.py").write_text("def f(): ...\n")
    child = "outputs: {r: {artifact: a}}\nartifacts:\n" + _source('call: "%s"')
    (place.path / "sub" / "good.yaml").write_text(child % "own.py:f")
    (place.path / "sub" / "child.yaml").write_text(child % "own.py:g")
    book = place.runbook(
        "b.yaml",
        "  x: {child_runbook: {path: sub/child.yaml, output: r}}\n"
        "  y: {child_runbook: {path: sub/good.yaml, output: r}}\n",
    )
    done = place.quick("validate", book, "--json")
    [document] = json.loads(done.out)["data"]
    [warning] = document["warnings"]
    assert (done.code, document["valid"], document["problems"]) == (0, True, [])
    assert warning["message"] == "'own.py' has no function 'g'"
    assert warning["file"] == "sub/child.yaml"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{type: python}", "`wct connectors python` lists its properties"),
        ("{type: command, properties: {argv: []}}", "property 'argv' has too few items"),
        ("{type: command, properties: {argv: ls -l}}", "`wct connectors command` lists"),
        ("{type: filesystem, properties: {path: ~/none}}", "it means '/"),
    ],
)
def test_each_problem_of_a_property_has_a_next_step(place: Place, source: str, words: str) -> None:
    name = place.runbook("one.yaml", f"  a: {{source: {source}}}\n")
    done = place.quick("validate", name)
    assert words in done.err
    assert "relative paths" not in done.err


def test_advice_shows_no_value_of_a_variable(place: Place) -> None:
    """It may be a secret, and a long one would be shown in part."""
    secret = "hunter2-" + "x" * 100
    book = place.runbook(
        "book.yaml",
        '  a: {source: {type: python, properties: {call: "${MODULE}.py:f"}}}\n'
        '  b: {source: {type: filesystem, properties: {path: "${MODULE}"}}}\n'
        '  c: {source: {type: command, properties: {argv: ["${MODULE}"]}}}\n',
    )
    for more in ((), ("--json",)):
        done = place.quick("validate", book, *more, MODULE=secret)
        assert done.code == 0, done.err
        assert "hunter2" not in done.out + done.err
