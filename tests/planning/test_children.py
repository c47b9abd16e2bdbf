"""Child runbooks: what upstream got wrong, and what somebody hostile would try."""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import pytest
from children_kit import Books, at, ids, inputs

from waivern.ids import ArtifactId
from waivern.language.models import Runbook
from waivern.planning.plan import Copy, DefaultValue, Extract, NoValue

CHILD = """
inputs:
  raw: {input_schema: json}
outputs:
  result: {artifact: clean}
artifacts:
  clean: {inputs: raw, PROCESS}
"""
MAIN = """
artifacts:
  data: {SOURCE}
  sub:
    inputs: data
    child_runbook: {path: child.yaml, input_mapping: {raw: data}, output: result}
  end: {inputs: sub, PROCESS}
"""


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(tmp_path).write(main=MAIN, child=CHILD)


# what it means


def test_a_child_becomes_part_of_the_plan(books: Books) -> None:
    plan = books.plan()
    assert list(plan.nodes) == ["data", "sub/clean", "end"]
    assert inputs(plan, "sub/clean") == ["data"]
    assert inputs(plan, "end") == ["sub/clean"]
    assert plan.nodes[ArtifactId("sub/clean")].called == ("raw",)
    assert plan.nodes[ArtifactId("end")].called == ("sub",)
    assert plan.aliases == {"sub": ("sub/clean",)}
    assert plan.children == {"child.yaml": (books.folder / "child.yaml").read_bytes()}


def test_neither_ids_nor_edges_hang_on_the_order_in_the_file(books: Books) -> None:
    head, *blocks = MAIN.split("\n  ")
    data, sub, *rest, end = blocks
    parts = [data, "\n  ".join([sub, *rest]), end.rstrip()]
    seen = []
    for order in itertools.permutations(parts):
        books.file("main.yaml", head + "".join(f"\n  {part}" for part in order) + "\n")
        plan = books.plan()
        seen.append({name: (node.inputs, node.called) for name, node in plan.nodes.items()})
    assert len(seen) == 6
    assert all(each == seen[0] for each in seen)
    assert books.plan().nodes == books.plan().nodes


NESTED = """
inputs: {raw: {input_schema: json}}
outputs: {result: {artifact: deeper}}
artifacts:
  deeper:
    child_runbook: {path: child.yaml, input_mapping: {raw: raw}, output: result}
"""


def test_an_output_that_is_itself_a_child(books: Books) -> None:
    plan = books.write(nested=NESTED, main=MAIN.replace("child.yaml", "nested.yaml")).plan()
    assert list(plan.nodes) == ["data", "sub/deeper/clean", "end"]
    assert inputs(plan, "sub/deeper/clean") == ["data"]
    assert inputs(plan, "end") == ["sub/deeper/clean"]
    assert plan.aliases == {"sub": ("sub/deeper/clean",)}


def test_the_outputs_of_a_runbook_may_be_those_of_a_directive(books: Books) -> None:
    books.write(main=MAIN + "outputs: {all: {artifact: sub}}\n")
    assert ids(books.plan()) == {"data", "sub/clean", "end"}


@pytest.mark.parametrize("deep", [False, True])
def test_what_a_directive_says_of_its_output_holds(books: Books, deep: bool) -> None:
    main = MAIN.replace("inputs: data", "output: true\n    optional: true")
    if deep:
        books.write(nested=NESTED)
        main = main.replace("child.yaml", "nested.yaml")
    plan = books.write(main=main).plan()
    made = ArtifactId("sub/deeper/clean" if deep else "sub/clean")
    assert plan.outputs == [made]
    assert plan.nodes[made].optional
    assert not plan.nodes[ArtifactId("data")].optional
    assert all(plan.nodes[id_].tolerated == (id_ == made) for id_ in plan.nodes)


def test_output_in_a_child_is_for_its_parent_to_say(books: Books) -> None:
    books.write(child=CHILD.replace("PROCESS", "PROCESS, output: true"))
    assert books.plan().outputs == []
    books.write(nested=NESTED.replace("  deeper:", "  deeper:\n    output: true"))
    assert books.write(main=MAIN.replace("child.yaml", "nested.yaml")).plan().outputs == []


