"""Conditions: what they mean, how they are refused, and that nothing makes them run on or crash."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.errors import Exit
from waivern.language.conditions import (
    MAX_LENGTH,
    MAX_TEXT,
    Condition,
    ConditionError,
    EvaluationError,
)

T = TypeVar("T")
E = TypeVar("E", bound=Exception)

ROOTS = frozenset({"params", "inputs", "status", "each", "round"})
FINDINGS = [
    {"type": "EMAIL_ADDRESS", "severity": "high", "confidence": 0.9, "fields": ["mail"]},
    {"type": "IBAN_CODE", "severity": "low", "confidence": 0.5, "fields": [], "note": None},
]
SCOPE: dict[str, Any] = {
    "params": {"region": "eu", "limit": 10, "strict": True, "token": "Hunter-22"},
    "inputs": {
        "scan": {"findings": FINDINGS, "by_table": {"users": 3, "orders": 0}, "size é": 2},
        "a/b-c": {"ok": [True, False], "empty": [], "or": "x"},
    },
    "status": {"scan": "completed", "child/report": "failed"},
    "each": "customers",
    "round": 2,
}
SOON = 10.0
"""Seconds; each takes at most two on an idle machine."""


def parse(text: str) -> Condition:
    return Condition.parse(text, ROOTS)


def holds(text: str, scope: dict[str, Any] = SCOPE) -> bool:
    return parse(text).evaluate(scope)


def refusal(text: str, roots: frozenset[str] = ROOTS) -> ConditionError:
    with pytest.raises(ConditionError) as caught:
        Condition.parse(text, roots)
    return caught.value


def failure(text: str, scope: dict[str, Any] = SCOPE) -> EvaluationError:
    condition = parse(text)
    with pytest.raises(EvaluationError) as caught:
        condition.evaluate(scope)
    return caught.value


def caught(call: Callable[[], T], kind: type[E]) -> T | E:
    """Return what `call` returns or, if it is of that kind, what it raises."""
    try:
        return call()
    except kind as error:
        return error


def unhidden(text: str) -> str:
    return text


@pytest.mark.parametrize(
    "text",
    [
        "count(inputs.scan.findings) == 2",
        "inputs.scan.findings[0].type == 'EMAIL_ADDRESS'",
        'inputs.scan.findings[-1].type == "IBAN_CODE"',
        "inputs.scan.findings[*].severity == ['high', 'low']",
        "inputs.scan.findings[*].fields[*] == ['mail']",
        "inputs.scan.by_table[*] == [3, 0]",
        "inputs['scan']['size é'] == 2",
        "inputs['a/b-c'].or == 'x'",
        "status.scan == 'completed' and status['child/report'] in ['failed', 'skipped']",
        "each == 'customers' and round < 3",
        "params.strict",
        "not not params.strict",
        "count('größe') == 5 and count(inputs.scan.by_table) == 2",
        "sum(inputs.scan.by_table[*]) == 3 and sum([]) == 0",
        "max(inputs.scan.findings[*].confidence) > 0.8 and min([3, 1, 2]) == 1",
        "any(inputs['a/b-c'].ok) and not all(inputs['a/b-c'].ok)",
        "all([]) and not any([])",
        "lower(params.token) == 'hunter-22'",
        "starts_with(params.region, 'e') and not ends_with(params.region, 'e')",
        "exists(inputs.scan.findings[1].note) and not exists(inputs.scan.findings[0].note)",
        "exists(inputs.scan.findings[*].note)",
        "not exists(inputs.scan.findings[2]) and not exists(inputs.scan.nothing.at.all)",
        "not exists(inputs['a/b-c'].empty[*]) and not exists(params.region.x)",
        "not exists(params.other)",
        "'high' in inputs.scan.findings[*].severity and 'info' not in ['high']",
        "'users' in inputs.scan.by_table and 'u' in params.region",
        "1 + 2 * 3 == 7 and (1 + 2) * 3 == 9 and 7 / 2 == 3.5 and 8 / 4 / 2 == 1",
        "10 - 3 - 2 == 5 and -2 * -3 == 6 and - -1 == 1 and 2 - -1 == 3",
        "true or false and false",
        "not true == false",
        "not (true and false) and not false",
        "(true or true) and true",
        "1 == 1.0 and 1 != true and 0 != false and [1] != [true] and null != false",
        "1 != '1' and [1, [2]] == [1, [2]] and [1] != [1, 1] and null == null",
        "'a' < 'b' and 2 <= 2 and 2 >= 1.5 and 3 > 2",
        "'it\\'s \\u00e9\\n\\\\' == \"it's é\\n\\\\\"",
        " \n\ttrue\r\n",
        "true or 1 / 0 > 1",
        "not (false and params.nothing)",
    ],
)
def test_what_is_true(text: str) -> None:
    assert holds(text) is True
    assert holds(f"not ({text})") is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.scan.finding == 1", "`inputs.scan` has no field 'finding'"),
        ("count(inputs.scan.findings[*].note) > 0", "item [0] of `inputs.scan.findings[*]` has no"),
        ("inputs.scan.findings[2] == 1", "`inputs.scan.findings` has no item [2], it holds 2"),
        ("inputs.scan.findings[-3] == 1", "has no item [-3]"),
        ("inputs.scan.findings.type == 1", "`inputs.scan.findings` is a list, and has no field"),
        ("inputs.scan[0] == 1", "`inputs.scan` is a mapping, and has no item [0]"),
        ("params.region[*] == 1", "`params.region` is text, and [*] needs"),
        ("params.nothing", "`params` has no field 'nothing'"),
        ("params.region < 3", "`params.region` cannot be compared with what follows: text < a num"),
        ("params.strict < 3", "`params.strict` is true or false, and '<' compares only"),
        ("null <= 3", "`null` is null"),
        ("params.strict + 1 > 1", "`params.strict` must be a number, and is true or false"),
        ("1 + (params.limit) * (params.region) > 1", "`(params.region)` must be a number"),
        ("-params.region == 1", "`params.region` must be a number"),
        ("params.limit / (round - 2) > 1", "`params.limit / (round - 2)` divides by zero"),
        ("params.limit", "`params.limit` must be true or false, and is a number"),
        ("params.limit or true", "`params.limit` must be true or false"),
        ("not params.limit", "`params.limit` must be true or false"),
        ("1 in params.limit", "`params.limit` is a number, and 'in' searches"),
        ("1 in params.region", "`1` must be text, and is a number"),
        ("count(params.limit) > 1", "`params.limit` is a number, and count() takes"),
        ("sum([1, 'a']) > 1", "`[1, 'a']` must be a list of numbers, and item [1] is text"),
        ("max([]) > 1", "`[]` is empty"),
        ("min(params.region) > 1", "`params.region` must be a list, and is text"),
        ("all([true, 1])", "`[true, 1]` must be a list of booleans, and item [1] is a number"),
        ("lower(round) == 'a'", "`round` must be text"),
        ("starts_with(params.region, 1)", "`1` must be text"),
        (f"{'9' * 300} * 99 > 1", "is too large a number"),
        (f"{'9' * 300} * 1.0 * 99999999999 > 1", "is too large a number"),
        (f"sum([{'9' * 290}.0, {'9' * 290}]) * {'9' * 20} > 1", "is too large a number"),
        ("sum(inputs.x) > 1", "`inputs` has no field 'x'"),
    ],
)
def test_what_has_no_answer(text: str, message: str) -> None:
    assert message in failure(text).message


def test_a_root_without_a_value_is_an_error_that_exists_can_ask_about() -> None:
    assert "`each` has no value here" in failure("each == 1", {}).message
    assert holds("not exists(each)", {})
    assert holds("exists(each)")


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("", "", "empty", None),
        ("  ", "", "empty", None),
        ("1 +", "", "found the end", None),
        ("true false", "false", "expected an operator", None),
        ("1 < 2 < 3", "< 3", "do not chain", "and"),
        ("1 == 1 != 2", "!=", "do not chain", "and"),
        ("1 == not true", "not", "parentheses", "not"),
        ("count(params.a) = 1", "= 1", "'='", "'=='"),
        ("params.a && true", "&& t", "'&'", "'and'"),
        ("!params.a", "!", "'!'", "'not'"),
        ("params.a == 'b", "'b", "no closing quote", None),
        (r"'a\x' == 'a'", r"\x", "not an escape", None),
        (r"'\ud800' == 'a'", r"\ud800", "not an escape", None),
        ("'\x1b[31m' == 'a'", "\x1b", "cannot stand here", None),
        ("param.a", "param", "unknown name", "did you mean 'params'?"),
        ("True", "True", "unknown name", "did you mean 'true'?"),
        ("artifacts.a == 1", "artifacts", "unknown name", "each, inputs"),
        ("inputs.a-b == 1", "b ==", "unknown name", "['a-b']"),
        ("conut(inputs.a) > 1", "conut", "unknown function", "did you mean 'count'?"),
        ("contains(inputs.a, 1)", "contains", "unknown function", "functions here: all,"),
        ("count() > 1", "count", "takes one argument, not 0", None),
        ("starts_with('a')", "starts_with", "takes two arguments", None),
        ("exists(1)", "1", "exists() takes a path", None),
        ("exists(params.a == 1)", "params.a == 1", "exists() takes a path", None),
        ("params == 1", "params", "needs a name", "params.NAME"),
        ("inputs[*] == 1", "inputs", "needs a name", None),
        ("status[0] == 1", "status", "needs a name", None),
        ("params. == 1", "==", "a name after '.'", None),
        ("params.'a' == 1", "'a'", "a name after '.'", "brackets"),
        ("each[params.a] == 1", "params", "expected a key", None),
        ("each[1.5] == 1", "1.5", "expected a key", None),
        ("each[-'a'] == 1", "'a'", "expected a key", None),
        ("each['a' == 1", "==", "expected ']'", None),
        ("(true", "", "expected ')'", None),
        ("[1 2] == 1", "2", "expected ','", None),
        ("count(params.a)", "count(params.a)", "and this is a number", "count(x) > 0"),
        ("'a'", "'a'", "and this is text", None),
        ("true and (1 + 1)", "(1 + 1)", "an operand of 'and'", None),
        ("not null", "null", "the operand of 'not'", None),
        ("or true", "or", "expected a value", None),
        ("1" * 301 + " > 1", "1" * 301, "more than 300 digits", None),
    ],
)
def test_what_is_refused_where_and_with_which_advice(
    text: str, at: str, message: str, hint: str | None
) -> None:
    error = refusal(text)
    assert message in error.message
    assert hint is None or hint in (error.hint or "")
    assert error.offset == (text.rindex(at) if at else len(text))
    assert error.exit_code == Exit.INVALID
    assert error.length >= 1


@pytest.mark.parametrize(
    "text",
    [
        "(" * 51 + "true" + ")" * 51,
        "not " * 51 + "true",
        "-" * 51 + "1 == 1",
        "[" * 4_000,
        "lower(" * 600,
        "true or (" * 30 + "true and (" * 30,
    ],
)
def test_nesting_is_bounded(text: str) -> None:
    assert "nested deeper than 50" in refusal(text).message


def test_the_deepest_that_is_allowed_can_be_read_and_evaluated() -> None:
    assert holds("(" * 50 + "true" + ")" * 50)
    assert holds("not " * 48 + "true")
    assert holds("true or (false or " * 24 + "true" + ")" * 24)


def test_long_chains_do_not_nest() -> None:
    assert holds("1" + "+1" * 1_990 + "> 1990")
    assert holds("false or " * 400 + "true")


def test_a_long_text_is_refused() -> None:
    error = refusal("true " + " " * MAX_TEXT)
    assert (error.offset, error.length) == (MAX_TEXT, 5)


def test_references_are_what_it_looks_at() -> None:
    condition = parse(
        "status['child/a'] == 'failed' and exists(inputs.b[*].x) or each in params.c and round > 1"
        " and 'inputs.no' == inputs['d.e']"
    )
    assert condition.references == {
        ("status", "child/a"),
        ("inputs", "b"),
        ("params", "c"),
        ("inputs", "d.e"),
    }


def test_a_condition_is_a_value() -> None:
    condition = parse("count(inputs.scan.findings[*].fields[*]) == 1 and not false")
    again = pickle.loads(pickle.dumps(condition))
    assert again == condition
    assert hash(again) == hash(condition)
    assert again.references == condition.references
    assert again.evaluate(SCOPE) is True
    assert condition != parse("true")
    assert "_tree" not in repr(condition)


def test_errors_survive_the_way_from_another_process() -> None:
    error = pickle.loads(pickle.dumps(refusal("params.a = 1")))
    assert (error.offset, error.length, error.hint) == (9, 1, "write '==' to compare")
    assert pickle.loads(pickle.dumps(failure("1/0 > 1"))).message == failure("1/0 > 1").message


@pytest.mark.parametrize(
    ("text", "explanation"),
    [
        ("count(inputs.scan.findings) == 0", "count(inputs.scan.findings) = 2"),
        ("params.region == 'us' or round > 2", "params.region = 'eu', round = 2"),
        ("params.region == 'eu' or round > 2", "params.region = 'eu'"),
        ("params.strict and round > 2", "round = 2"),
        ("not (params.strict and round > 1)", "params.strict = true, round = 2"),
        ("exists(inputs.scan.nothing)", "exists(inputs.scan.nothing) = false"),
        ("status.scan in ['failed']", "status.scan = 'completed'"),
        ("round + 1 > params.limit * 2", "round + 1 = 3, params.limit = 10"),
        ("inputs.scan.findings == []", "inputs.scan.findings = a list of 2"),
        ("inputs.scan.findings[1].note != null", "inputs.scan.findings[1].note = null"),
        ("sum(inputs.scan.by_table[*]) > 9", "sum(inputs.scan.by_table[*]) = 3"),
        (
            "count(inputs.scan.findings) / 4 > round",
            "count(inputs.scan.findings) / 4 = 0.5, round = 2",
        ),
        ("all(inputs['a/b-c'].ok)", "all(inputs['a/b-c'].ok) = false"),
        ("inputs.scan.findings[0].type == each", "TYPE = text of 13 characters, EACH"),
        ("1 == 2", "1 == 2 = false"),
        ("round > 1 and round < 9", "round = 2"),
    ],
)
def test_what_decided_is_told(text: str, explanation: str) -> None:
    told = explanation.replace("TYPE", "inputs.scan.findings[0].type")
    told = told.replace("EACH", "each = text of 9 characters")
    assert parse(text).explain(SCOPE, unhidden) == told


STAFF = {"nhs": 9434765919, "pay": [51234], "two": [51234, 61234], "ill": True, "none": None}


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("inputs.m.nhs == 1", "a number"),
        ("inputs.m['nhs'] > 9999999999", "a number"),
        ("each.nhs == 1", "a number"),
        ("result.pay[0] == 1", "a number"),
        ("artifacts.m.nhs == 1", "a number"),
        ("inputs.m.nhs + 1 == 1", "a number"),
        ("-inputs.m.nhs == 1", "a number"),
        ("sum([inputs.m.nhs]) == 1", "a number"),
        ("sum([inputs.m.nhs, 0]) == 1", "a number"),
        ("sum(inputs.m.pay) == 1", "a number"),
        ("sum(inputs.m.pay[*]) + count(inputs.m) == 1", "a number"),
        ("max(inputs.m.two) == 1", "a number"),
        ("min(inputs.m.two) == 1", "a number"),
        ("inputs.m.ill == false", "true or false"),
        ("inputs.m.none == false", "null"),
        ("sum(inputs.m.two) == 1", "112468"),
        ("count(inputs.m.two) == 1", "2"),
    ],
)
def test_no_value_that_stands_in_content_is_told(part: str, kind: str) -> None:
    roots = frozenset({"inputs", "each", "result", "artifacts"})
    scope = {"inputs": {"m": STAFF}, "artifacts": {"m": STAFF}, "each": STAFF, "result": STAFF}
    told = Condition.parse(part, roots).explain(scope, unhidden)
    name = part.rpartition(" == " if "==" in part else " > ")[0]
    assert told == f"{name} = {kind}"


def test_nothing_is_told_of_what_is_sensitive_not_even_whether_it_decided() -> None:
    condition = parse("inputs.m.ill and count(inputs.m.two) > 1 and params.region == 'us'")
    told = condition.keeping([("inputs", "m")]).explain(
        {"inputs": {"m": STAFF}, "params": {"region": "eu"}}, unhidden
    )
    assert told == "params.region = 'eu', inputs.m is sensitive"
    counted = condition.keeping([("inputs", "m")]).explain(
        {"inputs": {"m": {"ill": False}}, "params": {"region": "us"}}, unhidden
    )
    assert counted == "inputs.m is sensitive"
    whole = Condition.parse("result.n > 1", frozenset({"result"})).keeping([("result", "")])
    assert whole.explain({"result": {"n": 1}}, unhidden) == "result is sensitive"


def test_an_explanation_is_one_short_line() -> None:
    text = " and\n".join(f"params.x{n} != '{'y' * 30}'" for n in range(60))
    scope = {"params": {f"x{n}": "long\n" * 100 for n in range(60)}}
    told = parse(text).explain(scope, unhidden)
    assert told.startswith("params.x0 = 'long")
    assert len(told) == MAX_LENGTH
    assert "\n" not in told


@pytest.mark.parametrize(
    "text",
    [
        "params.token == 'x'",
        "lower(params.token) == 'x'",
        "'x' in [params.token, lower(params.token)]",
        "starts_with(params.token, 'x')",
        "params.token == inputs.copy",
        "params.token == 'Hunter-22'",
        "params.pin + 1 > 3",
        "params.long == 'x'",
        "params.token < 1",
        "params.token.x == 1",
    ],
)
def test_no_secret_is_told(text: str) -> None:
    long = "0123456789" * 7
    scope = {
        "params": {"token": "Hunter-22", "pin": 77_341, "long": long},
        "inputs": {"copy": "Hunter-22"},
    }

    def hide(told: str) -> str:
        for secret in ("Hunter-22", "77341", long):
            told = told.replace(secret, "${SECRET}")
        return told

    try:
        told = parse(text).explain(scope, hide)
    except EvaluationError as error:
        told = error.message
    assert "params." in told
    for part in ("unter-22", "7734", "012345"):
        assert part not in told


def test_an_explanation_exists_wherever_there_is_an_answer() -> None:
    half = list(range(400_000))
    condition = parse(" or ".join(["sum(inputs.x[*]) < 0"] * 3))
    assert condition.evaluate({"inputs": {"x": half}}) is False
    assert condition.explain({"inputs": {"x": half}}, unhidden).startswith("sum(inputs.x[*]) = 7")


@pytest.mark.parametrize(
    "text",
    [
        " or ".join(["sum(inputs.x) < 0"] * 150),
        pytest.param(" or ".join(["'no' in inputs.x"] * 150), marks=pytest.mark.sweep),
        pytest.param(" or ".join(["exists(inputs.x[*].a)"] * 150), marks=pytest.mark.sweep),
        " or ".join(["lower(inputs.t) == 'x'"] * 150),
    ],
)
def test_hostile_work_ends_soon(text: str) -> None:
    scope = {"inputs": {"x": [0] * 200_000, "t": "a" * 10_000_000}}
    began = time.process_time()
    assert "looks at more than" in failure(text, scope).message
    assert time.process_time() - began < SOON


def test_content_of_any_depth_can_be_compared() -> None:
    left: list[Any] = []
    right: list[Any] = [1]
    for _ in range(5_000):
        left, right = [left], [right]
    scope = {"inputs": {"a": left, "b": right}}
    assert holds(
        "inputs.a == inputs.a and inputs.a != inputs.b and inputs.a not in inputs.b", scope
    )


def test_it_is_imported_without_anything_heavy() -> None:
    program = (
        "import sys, json, waivern.language.conditions as c;"
        "c.Condition.parse('round > 1', frozenset({'round'})).evaluate({'round': 2});"
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert "waivern.language.conditions" in loaded
    assert not loaded & {"pydantic", "yaml", "difflib", "click", "rich", "asyncio"}


WORDS = [
    *["params", "inputs", "status", "each", "round", ".", "[", "]", "(", ")", ",", "*", "-", "+"],
    *["/", "==", "!=", "<", ">=", "in", "not", "and", "or", "true", "null", "'a'", '"', "'", "\\"],
    *["0", "1", "2.5", "a", "b", "count(", "sum(", "min(", "any(", "exists(", "lower(", " ", "é"],
]
TEXTS = st.one_of(st.text(max_size=80), st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_condition_or_is_refused_at_a_place_within_it(text: str) -> None:
    began = time.process_time()
    condition = caught(lambda: parse(text), ConditionError)
    if isinstance(condition, ConditionError):
        assert 0 <= condition.offset <= len(text)
        assert 1 <= condition.length <= max(1, len(text) - condition.offset)
        assert condition.message.isprintable()
    else:
        assert condition.text == text
    assert time.process_time() - began < SOON


NAMES = st.sampled_from(["a", "b", "c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
PATHS = st.builds(
    lambda root, steps: root + "".join(steps),
    st.sampled_from(["params.a", "inputs['b']", "status.c", "each", "round"]),
    st.lists(st.sampled_from([".a", ".b", "['c']", "[0]", "[-1]", "[*]"]), max_size=3),
)
LITERALS = st.sampled_from(["true", "false", "null", "0", "1", "2.5", "9" * 300, "'a'", "''", "[]"])


def wider(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    operators = ["==", "!=", "<", "<=", ">", ">=", "in", "not in", "+", "-", "*", "/", "or", "and"]
    one = ["count", "sum", "min", "max", "any", "all", "lower", "-", "not "]
    return st.one_of(
        st.tuples(inner, st.sampled_from(operators), inner).map(lambda t: f"({' '.join(t)})"),
        st.tuples(st.sampled_from(one), inner).map(lambda t: f"({t[0]}({t[1]}))"),
        st.tuples(inner, inner).map(lambda t: f"[{t[0]}, {t[1]}]"),
        st.tuples(inner, inner).map(lambda t: f"starts_with({t[0]}, {t[1]})"),
        PATHS.map(lambda path: f"exists({path})"),
    )


EXPRESSIONS = st.recursive(PATHS | LITERALS, wider, max_leaves=6)
SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "params": st.dictionaries(NAMES, JSON),
        "inputs": st.dictionaries(NAMES, JSON),
        "status": st.dictionaries(NAMES, st.sampled_from(["failed", "completed"])),
        "each": JSON,
        "round": st.integers(1, 5),
    },
)


@given(EXPRESSIONS, SCOPES)
@settings(max_examples=150, deadline=None)
def test_any_evaluation_ends_with_an_answer_or_an_evaluation_error(
    text: str, scope: dict[str, Any]
) -> None:
    condition = caught(lambda: parse(f"({text}) == true"), ConditionError)
    if isinstance(condition, ConditionError):  # an operand that can be seen to be no boolean
        assert "must be true or false" in condition.message
        return
    answer = caught(lambda: condition.evaluate(scope), EvaluationError)
    told = caught(lambda: condition.explain(scope, unhidden), EvaluationError)
    if isinstance(answer, EvaluationError):
        assert answer.message.isprintable()
        assert str(told) == str(answer)
    else:
        assert isinstance(answer, bool)
        assert isinstance(told, str)
        assert 0 < len(told) <= MAX_LENGTH
        assert told.isprintable()
