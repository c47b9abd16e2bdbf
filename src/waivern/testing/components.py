"""The conformance suites of components: what every connector, processor and exporter does.

    from waivern.testing.components import ConnectorConformance

    class TestMailboxes(ConnectorConformance):
        name = "mailboxes"

        def properties(self, folder: Path) -> dict[str, object]:
            (folder / "box").write_text("...")
            return {"path": "box"}

pytest finds the tests in the subclass. The component is found as `wct` finds it: install its
package first. They need no plugin, and run in folders and stores of their own.
"""

from __future__ import annotations

import io
import json
import zipfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import anyio
import pytest
from pydantic import BaseModel, ValidationError

from waivern import RunResult, SchemaRef, load, run
from waivern.diagnostics import InvalidError
from waivern.message import Message
from waivern.plugins.catalogue import Catalogue
from waivern.runs.exporter import exported_run
from waivern.store.base import RunStore
from waivern.store.opening import open_store

ARTIFACT = "made"
"""The artifact that the component produces in these tests."""
UNKNOWN = "no_component_has_this_property"


class ComponentConformance:
    """The tests that components of every kind pass."""

    kind: ClassVar[str]
    name: ClassVar[str]
    """The name of its entry point."""

    @pytest.fixture
    def component(self) -> Any:
        """The installed component. One of another shape fails with what it lacks."""
        return Catalogue().load(self.kind, self.name)

    def test_it_is_installed_under_its_own_name(self, component: Any) -> None:
        assert Catalogue().owner(self.kind, self.name)
        assert component.name == self.name, "name is not that of the entry point"
        assert component.version

    def test_it_is_described(self, component: Any) -> None:
        first = (type(component).__doc__ or "").strip().partition("\n")[0]
        assert first, f"`wct {self.kind}` lists the first line of the docstring of the class"
        for name, field in component.Config.model_fields.items():
            assert field.description, f"property {name!r} has no description"

    def test_unknown_properties_are_refused(self, component: Any) -> None:
        config: type[BaseModel] = component.Config
        with pytest.raises(ValidationError, match=UNKNOWN):
            config.model_validate({UNKNOWN: 1})


class _ProducerConformance(ComponentConformance):
    """The tests of what produces artifacts."""

    @abstractmethod
    def properties(self, folder: Path) -> dict[str, Any]:
        """Prepare what the component reads in an empty folder; return its properties."""

    @abstractmethod
    def artifacts(self, folder: Path) -> dict[str, Any]:
        """Return the artifacts of a runbook in that folder, of which one is ARTIFACT."""

    def _run(self, folder: Path) -> tuple[RunStore, RunResult]:
        folder.mkdir()
        store = open_store("memory:")
        book = load(text=json.dumps({"artifacts": self.artifacts(folder)}), folder=folder)
        return store, run(book, store=store, cache=False)

    def _made(self, folder: Path) -> tuple[Message, RunResult]:
        store, result = self._run(folder)
        assert result.status == "completed", result.record.steps[ARTIFACT].error
        message: Message = anyio.run(store.get, result.run_id, ARTIFACT)
        return message, result

    def test_it_completes_with_its_schema(self, component: Any, tmp_path: Path) -> None:
        message, _ = self._made(tmp_path / "one")
        if component.produces is not None:
            assert isinstance(component.produces, SchemaRef)
            assert message.schema == component.produces

    def test_equal_sources_give_equal_content(self, tmp_path: Path) -> None:
        """No clock, run id, random number or absolute path is in it."""
        one, first = self._made(tmp_path / "one")
        other, _ = self._made(tmp_path / "other")
        assert one.content == other.content
        text = json.dumps(one.content)
        assert str(tmp_path) not in text
        assert first.run_id not in text

    def test_it_reports_what_it_examined(self, tmp_path: Path) -> None:
        message, _ = self._made(tmp_path / "one")
        assert message.extensions.get("coverage"), "call ctx.read() for what was examined"

    def test_a_wrong_property_has_a_position(self, tmp_path: Path) -> None:
        artifacts = self.artifacts(tmp_path)
        part = artifacts[ARTIFACT].get("source") or artifacts[ARTIFACT]["process"]
        part["properties"] = {**part.get("properties", {}), UNKNOWN: 1}
        with pytest.raises(InvalidError) as refused:
            run(load(text=json.dumps({"artifacts": artifacts}), folder=tmp_path), store="memory:")
        assert {each.code for each in refused.value.problems} == {"WCT204"}


