"""Parameters of children: what a directive gives them, what they inherit, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from children_kit import Books, at

from waivern.ids import ArtifactId
from waivern.planning.plan import Extract, Plan

CHILD = """
params:
  region: {type: string}
  least: {type: number, default: 0.5}
  tables: {type: list, default: [x]}
  token: {type: string, secret: true, default: ""}
outputs: {r: {artifact: a}}
artifacts:
  a:
    source:
      type: python
      properties:
        call: f.py:f
        args: {region: "${params.region}", least: "${params.least}", token: "t ${params.token}"}
  b:
    for_each: ${params.tables}
    when: params.least > 0.1 and params.region != 'zz'
    source: {type: python, properties: {call: f.py:f, args: {n: "${each}-${params.region}"}}}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def args(plan: Plan, name: str) -> dict[str, object]:
    work = plan.nodes[ArtifactId(name)].work
    assert isinstance(work, Extract)
    return dict(work.properties["args"])


def main(params: str, head: str = "params: {where: {type: string, default: eu}}") -> str:
    return f"{head}\nartifacts:\n  c: {{child_runbook: {{path: c.yaml, output: r, {params}}}}}\n"


def test_a_directive_gives_values_with_their_types(books: Books) -> None:
    params = 'params: {region: "${params.where}-1", least: 0.9, tables: [p, q]}'
    plan = books.write(c=CHILD, main=main(params)).plan()
    assert args(plan, "c/a") == {"region": "eu-1", "least": 0.9, "token": "t "}
    assert args(plan, "c/b/q") == {"n": "q-eu-1"}


def test_items_reach_into_children(books: Books) -> None:
    books.write(
        c=CHILD,
        main="""
        artifacts:
          c:
            for_each: [{id: eu, tables: [s]}, {id: uk, tables: []}]
            child_runbook:
              path: c.yaml
              output: r
              params: {region: "${each.id}", tables: "${each.tables}"}
          all: {inputs: c}
        """,
    )
    plan = books.plan()
    assert [name for name in plan.nodes if name != "all"] == ["c/eu/a", "c/eu/b/s", "c/uk/a"]
    assert args(plan, "c/uk/a")["region"] == "uk"


def test_a_parameter_is_inherited_from_the_nearest_runbook_around(books: Books) -> None:
    books.write(
        c=CHILD,
        mid="""
        params: {region: {type: string}, least: {type: number, default: 0.7}}
        outputs: {r: {artifact: inner}}
        artifacts: {inner: {child_runbook: {path: c.yaml, output: r}}}
        """,
        main="""
        params: {region: {type: string, default: eu}, tables: {type: list, default: [m]}}
        artifacts:
          own: {child_runbook: {path: mid.yaml, output: r}}
          given: {child_runbook: {path: mid.yaml, output: r, params: {region: uk}}}
        """,
    )
    plan = books.plan()
    assert args(plan, "own/inner/a")["region"] == "eu"
    assert args(plan, "given/inner/a") == {
        "region": "uk",
        "least": 0.7,
        "token": "t ",
    }
    assert args(plan, "given/inner/b/m") == {"n": "m-uk"}


def test_secrets_and_variables_stay_references(books: Books) -> None:
    books.write(
        c=CHILD.replace(" and params.region != 'zz'", ""),
        main="""
        params: {key: {type: string, secret: true}}
        artifacts:
          c:
            child_runbook:
              path: c.yaml
              output: r
              params: {region: "${HOME:-x}", token: "v1 ${params.key}$"}
        """,
    )
    plan = books.plan({"key": "s3cret"})
    assert args(plan, "c/a") == {
        "region": "${HOME:-x}",
        "least": 0.5,
        "token": "t v1 ${params.key}${$}",
    }
    assert "s3cret" not in repr(plan)


@pytest.mark.parametrize(
    ("params", "said", "hint"),
    [
        ("region: 3", "'region' of c.yaml must be text", "put it in quotes"),
        ("region: eu, least: high", "'least' of c.yaml must be a number", "12 or 0.5"),
        ("region: eu, last: 1", "c.yaml has no parameter 'last'", "did you mean 'least'?"),
        ("region: eu, zzz: 1", "c.yaml has no parameter 'zzz'", "it has region, least, tables"),
        ("least: 1", "'region' of c.yaml has no value", "add `params: {region: ...}`"),
        ("region: eu, token: abc", "is a secret, which cannot be written", "${TOKEN}"),
        ('region: eu, least: "${HOME:-1}"', "must be a number, and a variable is text", "declare"),
        ('region: "${params.key}"', "receives a secret, but is not declared", "secret: true"),
        ('region: eu, tables: ["${params.key}"]', "must be a list, and a variable is", "declare"),
        ('region: "${params.nope}"', "there is no parameter 'nope'", "declare it"),
        ("region: {a: 1}", "must be text", "some text"),
    ],
)
def test_what_cannot_be_given_is_refused_at_its_place(
    books: Books, params: str, said: str, hint: str
) -> None:
    head = "params: {key: {type: string, secret: true}}"
    found = books.write(c=CHILD, main=main(f"params: {{{params}}}", head)).problems()
    problem = next(each for each in found if said in each.message)
    assert hint in (problem.hint or "")
    assert at(problem) == "main.yaml:3"


def test_a_condition_cannot_read_what_is_only_known_where_the_work_runs(books: Books) -> None:
    problem = books.write(c=CHILD, main=main('params: {region: "${HOME:-x}"}')).problems()[0]
    assert "'region', which the condition uses, is a variable" in problem.message


def test_a_child_sees_no_secret_that_it_does_not_declare(books: Books) -> None:
    child = CHILD.replace("t ${params.token}", "${params.token} ${params.key}")
    head = "params: {key: {type: string, secret: true}}"
    given = main('params: {region: eu, token: "${params.key}"}', head)
    assert "there is no parameter 'key'" in books.write(c=child, main=given).only().message


def test_a_child_is_read_again_only_for_other_values(books: Books) -> None:
    items = list(range(300))
    books.write(
        c=CHILD,
        main=f"""
        artifacts:
          c:
            for_each: {items}
            child_runbook: {{path: c.yaml, output: r, params: {{region: "r${{each}}"}}}}
        """,
    )
    plan = books.plan()
    assert len(plan.nodes) == 600
    assert args(plan, "c/299/a")["region"] == "r299"
    assert list(plan.children) == ["c.yaml"]


def test_a_circle_of_parameters_is_still_a_circle(books: Books) -> None:
    books.write(
        main="""
        params: {n: {type: integer, default: 1}}
        outputs: {r: {artifact: b}}
        artifacts: {b: {child_runbook: {path: main.yaml, output: r, params: {n: 2}}}}
        """
    )
    problem = books.only()
    assert problem.message == "runbooks include each other in a circle: main.yaml → main.yaml"