def test_a_child_that_gives_back_what_it_was_given(books: Books) -> None:
    """What the directive says is not said of the parent's own artifact."""
    books.write(
        child=CHILD.replace("artifact: clean", "artifact: raw"),
        main=MAIN.replace("inputs: data", "optional: true\n    output: true"),
    )
    plan = books.plan()
    assert inputs(plan, "end") == ["data"]
    assert plan.outputs == []
    assert not plan.nodes[ArtifactId("data")].optional


def test_reuse_in_a_child(books: Books) -> None:
    books.write(
        child="""
        outputs: {result: {artifact: old}}
        artifacts:
          old: {reuse: {from_run: "@last", artifact: x/y}}
        """,
        main=MAIN.replace("input_mapping: {raw: data}, ", ""),
    )
    work = books.plan().nodes[ArtifactId("sub/old")].work
    assert isinstance(work, Copy)
    assert (work.run, work.artifact) == ("@last", "x/y")


OPTIONAL = """
inputs:
  raw: {input_schema: json, optional: true%s}
outputs: {result: {artifact: clean}}
artifacts:
  clean: {inputs: raw, PROCESS}
"""


def test_an_optional_input_with_a_default(books: Books) -> None:
    main = MAIN.replace("input_mapping: {raw: data}, ", "")
    plan = books.write(child=OPTIONAL % ", default: {a: [1, 2]}", main=main).plan()
    assert plan.nodes[ArtifactId("sub/raw")].work == DefaultValue({"a": [1, 2]})
    assert inputs(plan, "sub/clean") == ["sub/raw"]


@pytest.mark.parametrize("value", ["0", "false", "''", "[]", "{}"])
def test_a_default_may_be_nothing_much(books: Books, value: str) -> None:
    main = MAIN.replace("input_mapping: {raw: data}, ", "")
    plan = books.write(child=OPTIONAL % f", default: {value}", main=main).plan()
    assert isinstance(plan.nodes[ArtifactId("sub/raw")].work, DefaultValue)


def test_an_optional_input_without_a_default_is_absent(books: Books) -> None:
    main = MAIN.replace("input_mapping: {raw: data}, ", "")
    plan = books.write(child=OPTIONAL % "", main=main).plan()
    node = plan.nodes[ArtifactId("sub/raw")]
    assert node.work == NoValue()
    assert node.optional


def test_a_default_is_not_used_if_something_is_mapped(books: Books) -> None:
    plan = books.write(child=OPTIONAL % ", default: 1").plan()
    assert ids(plan) == {"data", "sub/clean", "end"}
    assert inputs(plan, "sub/clean") == ["data"]


def test_a_runbook_with_optional_inputs_can_be_run_itself(books: Books) -> None:
    plan = books.write(main=OPTIONAL % ", default: 5").plan()
    assert plan.nodes[ArtifactId("raw")].work == DefaultValue(5)
    assert inputs(plan, "clean") == ["raw"]
    plan = books.write(main=OPTIONAL % "").plan()
    assert plan.nodes[ArtifactId("raw")].work == NoValue()
    assert inputs(plan, "clean") == ["raw"]


def test_a_runbook_with_required_inputs_cannot(books: Books) -> None:
    problem = books.write(main=CHILD).only()
    assert "requires the input 'raw'" in problem.message
    assert at(problem) == "main.yaml:3"


def test_two_directives_of_one_child(books: Books) -> None:
    more = """
  again:
    child_runbook: {path: child.yaml, input_mapping: {raw: sub}, output_mapping: {result: second}}
  last: {inputs: [second, again], PROCESS}
"""
    plan = books.write(main=MAIN.rstrip() + more).plan()
    assert ids(plan) == {"data", "sub/clean", "end", "again/clean", "last"}
    assert inputs(plan, "again/clean") == ["sub/clean"]
    assert inputs(plan, "last") == ["again/clean"], "two names of one artifact are one input"
    assert plan.aliases == {
        "sub": ("sub/clean",),
        "second": ("again/clean",),
        "again": ("again/clean",),
    }
    assert list(plan.children) == ["child.yaml"]


