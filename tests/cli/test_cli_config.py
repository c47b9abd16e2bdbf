"""`wct config show`, and what waivern.yaml does to other commands."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from wct_process import Place

RUNBOOK = '  a: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
PROJECT = """
persistence: {path: kept}
retention: {keep_last: 1}
components:
  sqlite: {path: "${CANARY}"}
"""


@pytest.fixture
def project(place: Place) -> Place:
    (place.path / "waivern.yaml").write_text(PROJECT)
    return place


def test_a_pipe_gets_name_value_and_source(project: Place) -> None:
    done = project.wct("config", "show", CANARY="s3cret-canary")
    assert (done.code, done.err) == (0, "")
    rows = {name: (json.loads(value), source) for name, value, source in done.rows}
    assert rows["store"] == (str(project.path / "kept"), "waivern.yaml:2")
    assert rows["retention.keep_last"] == (1, "waivern.yaml:3")
    assert rows["max_concurrency"] == (8, "default")
    assert rows["components.sqlite"] == ({"path": "${CANARY}"}, "waivern.yaml:5")
    assert "s3cret" not in done.out


def test_a_program_gets_a_document(project: Place) -> None:
    done = project.wct("config", "--json", "--store", "typed", CANARY="s3cret-canary")
    data = done.data("config")
    assert (data["project"], data["runbook"]) == ("waivern.yaml", None)
    (store,) = [one for one in data["settings"] if one["name"] == "store"]
    assert store == {
        "name": "store",
        "value": "typed",
        "source": {"kind": "option", "name": "--store", "line": None},
    }
    assert "s3cret" not in done.out


def test_a_person_gets_a_table(project: Place) -> None:
    done = project.on_a_terminal("config", "show")
    assert done.code == 0
    (line,) = [line for line in done.out.splitlines() if line.startswith("store")]
    assert line.split()[-1] == "waivern.yaml:2"


def test_a_runbook_adds_its_config(project: Place) -> None:
    project.runbook("x.yaml", RUNBOOK, "config:\n  max_concurrency: 2\n  timeout: 5m")
    rows = {row[0]: row[1:] for row in project.wct("config", "show", "x.yaml").rows}
    assert rows["max_concurrency"] == ["2", "x.yaml:2"]
    assert rows["timeout"] == ["300.0", "x.yaml:3"]


def test_without_a_project_file_it_says_so(place: Place) -> None:
    done = place.quick("config")
    assert done.code == 0
    assert "no waivern.yaml" in done.err
    assert done.rows[0] == ["store", json.dumps(str(place.path / ".waivern")), "default"]


def test_all_that_is_wrong_is_reported(place: Place) -> None:
    (place.path / "waivern.yaml").write_text("cach: true\non_error: stop\n")
    done = place.quick("config", "--json")
    assert done.code == 3
    problems = done.data("error")["problems"]
    assert [(one["file"], one["line"], one["column"]) for one in problems] == [
        ("waivern.yaml", 1, 1),
        ("waivern.yaml", 2, 11),
    ]
    assert "did you mean 'cache'" in done.err


def test_what_is_wrong_with_base_properties_is_told_in_the_project_file(place: Place) -> None:
    base = "components:\n  filesystem:\n    exlude: [x]\n    max_file_size: lots\n  sqlte: {}\n"
    (place.path / "waivern.yaml").write_text(base)
    source = "{source: {type: filesystem, properties: {path: ., encoding: 1}}}"
    place.runbook("x.yaml", f"  a: {source}\n")
    (told,) = place.quick("validate", "x.yaml", "--json").data("validate")
    problems = told["problems"]
    assert [(one["file"], one["line"], one["column"]) for one in problems] == [
        ("waivern.yaml", 3, 5),
        ("waivern.yaml", 4, 20),
        ("waivern.yaml", 5, 3),
        ("x.yaml", 3, 66),
    ]
    assert "such as '10MB'" in problems[1]["message"]


def test_runs_are_kept_pruned_and_listed_as_the_project_says(project: Place) -> None:
    project.runbook("x.yaml", RUNBOOK)
    for run_id in ("r1", "r2"):
        assert project.wct("run", "x.yaml", "--run-id", run_id, "-q").code == 0
    assert not (project.path / ".waivern").exists()
    assert [row[0] for row in project.wct("runs").rows] == ["r2", "r1"]
    assert project.wct("runs", "prune").rows[0][0] == "would remove r1"
    assert project.wct("runs", "prune", "--keep-last", "0", "--yes").code == 0
    assert project.wct("runs").out == ""
    assert project.wct("runs", "--store", "kept").code == 0


def test_keeping_failed_runs_can_be_taken_back(place: Place) -> None:
    (place.path / "waivern.yaml").write_text("retention: {keep_last: 0, keep_failed: true}\n")
    place.runbook("x.yaml", RUNBOOK.replace("value", "fail"))
    assert place.quick("run", "x.yaml", "--run-id", "r", "-q").code == 1
    assert place.quick("runs", "prune").out == ""
    assert place.quick("runs", "prune", "--no-keep-failed").rows[0][0] == "would remove r"


@pytest.mark.parametrize("there", [True, False])
def test_listing_reads_the_project_with_nothing_heavy(place: Place, there: bool) -> None:
    if there:
        (place.path / "waivern.yaml").write_text(PROJECT)
    heavy = {"pydantic", "asyncio", "rich", "importlib.metadata", "anyio"}
    heavy |= set() if there else {"yaml", "pathlib"}
    code = (
        "import sys; sys.argv = ['wct', 'runs']\n"
        "from waivern.cli.main import main\n"
        "assert main() == 0\n"
        f"heavy = {heavy!r} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        f"assert ('yaml' in sys.modules) is {there}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=place.path, env=place.environ(), check=False
    )
    assert done.returncode == 0
