"""The files of a new package with one component, and with tests that pass."""

from __future__ import annotations

from typing import NamedTuple


class NewPackage(NamedTuple):
    """A package to be written: its files by path, and the command that installs it."""

    files: dict[str, str]
    install: str


def package(kind: str, name: str) -> NewPackage:
    """Return the package of a component; `kind` is connector, processor or exporter."""
    module = f"waivern_{name}"
    words = {
        "NAME": name,
        "MODULE": module,
        "PACKAGE": module.replace("_", "-"),
        "CLASS": "".join(part.capitalize() for part in name.split("_")),
        "KIND": kind,
    }
    files = {
        "pyproject.toml": _PROJECT,
        "README.md": _READMES[kind],
        f"{module}.py": _MODULES[kind],
        f"tests/test_{module}.py": _TESTS[kind],
    }
    filled = {path: _filled(text, words) for path, text in files.items()}
    return NewPackage(filled, "python3 -m pip install -e '.[test]' && python3 -m pytest")


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text


_PROJECT = """\
[build-system]
requires = ["flit_core>=3.9"]
build-backend = "flit_core.buildapi"

[project]
name = "@PACKAGE@"
version = "0.1.0"
description = "The @KIND@ @NAME@ for Waivern runs"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["waivern"]

[project.optional-dependencies]
test = ["pytest>=8"]

[tool.flit.module]
name = "@MODULE@"

[project.entry-points."waivern.@KIND@s"]
@NAME@ = "@MODULE@:@CLASS@"

[tool.pytest.ini_options]
testpaths = ["tests"]
"""

_USE = """\

Install it beside `wct`, and see it listed:

    python3 -m pip install -e '.[test]'
    wct @KIND@s @NAME@

Run its tests: `python3 -m pytest`. They are the contract of a @KIND@ and what you add.
"""

_READMES = {
    "connector": """\
# @NAME@

A connector for Waivern runs: the lines of a text file. Change `extract` to read your source.
"""
    + _USE
    + """\

In a runbook:

    artifacts:
      lines:
        source: {type: @NAME@, properties: {path: notes.txt}}
""",
    "processor": """\
# @NAME@

A processor for Waivern runs: counts what its inputs hold. Change `process` to do your work.
"""
    + _USE
    + """\

In a runbook:

    artifacts:
      counted:
        inputs: [files]
        process: {type: @NAME@}
""",
    "exporter": """\
# @NAME@

An exporter for Waivern runs: a text with a line for each artifact. Change `export` to write your
format.
"""
    + _USE
    + """\

Export a run:

    wct export @last --export @NAME@
""",
}

