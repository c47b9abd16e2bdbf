"""Texts for people in a runbook, where people look; and its JSON Schema."""

from __future__ import annotations

import json

from wct_process import Place, Wct

VALUE = "source: {type: python, properties: {call: 'steps.py:value'}}"
HEAD = "name: Review\ncontact: dpo@example.org\nframework: GDPR\ndescription: 'All of ${IT}'"
BOOK = f"""
  a: {{{VALUE}, contact: it@example.org}}
  i: {{{VALUE}, for_each: [a, b], description: one of two}}
  c: {{child_runbook: {{path: c.yaml, output: f}}, for_each: [a], description: outside}}
"""
CHILD = f"  f: {{{VALUE}, description: inside}}\n  a: {{{VALUE}, description: not this}}\n"


def test_texts_for_people_are_shown(place: Place, wct: Wct) -> None:
    place.runbook("c.yaml", CHILD, "outputs: {f: {artifact: f}}")
    place.runbook("x.yaml", BOOK, HEAD)
    shown = {"name": "Review", "contact": "dpo@example.org", "framework": "GDPR"}
    shown["description"] = "All of ${IT}"
    assert wct("run", "x.yaml", "-q").code == 0
    assert wct("inspect", "@last", "--json").data("inspect")["texts"] == shown
    texts = {
        name: wct("inspect", f"@last/{name}", "--json").data("inspect")["texts"]
        for name in ("a", "i/b", "c/a/f")
    }
    assert texts == {
        "a": {"contact": "it@example.org"},
        "i/b": {"description": "one of two"},
        "c/a/f": {"description": "inside"},
    }
    assert ["contact", "it@example.org"] in wct("inspect", "@last/a").rows
    assert "dpo@example.org" in place.on_a_terminal("inspect", "@last").out
    (document,) = wct("validate", "x.yaml", "--json").data("validate")
    assert document["texts"]["framework"] == "GDPR"
    assert "contact: dpo@example.org" in place.on_a_terminal("validate", "x.yaml").out


def test_the_schema_of_runbooks_is_printed(place: Place, wct: Wct) -> None:
    done = wct("schema")
    assert done.code == 0
    schema = json.loads(done.out)
    assert schema["required"] == ["artifacts"]
    spec = schema["properties"]["artifacts"]["additionalProperties"]
    if "$ref" in spec:  # older releases of pydantic refer to each model
        spec = schema["$defs"][spec["$ref"].rpartition("/")[2]]
    artifact = spec["properties"]
    assert artifact["contact"]["description"] == "who is responsible"
    assert artifact["timeout"]["anyOf"][0] == {"type": "number"}
    optional = artifact["optional"]["anyOf"]
    assert {"type": "boolean"} in [{"type": each["type"]} for each in optional]
    assert any("params" in each.get("pattern", "") for each in optional)