class ConnectorConformance(_ProducerConformance):
    """The tests that every connector passes; a subclass prepares its source."""

    kind = "connectors"

    def artifacts(self, folder: Path) -> dict[str, Any]:
        """Return the artifact that reads the source."""
        properties = self.properties(folder)
        return {ARTIFACT: {"source": {"type": self.name, "properties": properties}}}


class ProcessorConformance(_ProducerConformance):
    """The tests that every processor passes; a subclass supplies its inputs."""

    kind = "processors"

    def properties(self, folder: Path) -> dict[str, Any]:
        """Return the properties; none unless a subclass has some."""
        return {}

    @abstractmethod
    def inputs(self, folder: Path) -> dict[str, Any]:
        """Prepare an empty folder; return the artifacts that are the inputs, by id."""

    def artifacts(self, folder: Path) -> dict[str, Any]:
        """Return the inputs and the artifact that is produced from them."""
        before = self.inputs(folder)
        process = {"type": self.name, "properties": self.properties(folder)}
        return {**before, ARTIFACT: {"inputs": list(before), "process": process}}


class ExporterConformance(ComponentConformance):
    """The tests that every exporter passes; a subclass may add options and read the file."""

    kind = "exporters"
    options: ClassVar[dict[str, str]] = {}

    def exported(self, component: Any, folder: Path) -> bytes:
        """Return the export of a run that has a finding and an item that was not examined."""
        data = folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        (data / "letter.txt").write_text("Please write to ada@larkfield.org.\n")
        (data / "picture.bin").write_bytes(b"\0\1\2")
        files = {"source": {"type": "filesystem", "properties": {"path": "data"}}}
        found = {"inputs": ["files"], "process": {"type": "personal_data"}}
        book = {"name": "conformance", "artifacts": {"files": files, "found": found}}
        store = open_store("memory:")
        run(load(text=json.dumps(book), folder=folder), store=store, run_id="conformance")
        return self._written(component, store)

    def _written(self, component: Any, store: RunStore) -> bytes:
        out = io.BytesIO()
        config = component.Config.model_validate(self.options)
        notes = component.export(exported_run(store, "conformance"), config, out)
        assert all(isinstance(note, str) for note in notes or ())
        return out.getvalue()

    def test_it_writes_a_run(self, component: Any, tmp_path: Path) -> None:
        assert self.exported(component, tmp_path)

    def text(self, data: bytes) -> str:
        """Return what a reader of the format sees: of a zip file, its members."""
        if not zipfile.is_zipfile(io.BytesIO(data)):
            return data.decode(errors="replace")
        with zipfile.ZipFile(io.BytesIO(data)) as members:
            return "\n".join(
                members.read(each).decode(errors="replace") for each in members.namelist()
            )

    def test_values_stay_masked(self, component: Any, tmp_path: Path) -> None:
        assert "ada@larkfield.org" not in self.text(self.exported(component, tmp_path))

    def test_it_says_what_was_not_examined(self, component: Any, tmp_path: Path) -> None:
        """Without it, "not read" looks like "no findings"."""
        said = self.text(self.exported(component, tmp_path))
        named = "picture.bin" in said or "binary" in said  # its reason
        assert named, "write what `waivern.runs.not_examined` yields, or the coverage"

    def test_a_failed_run_is_written_too(self, component: Any, tmp_path: Path) -> None:
        store = open_store("memory:")
        book = "{artifacts: {none: {source: {type: filesystem, properties: {path: none}}}}}"
        run(load(text=book, folder=tmp_path), store=store, run_id="conformance")
        assert self._written(component, store)

    def test_its_file_has_a_plain_name(self, component: Any) -> None:
        name = component.file_name
        assert name == "-" or (Path(name).name == name and not name.startswith("."))