def test_two_names_for_one_artifact_of_a_child(books: Books) -> None:
    books.write(
        child=CHILD.replace("outputs:", "outputs:\n  other: {artifact: clean}"),
        main="""
        artifacts:
          data: {SOURCE}
          sub:
            child_runbook:
              {path: child.yaml, input_mapping: {raw: data}, output_mapping: {result: a, other: b}}
          end: {inputs: [a, b], PROCESS}
          all: {inputs: sub, PROCESS}
        """,
    )
    plan = books.plan()
    assert inputs(plan, "end") == inputs(plan, "all") == ["sub/clean"]
    assert plan.aliases["a"] == plan.aliases["b"] == ("sub/clean",)


def test_the_paths_of_a_childs_components_start_from_its_folder(books: Books) -> None:
    books.file("parts/child.yaml", CHILD).write(main=MAIN.replace("child.yaml", "parts/child.yaml"))
    plan = books.plan()
    assert plan.nodes[ArtifactId("sub/clean")].base == str(books.folder / "parts")
    assert plan.nodes[ArtifactId("data")].base == ""


def test_children_of_children_lie_beside_them_or_among_the_templates(books: Books) -> None:
    books.file("parts/nested.yaml", NESTED).file("parts/child.yaml", CHILD)
    (books.folder / "child.yaml").unlink()
    books.write(main=MAIN.replace("child.yaml", "parts/nested.yaml"))
    assert set(books.plan().children) == {"parts/nested.yaml", "parts/child.yaml"}

    (books.folder / "parts/child.yaml").rename(books.folder / "x.yaml")
    (books.folder / "lib").mkdir()
    (books.folder / "x.yaml").rename(books.folder / "lib/child.yaml")
    config = "config: {template_paths: [nowhere, lib]}\n"
    books.write(main=config + MAIN.replace("child.yaml", "parts/nested.yaml"))
    plan = books.plan()
    assert set(plan.children) == {"parts/nested.yaml", "template_paths:2/child.yaml"}
    assert plan.nodes[ArtifactId("sub/deeper/clean")].base == str(books.folder / "lib")


def test_a_hidden_folder_is_a_folder(books: Books) -> None:
    books.file(".hidden/c.yaml", CHILD).file("hidden/c.yaml", "no: [")
    for path in (".hidden/c.yaml", "./.hidden/c.yaml", ".//.hidden/./c.yaml"):
        plan = books.write(main=MAIN.replace("child.yaml", path)).plan()
        assert list(plan.children) == [".hidden/c.yaml"]


def test_dots_in_a_name_lead_nowhere(books: Books) -> None:
    books.file("v1..2.yaml", CHILD)
    assert books.write(main=MAIN.replace("child.yaml", "v1..2.yaml")).plan()


def test_the_framework_and_the_rest_of_the_root_stay(books: Books) -> None:
    runbook: Runbook = books.write(main="framework: GDPR\n" + MAIN).plan().runbook
    assert runbook.framework == "GDPR"


def test_a_sensitive_input_marks_what_is_given(books: Books) -> None:
    books.write(child=CHILD.replace("input_schema: json", "input_schema: json, sensitive: true"))
    plan = books.plan()
    assert [id_ for id_, node in plan.nodes.items() if node.sensitive] == ["data"]
    main = MAIN.replace("input_mapping: {raw: data}, ", "")
    plan = books.write(child=OPTIONAL % ", sensitive: true, default: x", main=main).plan()
    assert [id_ for id_, node in plan.nodes.items() if node.sensitive] == ["sub/raw"]


def test_terms_of_a_directive_are_terms_of_its_artifacts(books: Books) -> None:
    extra = (
        "inputs: data\n    after: first\n    when: status.first == 'completed'\n    on_error: fail"
    )
    main = MAIN.replace("inputs: data", extra) + "  first: {SOURCE}\n"
    node = books.write(main=main).plan().nodes[ArtifactId("sub/clean")]
    assert node.after == ("first",)
    assert [test.statuses for test in node.tests] == [{"first": "first"}]
    assert node.fail_fast


