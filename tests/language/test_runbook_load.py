"""Runbooks that are right."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from runbook_text import FOLDER, runbook

from waivern.diagnostics import InvalidError
from waivern.errors import Exit, NotFoundError
from waivern.ids import ArtifactId
from waivern.language.artifact_spec import ArtifactSpec
from waivern.language.loader import load, parse
from waivern.language.models import Runbook, RunbookConfig
from waivern.language.producer_specs import GateSpec, ProcessSpec, ReuseSpec, SourceSpec
from waivern.message import SchemaRef

MERGED = ProcessSpec(type="merge")
ISSUE = """\
artifacts:
  db_schema:
    reuse:
      from_run: "550e8400-e29b-41d4-a716-446655440000"
      artifact: "db_schema"

  findings:
    inputs: db_schema
    process:
      type: personal_data
    output: true
"""


def artifact(text: str, environ: dict[str, str] | None = None) -> ArtifactSpec:
    """Return the artifact 'a' that `text` is the flow mapping of."""
    return runbook(f"artifacts: {{a: {text}}}", environ).artifacts[ArtifactId("a")]


def test_a_runbook_of_reuse_and_process_loads() -> None:
    found = runbook(ISSUE)
    assert list(found.artifacts.values()) == [
        ArtifactSpec(
            id=ArtifactId("db_schema"),
            reuse=ReuseSpec(from_run="550e8400-e29b-41d4-a716-446655440000", artifact="db_schema"),
        ),
        ArtifactSpec(
            id=ArtifactId("findings"),
            inputs=(ArtifactId("db_schema"),),
            process=ProcessSpec(type="personal_data"),
            output=True,
        ),
    ]
    assert (found.name, found.version, found.config) == ("x", "1.0", RunbookConfig())
    assert found.description is found.contact is found.framework is None


def test_everything_that_can_be_said() -> None:
    found = runbook("""\
%YAML 1.2
---
name: Yearly review
version: 2.10
description: |
  Looks at ${EVERYTHING}.
contact: dpo@example.org
framework: GDPR
config: {timeout: 5m, max_concurrency: 4}
artifacts:
  files:
    name: The files
    description: All of them
    contact: it@example.org
    source: {type: filesystem, properties: {path: data, nested: {deep: [1, 2.5, null, true]}}}
    output_schema: files/2.0.1
    optional: true
    output: false
  both: {inputs: [files, files2], merge: concatenate, output_schema: standard_input}
  files2: {source: {type: sqlite, properties: }}
""")
    assert (found.name, found.version, found.framework) == ("Yearly review", "2.10", "GDPR")
    assert (found.description, found.contact) == ("Looks at ${EVERYTHING}.\n", "dpo@example.org")
    assert found.config == RunbookConfig(timeout=300.0, max_concurrency=4)
    assert list(found.artifacts) == ["files", "both", "files2"]
    files, both, files2 = found.artifacts.values()
    assert files == ArtifactSpec(
        id=ArtifactId("files"),
        source=SourceSpec(
            type="filesystem",
            properties={"path": "data", "nested": {"deep": [1, 2.5, None, True]}},
        ),
        optional=True,
        output_schema=SchemaRef("files", "2.0.1"),
        name="The files",
        description="All of them",
        contact="it@example.org",
    )
    assert (both.producer, both.inputs) == (MERGED, ("files", "files2"))
    assert both.output_schema == SchemaRef("standard_input", "1.0.0")
    assert files2.producer == SourceSpec(type="sqlite")


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90.0), ("0.5", 0.5), ("90s", 90.0), ("'5m'", 300.0), ("2h", 7200.0), ("1.5 h", 5400.0)],
)
def test_a_timeout_is_seconds(written: str, seconds: float) -> None:
    config = runbook(f"config: {{timeout: {written}}}\n{ISSUE}").config
    assert config.timeout == seconds
    assert type(config.timeout) is float


def test_empty_config_is_no_config() -> None:
    assert runbook("config:\n" + ISSUE).config == RunbookConfig()


@pytest.mark.parametrize(
    ("written", "version"), [("1.0", "1.0"), ("1.10", "1.10"), ("2", "2"), ("'3.0-rc1'", "3.0-rc1")]
)
def test_a_version_is_the_text_as_written(written: str, version: str) -> None:
    assert runbook(f"version: {written}\n{ISSUE}").version == version


def test_inputs_without_process_are_merged() -> None:
    found = artifact("{inputs: b}")
    assert (found.producer, found.inputs) == (MERGED, ("b",))


def test_properties_keep_their_variables_and_choices_are_expanded() -> None:
    environ = {"T": "filesystem", "SECRET": "hunter2", "S": "files/1.2.3"}
    found = artifact(
        "{source: {type: '${T}', properties: {p: ['${SECRET}']}}, output_schema: '${S}'}", environ
    )
    assert found.producer == SourceSpec(type="filesystem", properties={"p": ["${SECRET}"]})
    assert found.output_schema == SchemaRef("files", "1.2.3")
    process = artifact("{inputs: ['${T}', b], process: {type: 'p${S2:-}q'}}", environ)
    assert (process.process, process.inputs) == (ProcessSpec(type="pq"), ("filesystem", "b"))


def test_a_schema_may_stand_beside_reuse() -> None:
    found = artifact("{reuse: {from_run: '@last', artifact: child/b}, output_schema: s}")
    assert found.reuse == ReuseSpec(from_run="@last", artifact="child/b")
    assert found.output_schema == SchemaRef("s")


def test_an_alias_stands_for_its_anchor() -> None:
    found = runbook("""\
