"""What an edit changes: of the runbook, of a child, of a parameter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from waivern.errors import NotFoundError
from waivern.ids import ArtifactId
from waivern.language.loader import draft
from waivern.language.producer_specs import ReuseSpec
from waivern.message import Json
from waivern.planning.changes import changes
from waivern.planning.child_runbooks import ChildFile
from waivern.planning.plan import Copy, Node
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.plugins.catalogue import Catalogue
from waivern.yamldoc.document import YamlDocument

Nodes = Mapping[ArtifactId, Node]
COMPONENT = """
from pydantic import BaseModel, ConfigDict
from waivern.message import SchemaRef

class Config(BaseModel):
    model_config = ConfigDict(extra="allow")

class connector:
    name, version, produces, Config = "NAME", "1", SchemaRef("s"), Config

    def extract(self, config, ctx):
        raise AssertionError("nothing is run here")
"""


CATALOGUES: list[Catalogue] = []
"""One, once there are tests to run."""


@pytest.fixture(scope="module", autouse=True)
def _components(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("parts")
    for name in ("t", "u"):
        (folder / f"{name}.py").write_text(COMPONENT.replace("NAME", name))
    CATALOGUES.append(Catalogue([folder], within=folder))


class Outside:
    """What lies outside a runbook: other runs, and one child."""

    def __init__(self, child: str = "") -> None:
        self._child = child

    def reuse(self, _artifact: ArtifactId, source: ReuseSpec) -> Copy:
        asked = (source.from_run, source.artifact)
        return Copy("run", source.artifact, 1, "sha256:1", "sha256:2", "s/1.0.0", asked)

    def child(self, path: str, _parent: str, _templates: tuple[str, ...]) -> ChildFile:
        if not self._child:
            raise NotFoundError("no child")
        return ChildFile(path, Path("/"), self._child.encode())


def book(
    *artifacts: str, head: str = "", child: str = "", params: Mapping[str, Json] | None = None
) -> Nodes:
    text = head + "artifacts:\n" + "".join(f"  {artifact}\n" for artifact in artifacts)
    document = YamlDocument(None, Path("/"), text.encode())
    environ = {"V": "1", "W": "2"}
    given = draft(document, "book", environ, lambda _declared: params or {})
    return plan_at_once(
        given, LocalResolver(Outside(child)), environ, catalogue=CATALOGUES[-1]
    ).nodes


SOURCE = "a: {source: {type: t, properties: {p: 1, q: {r: [1, 2]}}}}"
OTHER = "z: {source: {type: t}}"


def said(old: Nodes, new: Nodes) -> list[str]:
    return [str(change) for change in changes(old, new)]


def test_the_same_is_no_change() -> None:
    assert said(book(SOURCE), book(SOURCE)) == []


@pytest.mark.parametrize(
    "new",
    [
        "a: {description: why, name: N, contact: me, source: {type: t, properties: {p: 1, q: {r: "
        "[1, 2]}}}}",
        "a: {source: {properties: {p: 1, q: {r: [1, 2]}}, type: t}}",
        "a: {source: {type: t, properties: {p: 1, q: {r: [1, 2]}}}, output: true}",
        "a: {source: {type: t, properties: {p: 1, q: {r: [1, 2]}}}, optional: true}",
    ],
    ids=["texts", "order of keys", "output", "optional"],
)
def test_what_makes_no_other_artifact(new: str) -> None:
    assert said(book(SOURCE), book(new)) == []


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("{q: {a: 1, b: 2}}", "{q: {b: 2, a: 1}}", "source.properties.q in another order"),
        ("{q: [{a: 1, b: 2}]}", "{q: [{b: 2, a: 1}]}", "source.properties.q"),
        ("{q: 1}", "{q: 1.0}", "source.properties.q 1 → 1.0"),
        ("{q: [1]}", "{q: [true]}", "source.properties.q [1] → [True]"),
        ("{q: 0.0}", "{q: -0.0}", "source.properties.q 0.0 → -0.0"),
    ],
)
def test_what_a_component_can_tell_apart_is_a_change(old: str, new: str, what: str) -> None:
    (found,) = said(
        book(f"a: {{source: {{type: t, properties: {old}}}}}"),
        book(f"a: {{source: {{type: t, properties: {new}}}}}"),
    )
    assert what in found


def test_what_the_runbook_says_of_itself_is_no_change() -> None:
    assert said(book(SOURCE), book(SOURCE, head="name: N\nversion: '2'\n# comment\n")) == []


def test_the_order_of_artifacts_is_no_change() -> None:
    assert said(book(SOURCE, OTHER), book(OTHER, SOURCE)) == []


@pytest.mark.parametrize(
    ("new", "what"),
    [
        ("a: {source: {type: u, properties: {p: 1, q: {r: [1, 2]}}}}", "source.type 't' → 'u'"),
        (
            "a: {source: {type: t, properties: {p: 2, q: {r: [1, 2]}}}}",
            "source.properties.p 1 → 2",
        ),
        (
            "a: {source: {type: t, properties: {p: '1', q: {r: [1, 2]}}}}",
            "source.properties.p 1 → '1'",
        ),
        (
            "a: {source: {type: t, properties: {p: 1.0, q: {r: [1, 2]}}}}",
            "source.properties.p 1 → 1.0",
        ),
        (
            "a: {source: {type: t, properties: {p: true, q: {r: [1, 2]}}}}",
            "source.properties.p 1 → True",
        ),
        (
            "a: {source: {type: t, properties: {q: {r: [1, 2]}}}}",
            "source.properties.p 1 → (none)",
        ),
        (
            "a: {source: {type: t, properties: {p: 1, q: {r: [2, 1]}}}}",
            "source.properties.q.r [1, 2] → [2, 1]",
        ),
    ],
)
def test_one_change(new: str, what: str) -> None:
    assert said(book(SOURCE), book(new)) == [f"a: {what}"]


def test_added_and_removed() -> None:
    assert said(book(SOURCE), book(OTHER)) == ["z: added", "a: removed"]
    assert said(book(SOURCE), book(SOURCE, OTHER)) == ["z: added"]


def test_another_kind_of_artifact() -> None:
    found = said(book(SOURCE), book("a: {reuse: {from_run: r, artifact: x}}"))
    assert len(found) == 2
    assert found[0].startswith("a: source {'type': 't', ")
    assert found[1] == "a: reuse (none) → {'from_run': 'r', 'artifact': 'x'}"
    assert all(len(line) < 160 for line in found)


def test_a_variable_is_compared_as_written() -> None:
    text = "a: {{source: {{type: t, properties: {{p: '${{{}}}'}}}}}}"
    assert said(book(text.format("V")), book(text.format("V"))) == []
    assert said(book(text.format("V")), book(text.format("W"))) == [
        "a: source.properties.p '${V}' → '${W}'"
    ]


def test_the_order_of_inputs_is_a_change() -> None:
    old, new = (book(SOURCE, OTHER, f"m: {{inputs: [{i}]}}") for i in ("a, z", "z, a"))
    assert said(old, new) == ["m: inputs ['a', 'z'] → ['z', 'a']"]


def test_a_long_value_is_cut() -> None:
    long = "a: {{source: {{type: t, properties: {{p: '{}'}}}}}}"
    (line,) = said(book(long.format("x" * 999)), book(long.format("y" * 999)))
    assert len(line) < 200


# what a runbook can say besides


WHEN = 'b: {{inputs: [a], process: {{type: merge}}, when: "{}"}}'


def test_another_condition() -> None:
    old, new = WHEN.format("inputs.a.x > 1"), WHEN.format("inputs.a.x > 2")
    (line,) = said(book(SOURCE, old), book(SOURCE, new))
    assert line.startswith("b: when [{'condition': 'inputs.a.x > 1'")
    assert said(book(SOURCE, old), book(SOURCE, old)) == []


def test_a_parameter_that_a_condition_asks_for_and_one_that_it_does_not() -> None:
    head = "params: {x: {type: integer, default: 1}, y: {type: integer, default: 1}}\n"
    artifacts = (SOURCE, WHEN.format("params.x == 1"))
    old = book(*artifacts, head=head, params={"x": 1, "y": 1})
    assert said(old, book(*artifacts, head=head, params={"x": 1, "y": 2})) == []
    assert len(said(old, book(*artifacts, head=head, params={"x": 2, "y": 1}))) == 1


def test_a_parameter_in_a_property() -> None:
    head = "params: {x: {type: integer, default: 1}}\n"
    text = "a: {source: {type: t, properties: {p: '${params.x}'}}}"
    old, new = (book(text, head=head, params={"x": x}) for x in (1, 2))
    assert said(old, new) == ["a: source.properties.p 1 → 2"]


def test_a_gate() -> None:
    text = "g: {{gate: {{question: '{}', show: [a], approvers: {}}}}}"
    old = book(SOURCE, text.format("Well?", 1))
    assert said(old, book(SOURCE, text.format("Well?", 2))) == ["g: gate.approvers 1 → 2"]
    assert said(old, book(SOURCE, text.format("Fine?", 1))) == [
        "g: gate.question 'Well?' → 'Fine?'"
    ]


def test_within_a_child() -> None:
    text = "d: {child_runbook: {path: c.yaml, output: out}}"
    child = (
        "outputs: {{out: {{artifact: x}}}}\n"
        "artifacts:\n  x: {{source: {{type: t, properties: {{p: {}}}}}}}\n"
    )
    old, new = (book(text, child=child.format(p)) for p in (1, 2))
    assert said(old, new) == ["d/x: source.properties.p 1 → 2"]


def test_rounds() -> None:
    text = "b: {{inputs: [a], process: {{type: merge}}, repeat: {{until: '{}', max: {}}}}}"
    old = book(SOURCE, text.format("result.x > 1", 2))
    assert said(old, old) == []
    more = said(old, book(SOURCE, text.format("result.x > 1", 3)))
    assert more[0] == "b/round-3: added"
    until = said(old, book(SOURCE, text.format("result.x > 2", 2)))
    assert any(line.startswith("b: repeat.until 'result.x > 1' → ") for line in until)


@pytest.mark.parametrize("more", ["retry: {max: 3}", "timeout: 5", "cache: false", "after: [z]"])
def test_how_it_is_made_is_no_change(more: str) -> None:
    one = "a: {source: {type: t}, %s}"
    assert said(book(OTHER, one % "optional: true"), book(OTHER, one % more)) == []