def test_a_condition_may_ask_for_a_childs_output_that_is_declared_later(books: Books) -> None:
    more = """
  gated:
    when: status.late == 'completed' and status.end == 'completed'
    child_runbook: {path: child.yaml, input_mapping: {raw: data}, output: result}
  late:
    child_runbook: {path: child.yaml, input_mapping: {raw: data}, output: result}
"""
    plan = books.write(main=MAIN.rstrip() + more).plan()
    (test,) = plan.nodes[ArtifactId("gated/clean")].tests
    assert test.statuses == {"late": "late/clean", "end": "end"}


def test_config_of_the_root_reaches_into_children_unless_they_say_otherwise(books: Books) -> None:
    made = ArtifactId("sub/clean")
    config = "config: {cache: false, on_error: fail}\n"
    node = books.write(main=config + MAIN).plan().nodes[made]
    assert (node.cache, node.fail_fast) == (False, True)
    node = books.write(child="config: {cache: true, on_error: skip}" + CHILD).plan().nodes[made]
    assert (node.cache, node.fail_fast) == (True, False)


# parameters


PARAMS = """
params: {size: {type: integer, default: 3}}
outputs: {result: {artifact: clean}}
artifacts:
  clean: {source: {type: python, properties: {call: 'f.py:f', args: {n: '${params.size}'}}}}
"""


def test_parameters_of_a_child(books: Books) -> None:
    main = MAIN.replace("input_mapping: {raw: data}, ", "")
    books.write(child=PARAMS, main=main)

    def size(**params: int) -> object:
        work = books.plan(params).nodes[ArtifactId("sub/clean")].work
        assert isinstance(work, Extract)
        return work.properties["args"]["n"]

    assert size() == 3
    books.write(main="params: {size: {type: integer, default: 7}}\n" + main)
    assert size() == 7
    assert size(size=9) == 9


@pytest.mark.parametrize(
    ("child", "root", "said"),
    [
        ("{type: integer}", None, "has no value"),
        ("{type: string}", "{type: integer, default: 3}", "is declared differently"),
        ("{type: string}", "{type: string, secret: true}", "is declared differently"),
        ("{type: string, secret: true}", "{type: string, default: x}", "is declared differently"),
    ],
)
def test_parameters_that_do_not_fit(books: Books, child: str, root: str | None, said: str) -> None:
    """A secret, above all, never becomes one of a child's open parameters."""
    main = MAIN.replace("input_mapping: {raw: data}, ", "")
    books.write(
        child=PARAMS.replace("{type: integer, default: 3}", child),
        main=(f"params: {{size: {root}}}\n" if root else "") + main,
    )
    problem = books.only()
    assert said in problem.message
    assert "'size' of child.yaml" in problem.message


# what is refused


@pytest.mark.parametrize(
    ("old", "new", "said", "hint", "line"),
    [
        ("{raw: data}", "{rwa: data, raw: data}", "has no input 'rwa'", "'raw'", 6),
        ("{raw: data}", "{}", "input 'raw' of child.yaml is not mapped", "raw: <an artifact", 6),
        ("{raw: data}", "{raw: dtaa}", "reads 'dtaa', which is not defined", "'data'", 6),
        ("inputs: data", "inputs: dtaa", "reads 'dtaa', which is not defined", "'data'", 5),
        ("inputs: data", "after: dtaa", "reads 'dtaa', which is not defined", "'data'", 5),
        ("output: result", "output: reslut", "has no output 'reslut'", "'result'", 6),
        ("output: result", "output_mapping: {x: y}", "has no output 'x'", "it has result", 6),
        ("output: result", "output_mapping: {result: data}", "'sub' declares 'data'", None, 6),
        ("output: result", "output_mapping: {result: end}", "'sub' declares 'end'", None, 6),
        ("child.yaml", "chlid.yaml", "no child runbook 'chlid.yaml'", "looked for it in", 6),
    ],
)
def test_one_mistake_is_one_problem(
    books: Books, old: str, new: str, said: str, hint: str | None, line: int
) -> None:
    main = MAIN.replace(old, new, 1)
    if "output_mapping" in new:
        main = main.replace("end: {inputs: sub", "end: {inputs: data")
    problem = books.write(main=main).only()
    assert said in problem.message
    assert at(problem) == f"main.yaml:{line}"
    assert hint is None or (problem.hint is not None and hint in problem.hint)