artifacts:
  a: &a {source: {type: t, properties: {x: &x [1]}}}
  b: *a
  c: {source: {type: t, properties: {y: *x}}}
""")
    a, b, c = found.artifacts.values()
    assert a.producer == b.producer
    assert c.producer == SourceSpec(type="t", properties={"y": [1]})


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_the_document_keeps_the_exact_bytes(start: bytes) -> None:
    data = start + ISSUE.encode().replace(b"\n", b"\r\n")
    document = runbook(data).document
    assert (document.path, document.folder, document.data) == ("x.yaml", FOLDER, data)
    assert document.digest == "sha256:" + hashlib.sha256(data).hexdigest()


def test_a_runbook_can_be_sent_to_another_process() -> None:
    found = runbook(ISSUE)
    assert pickle.loads(pickle.dumps(found)) == found


def test_load_names_a_runbook_after_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "yearly.review.yaml").write_text(ISSUE)
    monkeypatch.chdir(tmp_path)
    found = load("sub/yearly.review.yaml", {})
    assert found.name == "yearly.review"
    assert found.document.path == "sub/yearly.review.yaml"
    assert found.document.folder == tmp_path / "sub"
    assert found == load("sub/yearly.review.yaml", os.environ)


def test_kept_bytes_are_parsed_without_a_file() -> None:
    found = parse(ISSUE.encode(), path=None, folder=FOLDER, environ={}, name="child")
    assert (found.name, found.document.path) == ("child", None)
    assert parse(ISSUE.encode(), path=None, folder=FOLDER, environ={}).name == "runbook"


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        load(tmp_path / "none.yaml", {})
    assert "none.yaml" in caught.value.message
    assert caught.value.exit_code is Exit.NOT_FOUND
    assert caught.value.hint


def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    fifo, unix, loop = tmp_path / "fifo", tmp_path / "socket", tmp_path / "loop"
    os.mkfifo(fifo)
    loop.symlink_to(loop)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(unix))
        for path in (
            tmp_path,
            fifo,
            unix,
            loop,
            Path("/dev/null"),
            Path("/dev/zero"),
            Path("a\0b"),
        ):
            with pytest.raises(InvalidError) as caught:
                load(path, {})
            [problem] = caught.value.problems
            assert (problem.code, problem.position) == ("WCT100", None), path
            assert problem.message.startswith("cannot read")


def test_a_file_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").write_text(ISSUE)
    with pytest.raises(InvalidError, match="Not a directory"):
        load(tmp_path / "x" / "y.yaml", {})


def test_the_room_is_cheap_to_enter() -> None:
    code = "import sys, json, waivern.language; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.check_output([sys.executable, "-c", code]))
    assert "waivern.language" in loaded
    assert not {"yaml", "pydantic", "waivern.language.loader"} & set(loaded)


def test_a_boolean_parameter_may_stand_for_a_condition() -> None:
    book = runbook("""
params: {deep: {type: boolean, default: true}, no-rush: {type: boolean, default: false}}
artifacts:
  a: {inputs: b, when: "${params.deep}"}
  c: {inputs: b, process: {type: t}, repeat: {until: "${params.no-rush}", max: 2}}
  d: {inputs: b, when: false}
  e: {inputs: b, for_each: [1], when: each == 1}
""")
    a, c, d, e = (book.artifacts[ArtifactId(name)] for name in "acde")
    assert a.when
    assert c.repeat
    assert d.when
    assert e.when
    assert a.when.references == {("params", "deep")}
    assert c.repeat.until.references == {("params", "no-rush")}
    assert c.repeat.until.evaluate({"params": {"no-rush": True}}) is True
    assert d.when.evaluate({}) is False
    assert e.when.evaluate({"each": 1}) is True


def test_a_question_is_what_people_read() -> None:
    book = runbook("""
params: {who: {type: string, default: "a${b"}}
artifacts: {g: {gate: {show: x, question: "Ok for ${params.who}, $${HOME} and 5 $?"}}}
""")
    gate = book.artifacts[ArtifactId("g")].producer
    assert isinstance(gate, GateSpec)
    assert gate.question == "Ok for a${b, ${HOME} and 5 $?"


def test_texts_for_people_are_not_looked_through() -> None:
    book = runbook("""
description: costs ${5
outputs: {o: {artifact: a, description: "costs ${5 or ${params.p}"}}
params: {p: {type: string, default: x}}
artifacts: {a: {inputs: b, description: "${7"}}
""")
    assert book.outputs["o"].description == "costs ${5 or ${params.p}"
    assert book.artifacts[ArtifactId("a")].description == "${7"


def test_the_models_give_a_json_schema() -> None:
    schema = Runbook.model_json_schema()
    assert schema["required"] == ["artifacts"]
    artifact = schema["properties"]["artifacts"]["additionalProperties"]
    if "$ref" in artifact:  # older releases of pydantic refer to each model
        artifact = schema["$defs"][artifact["$ref"].rpartition("/")[2]]
    assert artifact["additionalProperties"] is False
    assert "id" not in artifact["properties"]
    assert {"type": "string"} in artifact["properties"]["inputs"]["anyOf"]
    assert artifact["properties"]["gate"]["description"] == "decided by people"
