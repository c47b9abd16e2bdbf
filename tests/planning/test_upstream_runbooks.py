"""Runbooks as the documentation of the Waivern framework has them load and mean what it says.

Component types are this project's: which there are is no part of the format.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from children_kit import Books, ids, inputs

from waivern.ids import ArtifactId
from waivern.message import SchemaRef
from waivern.planning.plan import Copy, Extract, Transform

HEAD = """
name: LAMP stack analysis
description: Looks for personal data
contact: "Jane <jane@company.com>"
framework: GDPR
config: {timeout: 300, max_concurrency: 10, max_child_depth: 3, template_paths: [./templates]}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path)


def test_sources_and_what_is_made_of_them(books: Books) -> None:
    plan = books.write(
        main=HEAD
        + """
artifacts:
  db_data:
    name: Database
    source: {type: python, properties: {call: 'f.py:f'}}
  files:
    source: {type: filesystem, properties: {path: ./src}}
    output_schema: file_set
  findings:
    description: What was found
    contact: dpo@company.com
    inputs: db_data
    process: {type: python, properties: {call: 'f.py:g'}}
    output: true
  maybe:
    inputs: db_data
    process: {type: python, properties: {call: 'f.py:g'}}
    optional: true
"""
    ).plan()
    book = plan.runbook
    assert (book.name, book.framework) == ("LAMP stack analysis", "GDPR")
    assert book.contact == "Jane <jane@company.com>"
    assert book.config.timeout == 300
    assert book.config.max_concurrency == 10
    assert plan.outputs == ["findings"]
    assert isinstance(plan.nodes[ArtifactId("db_data")].work, Extract)
    assert isinstance(plan.nodes[ArtifactId("findings")].work, Transform)
    assert plan.nodes[ArtifactId("files")].schema == SchemaRef("file_set")
    assert [name for name, node in plan.nodes.items() if node.optional] == ["maybe"]


def test_fan_in(books: Books) -> None:
    """Several inputs of one schema and no process become one; upstream planned that, and failed."""
    plan = books.write(
        main=HEAD
        + """
artifacts:
  mysql: {SOURCE}
  files: {SOURCE}
  all: {inputs: [mysql, files], merge: concatenate}
  same: {inputs: [mysql, files]}
  passed: {inputs: mysql}
"""
    ).plan()
    for name in ("all", "same"):
        work = plan.nodes[ArtifactId(name)].work
        assert isinstance(work, Transform)
        assert work.type == "merge"
        assert inputs(plan, name) == ["mysql", "files"]
    assert inputs(plan, "passed") == ["mysql"]


@pytest.mark.parametrize("schema", ["", ", output_schema: json/1.0.0", ", output_schema: json"])
def test_reuse_with_and_without_a_schema(books: Books, schema: str) -> None:
    run = "123e4567-e89b-12d3-a456-426614174000"
    plan = books.write(
        main=HEAD
        + f"artifacts:\n  old: {{reuse: {{from_run: {run}, artifact: findings}}{schema}}}\n"
        + "  new: {inputs: old, PROCESS}\n"
    ).plan()
    work = plan.nodes[ArtifactId("old")].work
    assert isinstance(work, Copy)
    assert (work.run, work.artifact) == (run, "findings")


CHILD = """
name: Personal data
description: A module
inputs:
  source_data:
    input_schema: json/1.0.0
    description: What to look at
  config_data:
    input_schema: json/1.0.0
    optional: true
    default: {level: 3}
outputs:
  findings: {artifact: analysed, description: What was found}
  raw: {artifact: prepared}
artifacts:
  prepared: {inputs: source_data, PROCESS}
  analysed: {inputs: [prepared, config_data], PROCESS}
"""


def test_a_child_runbook_with_one_output(books: Books) -> None:
    plan = (
        books.file("templates/personal.yaml", CHILD)
        .write(
            main=HEAD
            + """
artifacts:
  end: {inputs: findings, PROCESS, output: true}
  db_data: {SOURCE}
  findings:
    inputs: db_data
    child_runbook:
      path: personal.yaml
      input_mapping: {source_data: db_data}
      output: findings
    output: true
"""
        )
        .plan()
    )
    assert set(plan.outputs) == {"findings/analysed", "end"}
    assert inputs(plan, "findings/analysed") == ["findings/prepared", "findings/config_data"]
    assert inputs(plan, "end") == ["findings/analysed"]
    assert plan.runbook.framework == "GDPR"


def test_a_child_runbook_with_several_outputs(books: Books) -> None:
    plan = books.write(
        personal=CHILD,
        main=HEAD
        + """
artifacts:
  db_data: {SOURCE}
  pipeline:
    inputs: [db_data]
    child_runbook:
      path: ./personal.yaml
      input_mapping: {source_data: db_data, config_data: db_data}
      output_mapping: {findings: pd_findings, raw: pd_raw}
  a: {inputs: pd_findings, PROCESS}
  b: {inputs: [pd_raw, db_data], PROCESS}
""",
    ).plan()
    assert ids(plan) == {"db_data", "pipeline/prepared", "pipeline/analysed", "a", "b"}
    assert inputs(plan, "a") == ["pipeline/analysed"]
    assert inputs(plan, "b") == ["pipeline/prepared", "db_data"]
    assert plan.aliases["pd_raw"] == ("pipeline/prepared",)


def test_the_environment(books: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    """`${X:-3306}` is documented there, and did not work."""
    monkeypatch.delenv("MYSQL_PORT", raising=False)
    plan = books.write(
        main=HEAD
        + "artifacts:\n  a: {source: {type: filesystem, properties: {path: '${ROOT:-./src}'}}}\n"
    ).plan()
    assert ids(plan) == {"a"}


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("config: {cost_limit: 1.5}\nartifacts: {a: {SOURCE}}", "'cost_limit'", "no prices"),
        ("artifacts: {a: {SOURCE, execute: {mode: child, timeout: 3}}}", "'execute'", "timeout"),
        ("artifacts: {a: {SOURCE, ouput: true}}", "unknown key 'ouput'", "'output'"),
        ("artifacts: {a: {SOURCE, PROCESS}}", "'process' of artifact 'a'", "inputs"),
        ("config: {max_concurrency: 0}\nartifacts: {a: {SOURCE}}", "at least 1", None),
        ("artifacts: {}", "is empty", "at least one"),
        ("artifacts: {b: {SOURCE}, a: {inputs: []}}", "is empty", None),
        ("artifacts: {a: {SOURCE}, a: {SOURCE}}", "'a'", "first given at line"),
        ("artifacts: {a__b/../c: {SOURCE}}", "not allowed", "letters, digits"),
    ],
)
def test_what_was_accepted_and_ignored_there_is_refused_by_name(
    books: Books, text: str, said: str, hint: str | None
) -> None:
    problem = books.write(main=text).problems()[0]
    assert said in problem.message
    assert hint is None or hint in (problem.hint or "")