def test_an_output_of_a_child_that_is_nothing(books: Books) -> None:
    problem = books.write(child=CHILD.replace("artifact: clean", "artifact: claen")).only()
    assert "output 'result' is 'claen', which is not defined" in problem.message
    assert problem.hint is not None
    assert "'clean'" in problem.hint
    assert at(problem) == "child.yaml:5"
    assert problem.included == (f"by 'sub' at {books.folder}/main.yaml:6:5",)


def test_a_problem_names_its_artifact(books: Books) -> None:
    problem = books.write(main=MAIN, child=CHILD.replace("inputs: raw,", "inputs: row,")).only()
    assert problem.artifact == "sub/clean"
    assert "= artifact: sub/clean" in str(problem)
    main = MAIN.replace("end: {inputs: sub", "end: {inputs: sbu")
    problem = books.write(main=main, child=CHILD).only()
    assert problem.artifact == "end"
    assert "= artifact:" not in str(problem), "its message names the artifact"


def test_an_output_of_the_root_that_is_nothing(books: Books) -> None:
    problem = books.write(main=MAIN + "outputs: {x: {artifact: ned}}\n").only()
    assert "output 'x' is 'ned'" in problem.message


def test_a_mapped_input_of_another_schema(books: Books) -> None:
    files = "data: {source: {type: filesystem, properties: {path: .}}}"
    main = MAIN.replace("data: {SOURCE}", files)
    books.write(child=CHILD.replace("input_schema: json", "input_schema: table/2.0.0"), main=main)
    problem = books.only()
    assert "input 'raw' takes table/2.0.0; 'data' is file_set/1.0.0" in problem.message
    assert at(problem) == "main.yaml:6"


def test_problems_in_a_child_say_where_and_how_it_came_to_be_read(books: Books) -> None:
    books.write(
        child=CHILD.replace("inputs: raw, ", "inputs: rwa, "),
        nested=NESTED,
        main=MAIN.replace("child.yaml", "nested.yaml"),
    )
    problem = books.only()
    assert at(problem) == "child.yaml:7"
    folder = books.folder
    assert problem.included == (
        "by 'deeper' at nested.yaml:6:5",
        f"by 'sub' at {folder}/main.yaml:6:5",
    )
    shown = str(problem)
    assert "included by 'deeper' at nested.yaml:6:5" in shown
    assert shown.index("'deeper'") < shown.index("'sub'")


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "artifacts: {}", "artifcats: {}", "\x00"])
def test_a_child_that_is_no_runbook(books: Books, text: str) -> None:
    problems = books.write(child=text).problems()
    assert all(at(each).startswith("child.yaml:") and each.included for each in problems)


def test_a_child_cannot_take_its_parents_artifacts(books: Books) -> None:
    problem = books.write(child=CHILD.replace("inputs: raw, ", "inputs: [raw, data], ")).only()
    assert "reads 'data', which is not defined" in problem.message


def test_a_parent_cannot_take_what_a_child_does_not_offer(books: Books) -> None:
    problem = books.write(main=MAIN.replace("inputs: sub", "inputs: sub/clean")).only()
    assert "reads 'sub/clean', which is not defined" in problem.message


def test_two_directives_that_give_one_name(books: Books) -> None:
    directive = (
        "child_runbook: {path: child.yaml, input_mapping: {raw: data}, output_mapping: {result: x}}"
    )
    books.write(
        main=f"""
        artifacts:
          data: {{SOURCE}}
          a: {{{directive}}}
          b: {{{directive}}}
          e: {{for_each: [1, 2], {directive}}}
        """
    )
    messages = {each.message for each in books.problems()}
    assert messages == {f"'{each}' declares 'x', which exists already" for each in "be"}


