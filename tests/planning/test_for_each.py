"""`for_each`: one artifact for each item, by a readable name that is safe as a path."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from children_kit import Books, at, ids, inputs
from hypothesis import given
from hypothesis import strategies as st

from waivern.ids import ArtifactId, collisions, parse_artifact_id
from waivern.message import Json
from waivern.planning.items import LONGEST, items
from waivern.planning.plan import AskPeople, Copy, Extract

NOTED = "source: {type: python, properties: {call: 'f.py:f', args: {x: '${each}'}}}"


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def labels(over: Json) -> list[str]:
    found, fault = items(over)
    assert fault is None
    return [item.label for item in found]


def args(books: Books) -> dict[str, object]:
    found = {}
    for id_, node in books.plan().nodes.items():
        assert isinstance(node.work, Extract)
        found[str(id_)] = node.work.properties["args"]["x"]
    return found


# items and their names


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        (["users", "orders"], ["users", "orders"]),
        ([1, 2.5, True, False], ["1", "2.5", "true", "false"]),
        ([{"id": "a", "name": "b"}, {"name": "c"}, {"x": 1}], ["a", "c", "item-3"]),
        ({"db": ["x", "y"], "n": [1, 2]}, ["x-1", "x-2", "y-1", "y-2"]),
        (["a", "A", "a", "a-2"], ["a", "A-2", "a-3", "a-2-4"]),
        (["item-2", ""], ["item-2", "item-2-2"]),
        (["_system", "x.json", "a.log", "b.tmp", "c.jsonl"], [f"item-{n}" for n in range(1, 6)]),
        (["../../etc/passwd", "/", ".."], ["etc-passwd", "item-2", "item-3"]),
        ([".", "a/b\\c"], ["item-1", "a-b-c"]),
        (["é", "日本", "\u202eevil"], ["item-1", "item-2", "evil"]),
        (["a b", "a\x00b\n"], ["a-b", "a-b-2"]),
        ([None, [], [1], {}], ["item-1", "item-2", "item-3", "item-4"]),
        (["x" * 500], ["x" * LONGEST]),
        ({"a": ["x" * 60], "b": ["y" * 60], "c": ["z"] * 2}, ["item-1", "item-2"]),
    ],
)  # fmt: skip
def test_labels(over: Json, expected: list[str]) -> None:
    assert labels(over) == expected


VALUES = st.one_of(st.text(max_size=80), st.integers(), st.booleans(), st.none(), st.floats())
ITEMS = st.one_of(VALUES, st.dictionaries(st.sampled_from(["id", "name"]), VALUES))


@given(st.one_of(
    st.lists(ITEMS, min_size=1, max_size=12),
    st.dictionaries(st.text(), st.lists(ITEMS, min_size=1, max_size=3), min_size=1, max_size=3),
))  # fmt: skip
def test_labels_are_different_safe_and_the_same_each_time(over: Json) -> None:
    found = labels(over)
    assert found == labels(over)
    assert len({label.casefold() for label in found}) == len(found)
    assert not collisions(found)
    for label in found:
        assert parse_artifact_id(label) == label
        assert "/" not in label


def test_every_combination_of_a_matrix(books: Books) -> None:
    books.write(main=f"artifacts: {{a: {{for_each: {{db: [x, y], n: [1, 2]}}, {NOTED}}}}}")
    assert args(books) == {
        "a/x-1": {"db": "x", "n": 1},
        "a/x-2": {"db": "x", "n": 2},
        "a/y-1": {"db": "y", "n": 1},
        "a/y-2": {"db": "y", "n": 2},
    }


def test_items_keep_their_types_and_their_dollars(books: Books) -> None:
    over = "[1, 1.5, true, {id: o, k: [1]}, '$${HOME}', 'a$']"
    books.write(main=f"artifacts: {{a: {{for_each: {over}, {NOTED}}}}}")
    assert list(args(books).values()) == [1, 1.5, True, {"id": "o", "k": [1]}, "$${HOME}", "a$"]


@pytest.mark.parametrize("over", ["{}", "5", "text", "{a: 1}"])
def test_what_cannot_be_gone_over(books: Books, over: str) -> None:
    problem = books.write(main=f"artifacts: {{a: {{for_each: {over}, SOURCE}}}}").only()
    assert "'for_each' of artifact 'a'" in problem.message


# where it comes from


def test_from_a_parameter(books: Books) -> None:
    books.write(
        main=f"""
        params: {{tables: {{type: list, default: [a, b]}}}}
        artifacts:
          scan: {{for_each: '${{params.tables}}', {NOTED}}}
        """
    )
    assert args(books) == {"scan/a": "a", "scan/b": "b"}
    assert ids(books.plan({"tables": [{"id": "z"}]})) == {"scan/z"}


def test_a_parameter_that_is_empty_when_the_plan_is_made(books: Books) -> None:
    books.write(
        main="""
        params: {tables: {type: list, default: []}}
        artifacts:
          scan: {for_each: '${params.tables}', SOURCE}
        """
    )
    assert ids(books.plan()) == set()


@pytest.mark.parametrize("declared", ["{type: string, secret: true}", "{type: integer}"])
def test_a_parameter_that_is_no_list(books: Books, declared: str) -> None:
    books.write(
        main=f"params: {{p: {declared}}}\n"
        "artifacts: {scan: {for_each: '${params.p}', SOURCE}}"
    )
    assert "not a list" in books.only().message


@pytest.mark.parametrize("over", ["'${TABLES}'", "['${TABLE}']", "['${params.p}']", "['${each}']"])
def test_ids_come_neither_from_the_environment_nor_from_secrets(books: Books, over: str) -> None:
    books.write(
        main="params: {p: {type: string, secret: true}}\n"
        f"artifacts: {{scan: {{for_each: {over}, SOURCE}}}}"
    )
    assert books.problems()[0].position is not None
    assert "p" not in str(ids)


# who reads it


FAN = """
artifacts:
  scan: {for_each: [users, orders], SOURCE}
  check: {for_each: [users, orders], inputs: 'scan/${each}', PROCESS}
  all: {inputs: scan, PROCESS}
  one: {inputs: [scan/users], PROCESS}
  later: {after: [scan, check/users], SOURCE}
  ask: {for_each: [users, orders], gate: {question: 'Is ${each} well?', show: 'check/${each}'}}
  then: {for_each: [users], after: 'ask/${each}', SOURCE}