_MODULES = {
    "connector": '''\
"""The connector `@NAME@`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field
from waivern import ComponentError, SchemaRef


class @CLASS@:
    """Lines of a text file."""  # `wct connectors` shows this line

    name = "@NAME@"
    version = "0.1.0"  # change it when equal sources give other content
    produces = SchemaRef("json")
    repeatable = True  # results are cached; `fingerprint` says when the source has changed

    class Config(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
        """The properties in a runbook. They are checked before anything runs."""

        path: str = Field(
            min_length=1,
            description="Text file, absolute or relative to the runbook's folder.",
        )

    def extract(self, config: Config, ctx: Any) -> dict[str, Any]:
        """Return the content: no clock, no random numbers, no absolute paths."""
        lines = []
        for number, line in enumerate(self._bytes(config, ctx).splitlines(), 1):
            try:
                lines.append(line.decode())
            except UnicodeDecodeError:
                ctx.skipped(f"line {number}", "not UTF-8")  # never leave something out silently
        ctx.read(len(lines))
        return {"lines": lines}

    def fingerprint(self, config: Config, ctx: Any) -> dict[str, str]:
        """Return a mark of what `extract` would read; equal marks mean equal content."""
        return {config.path: "sha256:" + hashlib.sha256(self._bytes(config, ctx)).hexdigest()}

    def _bytes(self, config: Config, ctx: Any) -> bytes:
        path: Path = ctx.path(config.path)
        try:
            return path.read_bytes()
        except OSError as error:
            raise ComponentError(
                f"{config.path!r} cannot be read: {error.strerror}",
                hint="correct `path` in the runbook",
            ) from error
''',
    "processor": '''\
"""The processor `@NAME@`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, Field
from waivern import SchemaRef


class @CLASS@:
    """Number of elements of each input."""  # `wct processors` shows this line

    name = "@NAME@"
    version = "0.1.0"  # change it when equal inputs give other content
    accepts = None  # any schema; or a tuple such as (SchemaRef("personal_data_findings"),)
    produces = SchemaRef("json")
    repeatable = True  # results are cached

    class Config(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
        """The properties in a runbook. They are checked before anything runs."""

        at_least: int = Field(default=0, ge=0, description="Leave out inputs with fewer elements.")

    def process(self, inputs: Sequence[Any], config: Config, ctx: Any) -> dict[str, Any]:
        """Return the content: no clock, no random numbers, no absolute paths."""
        counts = {}
        for each in inputs:
            content = each.content
            count = len(content) if isinstance(content, (dict, list)) else 1
            ctx.read(of=each.key)  # what was examined; ctx.skipped() for what was not
            if count >= config.at_least:
                counts[each.key] = count
        return {"counts": counts}
''',
    "exporter": '''\
"""The exporter `@NAME@`."""

from __future__ import annotations

from typing import IO, Any

from pydantic import BaseModel, Field
from waivern.runs.not_examined import not_examined


class @CLASS@:
    """Text with a line for each artifact."""  # `wct exporters` shows this line

    name = "@NAME@"
    version = "0.1.0"
    file_name = "@NAME@.txt"

    class Config(BaseModel, extra="forbid", frozen=True, hide_input_in_errors=True):
        """The options, which `--export-option @NAME@.separator=...` sets."""

        separator: str = Field(default=": ", description="The text between artifact and status.")

    def export(self, run: Any, config: Config, out: IO[bytes]) -> None:
        """Write the run. Say what was not examined: "none found" must never mean "not read"."""
        lines = [f"run {run.run_id}"]
        lines += [
            f"{name}{config.separator}{step.status}" for name, step in run.record.steps.items()
        ]
        lines += [f"finding: {each.type} in {each.place}" for each in run.findings]
        lines += [f"not examined: {each.sentence}" for each in not_examined(run)]
        lines.append(f"coverage: {run.coverage.document()['summary']}")
        out.write("".join(f"{_printable(line)}\\n" for line in lines).encode())


def _printable(text: str) -> str:
    """Return a text without characters that a terminal would act upon."""
    return "".join(char if char.isprintable() else "?" for char in text)
''',
}

_TESTS = {
    "connector": '''\
"""The contract of a connector, and what this one reads."""

from pathlib import Path
from typing import Any

from waivern import load, run
from waivern.testing.components import ConnectorConformance


class Test@CLASS@(ConnectorConformance):
    name = "@NAME@"

    def properties(self, folder: Path) -> dict[str, Any]:
        (folder / "notes.txt").write_text("one\\ntwo\\n")
        return {"path": "notes.txt"}


def test_what_is_not_text_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_bytes(b"one\\n\\xff\\n")
    text = "artifacts: {a: {source: {type: @NAME@, properties: {path: notes.txt}}}}"
    result = run(load(text=text, folder=tmp_path), store="memory:")
    assert result.status == "completed"
    assert result.coverage.share < 1
''',
    "processor": '''\
"""The contract of a processor, and what this one counts."""

from pathlib import Path
from typing import Any

from waivern.testing.components import ProcessorConformance


class Test@CLASS@(ProcessorConformance):
    name = "@NAME@"

    def inputs(self, folder: Path) -> dict[str, Any]:
        argv = ["printf", '{"one": 1, "two": 2}']
        return {"numbers": {"source": {"type": "command", "properties": {"argv": argv}}}}

    def test_elements_are_counted(self, tmp_path: Path) -> None:
        message, _ = self._made(tmp_path / "counted")
        assert message.content == {"counts": {"numbers": 2}}
''',
    "exporter": '''\
"""The contract of an exporter, and what this one writes."""

from pathlib import Path
from typing import Any

from waivern.testing.components import ExporterConformance


class Test@CLASS@(ExporterConformance):
    name = "@NAME@"

    def test_artifacts_findings_and_gaps_are_written(self, component: Any, tmp_path: Path) -> None:
        text = self.exported(component, tmp_path).decode()
        assert "found: completed" in text
        assert "finding: EMAIL_ADDRESS in letter.txt" in text
        assert "coverage: examined 1 of 2 files" in text
''',
}