def test_a_name_that_hides_an_item_of_a_for_each(books: Books) -> None:
    books.write(
        main="""
        artifacts:
          data: {SOURCE}
          scan: {for_each: [users], SOURCE}
          sub:
            child_runbook:
              {path: child.yaml, input_mapping: {raw: data}, output_mapping: {result: scan/users}}
          end: {inputs: scan/users, PROCESS}
        """
    )
    assert "'sub' declares 'scan/users', which exists already" in books.only().message


def test_a_child_that_is_given_what_it_gives(books: Books) -> None:
    """Directly, by name only, and through what it makes of it."""
    through = MAIN.replace("raw: data", "raw: sub").replace("inputs: data\n    ", "")
    assert "in a circle: sub/clean" in books.write(main=through).only().message
    books.write(child=CHILD.replace("artifact: clean", "artifact: raw"))
    assert "'sub' has its own output" in books.only().message


def test_two_children_that_need_each_other(books: Books) -> None:
    books.write(
        main="""
        artifacts:
          a: {child_runbook: {path: child.yaml, input_mapping: {raw: b}, output: result}}
          b: {child_runbook: {path: child.yaml, input_mapping: {raw: a}, output: result}}
        """
    )
    assert "in a circle" in books.only().message


# circles and depth


def _including(*paths: str) -> str:
    entries = "".join(
        f"  s{n}: {{child_runbook: {{path: {path}, output: result}}}}\n"
        for n, path in enumerate(paths)
    )
    return "outputs: {result: {artifact: s0}}\nartifacts:\n" + entries


def test_runbooks_that_include_each_other(books: Books) -> None:
    books.write(main=_including("a.yaml"), a=_including("b.yaml"), b=_including("a.yaml"))
    problem = books.only()
    assert problem.message == "runbooks include each other in a circle: a.yaml → b.yaml → a.yaml"
    assert at(problem) == "b.yaml:3"
    assert len(problem.included) == 2
    books.write(main=_including("./main.yaml"))
    assert "in a circle: main.yaml → main.yaml" in books.only().message


def _chain(books: Books, depth: int, width: int, leaf: str) -> None:
    for n in range(1, depth):
        books.write(**{f"c{n}": _including(*[f"c{n + 1}.yaml"] * width)})
    books.write(**{f"c{depth}": leaf})


LEAF = "outputs: {result: {artifact: x}}\nartifacts: {x: {SOURCE}}\n"


def test_how_deep_children_may_be(books: Books) -> None:
    _chain(books, 4, 1, LEAF)
    books.write(main=_including("c2.yaml"))
    assert ids(books.plan()) == {"s0/s0/s0/x"}
    books.write(main=_including("c1.yaml"))
    problem = books.only()
    assert "deeper than 3" in problem.message
    assert problem.hint is not None
    assert "max_child_depth" in problem.hint
    books.write(main="config: {max_child_depth: 4}\n" + _including("c1.yaml"))
    assert ids(books.plan()) == {"s0/s0/s0/s0/x"}


@pytest.mark.parametrize("leaf", [LEAF, "artifacts: {x: {SOURCE, optional: 1}}", None, LEAF * 2])
def test_children_that_explode_are_stopped_in_time(books: Books, leaf: str | None) -> None:
    """Each of 32 levels includes the next ten times: not even their number could be counted to."""
    _chain(books, 32, 10, leaf or LEAF)
    if leaf is None:
        (books.folder / "c32.yaml").unlink()
    books.write(main="config: {max_child_depth: 32}\n" + _including("c1.yaml"))
    began = time.process_time()
    assert books.problems()
    assert time.process_time() - began < 15


# what lies on the disk

TEMPLATE_KEYS = ["template_paths:1/x", "./template_paths:1/x"]


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "../x", "a/../../x", "a/../child.yaml", "..", ".", *TEMPLATE_KEYS],
)
def test_paths_that_are_no_childs(books: Books, path: str) -> None:
    (books.folder.parent / "x.yaml").write_text("artifacts: {}")
    problem = books.write(main=MAIN.replace("child.yaml", path)).only()
    assert "is not the path of a child runbook" in problem.message
    assert at(problem) == "main.yaml:6"