"""


def test_the_group_and_its_items(books: Books) -> None:
    plan = books.write(main=FAN).plan()
    assert inputs(plan, "all") == ["scan/users", "scan/orders"]
    assert plan.nodes[ArtifactId("all")].called == ("scan/users", "scan/orders")
    assert inputs(plan, "one") == ["scan/users"]
    assert inputs(plan, "check/orders") == ["scan/orders"]
    assert plan.nodes[ArtifactId("later")].after == ("scan/users", "scan/orders", "check/users")
    assert plan.nodes[ArtifactId("then/users")].after == ("ask/users",)
    asked = plan.nodes[ArtifactId("ask/users")].work
    assert isinstance(asked, AskPeople)
    assert asked.question == "Is users well?"
    assert plan.aliases["scan"] == ("scan/users", "scan/orders")


def test_reuse_of_each(books: Books) -> None:
    text = (
        "artifacts: {a: {for_each: [x, y], reuse: {from_run: '@last', artifact: 'scan/${each}'}}}"
    )
    plan = books.write(main=text).plan()
    works = [node.work for node in plan.nodes.values()]
    assert [work.artifact for work in works if isinstance(work, Copy)] == ["scan/x", "scan/y"]


@pytest.mark.parametrize("item", ["../x", "", "a//b", "_system"])
def test_an_item_cannot_lead_out_of_a_run(books: Books, item: str) -> None:
    reuse = "{from_run: '@last', artifact: 'scan/${each}'}"
    problem = books.write(main=f"artifacts: {{a: {{for_each: ['{item}'], reuse: {reuse}}}}}").only()
    assert "no id of an artifact" in problem.message


@pytest.mark.parametrize("item", ["{k: 1}", "[1]", "''", '"a\\nb"', "null"])
def test_an_item_that_is_no_name(books: Books, item: str) -> None:
    text = f"artifacts: {{d: {{SOURCE}}, a: {{for_each: [{item}], inputs: '${{each}}', PROCESS}}}}"
    assert books.write(main=text).problems()[0].position is not None


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ("${each.nope}", "the item has no 'nope'"),
        ("${each.id.x}", "'${' does not begin a variable"),
        ("a ${each}", "cannot stand within a longer text"),
        ("${eahc}", "environment variable 'eahc' is not set"),
    ],
)
def test_what_is_no_use_of_an_item(books: Books, use: str, said: str) -> None:
    over = "[{id: a}, {id: b}, {id: c}]"
    noted = NOTED.replace("${each}", use)
    more = "end: {inputs: a, PROCESS}"
    problem = books.write(main=f"artifacts:\n  a: {{for_each: {over}, {noted}}}\n  {more}").only()
    assert said in problem.message
    assert at(problem) == "main.yaml:2"


def test_each_without_for_each(books: Books) -> None:
    assert (
        "has no meaning here" in books.write(main=f"artifacts: {{a: {{{NOTED}}}}}").only().message
    )


@pytest.mark.parametrize("field", ["output_schema: '${each}'", "pool: '${each}'"])
def test_where_an_item_has_no_place(books: Books, field: str) -> None:
    books.write(main=f"artifacts: {{a: {{for_each: [x], SOURCE, {field}}}}}")
    assert at(books.only()) == "main.yaml:1"


def test_a_status_is_of_one_artifact(books: Books) -> None:
    when = "after: scan, SOURCE, when: \"status.scan == 'completed'\""
    books.write(main=FAN + f"  w: {{{when}}}\n")
    problem = books.only()
    assert "'scan', which resolves to several artifacts" in problem.message
    assert problem.hint is not None
    assert "scan/users" in problem.hint


CHILD = """
inputs: {raw: {input_schema: json}}
outputs: {result: {artifact: clean}, more: {artifact: clean}}
artifacts:
  clean: {inputs: raw, PROCESS}
