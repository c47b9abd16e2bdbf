"""The conformance suite of a store: what every store does, as tests that any store can run.

    from waivern.testing.stores import StoreConformance

    class TestMyStore(StoreConformance):
        def open_store(self, folder: Path) -> RunStore:
            return MyStore(folder)

pytest finds the tests in the subclass. They need no plugin: each runs its own event loop.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from waivern import list_runs, load, run
from waivern.runs.verify import verify
from waivern.store.base import RunStore
from waivern.store.opening import open_store
from waivern.testing.artifact_conformance import ArtifactConformance
from waivern.testing.run_conformance import RunConformance
from waivern.testing.store_helpers import (
    message,
)
from waivern.testing.stream_conformance import StreamConformance

RUN = """\
name: conformance
artifacts:
  mail: {source: {type: filesystem, properties: {path: mail.txt}}}
  findings: {inputs: mail, process: {type: personal_data}}
"""


class StoreConformance(ArtifactConformance, RunConformance, StreamConformance):
    """The tests that every store passes; a subclass opens one."""

    @abstractmethod
    def open_store(self, folder: Path) -> RunStore:
        """Return a new, empty store; `folder` is empty too, and no other test's."""

    def open_again(self, store: RunStore) -> RunStore:
        """Return another object for the same store, as another process would have."""
        return open_store(store.url)

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[RunStore]:
        """A store of its own for each test."""
        opened = self.open_store(tmp_path / "store")
        yield opened
        anyio.run(opened.aclose)

    # a whole run

    def test_a_whole_run_is_verified(self, store: RunStore, tmp_path: Path) -> None:
        (tmp_path / "mail.txt").write_text("ann@example.com\n")
        book = load(text=RUN, folder=tmp_path)
        result = run(book, store=store, run_id="whole")
        assert result.status == "completed"
        found = verify(store, "whole")
        assert found.vouched
        assert found.faults == ()
        assert found.notes == ()
        assert found.artifacts == 2
        assert found.head == store.read_journal("whole").lines[-1].hash
        assert [row.run_id for row in list_runs(store=store)] == ["whole"]

    def test_a_changed_artifact_is_found(self, store: RunStore, tmp_path: Path) -> None:
        (tmp_path / "mail.txt").write_text("ann@example.com\n")
        run(load(text=RUN, folder=tmp_path), store=store, run_id="whole")
        anyio.run(store.save, "whole", "findings", message("another"))
        anyio.run(store.save, "whole", "added", message("by hand"))
        faults = {fault.path: fault.what for fault in verify(store, "whole").faults}
        assert faults == {
            store.file_path("artifact", "findings"): "altered",
            store.file_path("artifact", "added"): "is not known to the journal",
        }