@pytest.mark.parametrize(
    "name", ["a" * 300 + ".yaml", "x/" * 3000 + "y", "child.yaml/x", "é\u202e"]
)
def test_names_that_are_not_there(books: Books, name: str) -> None:
    problem = books.write(main=MAIN.replace("child.yaml", name)).problems()[0]
    assert problem.code.startswith("WCT")


def test_a_link_out_of_the_tree(books: Books, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "c.yaml").write_text("secret: text of another file\n")
    (books.folder / "child.yaml").unlink()
    (books.folder / "child.yaml").symlink_to(outside / "c.yaml")
    problem = books.only()
    assert "leads out" in problem.message
    assert "secret" not in str(problem)
    (books.folder / "child.yaml").unlink()
    (books.folder / "parts").symlink_to(outside)
    problem = books.write(main=MAIN.replace("child.yaml", "parts/c.yaml")).only()
    assert "leads out" in problem.message


def test_a_link_within_the_tree(books: Books) -> None:
    (books.folder / "real").mkdir()
    (books.folder / "child.yaml").rename(books.folder / "real/c.yaml")
    (books.folder / "child.yaml").symlink_to("real/c.yaml")
    assert list(books.plan().children) == ["child.yaml"]


@pytest.mark.parametrize("kind", ["fifo", "folder", "device", "dangling", "loop"])
def test_what_is_no_file(books: Books, kind: str) -> None:
    place = books.folder / "child.yaml"
    place.unlink()
    match kind:
        case "fifo":
            os.mkfifo(place)
        case "folder":
            place.mkdir()
        case "device":
            place.symlink_to("/dev/zero")
        case "dangling":
            place.symlink_to("nothing.yaml")
        case "loop":
            place.symlink_to("child.yaml")
    problem = books.only()
    assert problem.position is not None or problem.included


def test_a_huge_file_is_not_read(books: Books) -> None:
    with (books.folder / "child.yaml").open("wb") as file:
        file.truncate(2**30)
    assert "larger than" in books.only().message


def test_a_bomb_in_a_child(books: Books) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    problems = books.write(child="\n".join(lines)).problems()
    assert all(at(each).startswith("child.yaml:") for each in problems)


def test_many_mistakes_are_told_in_time(books: Books) -> None:
    lines = [f"  a{n}: {{inputs: nope{n}, PROCESS}}" for n in range(5000)]
    lines += [f"  b{n}: {{inputs: x/nope{n}, PROCESS}}" for n in range(5000)]
    began = time.process_time()
    books.write(main="artifacts:\n" + "\n".join(lines))
    assert len(books.problems()) == 1000
    assert time.process_time() - began < 20


POOLED = (
    "outputs: {r: {artifact: a}}\nconfig: {pools: {db: %s}}\nartifacts: {a: {SOURCE, pool: db}}"
)


@pytest.mark.parametrize(
    ("x", "y", "own", "expected"),
    [(8, 1, "", 1), (1, 8, "", 1), (8, 1, "config: {pools: {db: 4}}", 4)],
)
def test_of_pools_of_one_name_the_smallest_counts(
    books: Books, x: int, y: int, own: str, expected: int
) -> None:
    """Unless the runbook that is run says how many."""
    books.write(x=POOLED % x, y=POOLED % y)
    books.write(
        main=f"""
        {own}
        artifacts:
          a: {{child_runbook: {{path: x.yaml, output: r}}}}
          b: {{child_runbook: {{path: y.yaml, output: r}}}}
        """
    )
    assert books.plan().pools == {"db": expected}


def test_a_secret_that_only_a_child_declares_has_no_value(books: Books) -> None:
    secret = "params: {token: {type: string, secret: true}}"
    child = PARAMS.replace("params: {size: {type: integer, default: 3}}", secret)
    books.write(child=child.replace("size}", "token}"))
    problem = books.write(main=MAIN.replace("input_mapping: {raw: data}, ", "")).only()
    assert "parameter 'token' of child.yaml is a secret" in problem.message
