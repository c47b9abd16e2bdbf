"""The tests of a call: the conditions that decide, with known inputs, whether it is carried out."""

from __future__ import annotations

from collections.abc import Callable

from waivern.engine.calls import Call
from waivern.ids import ArtifactId
from waivern.message import Json
from waivern.store.store_values import ArtifactRef


def named_inputs(call: Call) -> list[tuple[str, ArtifactRef]]:
    """Return the inputs that there are, each with the name that its reader uses."""
    called = dict(zip(call.node.inputs, call.node.called, strict=True))
    return [(called[ArtifactId(ref.key)], ref) for ref in call.inputs]


def left_out(
    call: Call, content: Callable[[ArtifactRef], Json], redact: Callable[[str], str]
) -> str | None:
    """Return why the artifact is left out, if its tests say so.

    `content` returns the content of an artifact; it is called for those that a test asks for.
    """
    contents = dict(named_inputs(call))
    for test in call.node.tests:
        scope = {
            **test.scope,
            "inputs": {
                name: content(contents[name])
                for root, name in test.condition.references
                if root == "inputs" and name in contents
            },
            "status": {name: call.statuses[id_] for name, id_ in test.statuses.items()},
        }
        if test.result is not None:
            scope["result"] = content(call.results[test.result])
        if test.condition.evaluate(scope) != test.holds:
            word = "does not hold" if test.holds else "holds"
            return f"{test.condition.text} {word} ({test.condition.explain(scope, redact)})"
    return None
