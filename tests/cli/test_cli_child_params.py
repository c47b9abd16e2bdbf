"""Parameters of children through `wct`: secrets, resume, and what a changed value touches."""

from __future__ import annotations

import json

from wct_process import Place, Wct

CHILD = """
params:
  region: {type: string}
  token: {type: string, secret: true}
outputs: {r: {artifact: fetched}}
artifacts:
  fetched:
    source: {type: command, properties: {argv: [sh, show.sh, "${params.region}"]}}
    cache: false
  called:
    source:
      type: python
      properties: {call: "show.py:show", args: {token: "Bearer ${params.token}"}}
"""
MAIN = """
  c:
    for_each: ${params.regions}
    child_runbook:
      path: sub/child.yaml
      output: r
      params: {region: "${each}", token: "${params.key}"}
"""
HEAD = """
params:
  regions: {type: list, default: [eu, uk]}
  key: {type: string, secret: true}
"""


def _project(place: Place) -> str:
    (place.path / "sub").mkdir()
    (place.path / "sub" / "child.yaml").write_text(CHILD)
    (place.path / "sub" / "show.sh").write_text('echo "{\\"region\\": \\"$1\\"}"\n')
    (place.path / "sub" / "show.py").write_text(
        "def show(token):\n    return {'length': len(token)}\n"
    )
    (place.path / "p.json").write_text(json.dumps({"key": "canary-4711"}))
    return place.runbook("book.yaml", MAIN, HEAD)


def _content(place: Place, artifact: str) -> object:
    [run] = (place.path / ".waivern" / "runs").iterdir()
    return json.loads((run / f"{artifact}.json").read_text())["content"]


def test_items_and_secrets_reach_into_a_child(place: Place, wct: Wct) -> None:
    book = _project(place)
    done = wct("run", book, "-q", "--params", "p.json")
    assert (done.code, done.err) == (0, "")
    assert _content(place, "c/uk/fetched") == {"region": "uk"}
    assert _content(place, "c/eu/called") == {"length": len("Bearer canary-4711")}
    files = [path for path in (place.path / ".waivern").rglob("*") if path.is_file()]
    assert not [path for path in files if b"canary-4711" in path.read_bytes()]


def test_a_changed_value_is_a_changed_runbook(place: Place, wct: Wct) -> None:
    book = _project(place)
    assert wct("run", book, "-q", "--params", "p.json", "--run-id", "r").code == 0
    text = (place.path / book).read_text()
    (place.path / book).write_text(text.replace('region: "${each}"', 'region: "x-${each}"'))
    refused = wct("run", book, "--resume", "r", "--params", "p.json")
    assert refused.code == 5
    assert "c/eu/fetched" in refused.err
    assert "c/eu/called" not in refused.err
    again = ("run", book, "-q", "--resume", "r", "--params", "p.json", "--allow-changed")
    assert wct(*again).code == 0
    assert _content(place, "c/eu/fetched") == {"region": "x-eu"}


def test_a_resume_with_other_values_is_refused(place: Place, wct: Wct) -> None:
    book = _project(place)
    assert wct("run", book, "-q", "--params", "p.json", "--run-id", "r").code == 0
    other = ("run", book, "--resume", "r", "--params", "p.json", "-p", 'regions=["fr"]')
    refused = wct(*other)
    assert refused.code == 5
    assert "regions" in refused.err


def test_validate_without_values_checks_what_does_not_hang_on_them(place: Place, wct: Wct) -> None:
    book = _project(place)
    text = (place.path / book).read_text()
    (place.path / book).write_text(text.replace("token:", "tokn:"))
    done = wct("validate", book)
    assert done.code == 3
    assert "sub/child.yaml has no parameter 'tokn'" in done.err
    assert "did you mean 'token'?" in done.err