"""


@pytest.mark.parametrize("given", ["output: result", "output_mapping: {result: out}"])
def test_a_child_for_each(books: Books, given: str) -> None:
    name = "sub" if given == "output: result" else "out"
    books.write(
        child=CHILD,
        main=f"""
        artifacts:
          data: {{for_each: [a, b], SOURCE}}
          sub:
            for_each: [a, b]
            child_runbook: {{path: child.yaml, input_mapping: {{raw: 'data/${{each}}'}}, {given}}}
          end: {{inputs: {name}, PROCESS}}
          all: {{inputs: sub, PROCESS}}
          one: {{inputs: sub/b, PROCESS}}
        """,
    )
    plan = books.plan()
    assert inputs(plan, "sub/b/clean") == ["data/b"]
    assert inputs(plan, "end") == inputs(plan, "all") == ["sub/a/clean", "sub/b/clean"]
    assert inputs(plan, "one") == ["sub/b/clean"]


def test_a_child_chosen_by_the_item(books: Books) -> None:
    plan = books.write(
        x="outputs: {r: {artifact: p}}\nartifacts: {p: {SOURCE}}",
        y="outputs: {r: {artifact: q}}\nartifacts: {q: {SOURCE}}",
        main="""
        artifacts:
          sub: {for_each: [x, y], child_runbook: {path: '${each}.yaml', output: r}}
        """,
    ).plan()
    assert ids(plan) == {"sub/x/p", "sub/y/q"}


def test_a_group_within_a_child(books: Books) -> None:
    plan = books.write(
        child="outputs: {r: {artifact: scan}}\n" + FAN,
        main="artifacts: {sub: {child_runbook: {path: child.yaml, output: r}}, "
        "end: {inputs: sub, PROCESS}}",
    ).plan()
    assert inputs(plan, "end") == ["sub/scan/users", "sub/scan/orders"]
    assert inputs(plan, "sub/check/users") == ["sub/scan/users"]


# too much


@pytest.mark.sweep
@pytest.mark.parametrize(
    "text",
    [
        f"a: {{for_each: {list(range(100_001))}, SOURCE}}",
        "a: {{for_each: {{{}}}, SOURCE}}".format(", ".join(f"k{n}: [1, 2]" for n in range(40))),
        "a: {{for_each: {{x: {}, {}}}, SOURCE}}".format(
            list(range(9999)), ", ".join(f"k{n}: [1]" for n in range(200))
        ),
        "\n  ".join(f"a{n}: {{for_each: {list(range(10_000))}, SOURCE}}" for n in range(21)),
        f"a: {{for_each: {list(range(9_000))}, SOURCE}}\n"
        f"  b: {{for_each: {list(range(9_000))}, inputs: a, PROCESS}}",
        f"s: {{SOURCE}}\n  a: {{for_each: {list(range(9_000))}, inputs: s, PROCESS, "
        "repeat: {until: result.ok, max: 100}}",
        f"a: {{for_each: {list(range(9_000))}, child_runbook: {{path: c.yaml, output: r}}}}",
    ],
    ids=["list", "matrix", "wide", "lists", "edges", "rounds", "child"],
)  # fmt: skip
def test_what_is_too_much_is_said_in_time(books: Books, text: str) -> None:
    child = f"a: {{for_each: {list(range(9_000))}, SOURCE}}"
    books.write(c=f"outputs: {{r: {{artifact: a}}}}\nartifacts:\n  {child}\n")
    began = time.process_time()
    problem = books.write(main=f"artifacts:\n  {text}\n").only()
    assert time.process_time() - began < 20
    assert "more than" in problem.message or "are the most" in problem.message


def test_many_items(books: Books) -> None:
    over = list(range(10_000))
    plan = books.write(main=f"artifacts: {{a: {{for_each: {over}, {NOTED}}}}}").plan()
    assert len(plan.nodes) == 10_000


@pytest.mark.parametrize(
    ("over", "said"),
    [
        ("${each}", "'a' has a `for_each` over '${each}', which is not a list"),
        ("x${params.q}", "`for_each` over 'x${params.q}', which is not a list"),
        ("${params.q}${params.q}", "which is not a list"),
        ("${params.nope}", "there is no parameter 'nope'"),
    ],
)
def test_what_is_no_list_of_items_is_one_problem(books: Books, over: str, said: str) -> None:
    books.write(
        main=f"""
        params: {{q: {{type: string}}}}
        artifacts:
          a: {{for_each: "{over}", SOURCE}}
        """
    )
    problem = books.only()
    assert said in problem.message
    assert at(problem) == "main.yaml:4"


def test_an_item_is_written_alike_as_a_name_and_in_a_label(books: Books) -> None:
    books.write(
        main="""
        artifacts:
          "true": {SOURCE}
          "2": {SOURCE}
          one: {for_each: [true, 2], inputs: "${each}", PROCESS}
        """
    )
    plan = books.plan()
    assert inputs(plan, "one/true") == ["true"]
    assert inputs(plan, "one/2") == ["2"]
