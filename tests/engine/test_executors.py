"""The conformance suite over the shipped executors, and the way from a name to an executor."""

from __future__ import annotations

from pathlib import Path

import pytest

from waivern.engine.executor import Executor, ThreadExecutor
from waivern.engine.producer import Producer
from waivern.engine.shipped_executors import AUTO, PROCESSES, THREADS, find_executor
from waivern.engine.workers.process_executor import AutoExecutor, ProcessExecutor
from waivern.errors import NotFoundError
from waivern.kinds import entry
from waivern.store.base import RunStore
from waivern.store.local import LocalFilesystemStore
from waivern.testing.executors import ExecutorConformance


class TestThreadExecutor(ExecutorConformance):
    def make_executor(self, producer: Producer, width: int) -> Executor:
        return ThreadExecutor(producer, width)


class TestAutoExecutor(ExecutorConformance):
    def make_executor(self, producer: Producer, width: int) -> Executor:
        return AutoExecutor(producer, width)


class TestProcessExecutor(ExecutorConformance):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "store"

    def make_store(self) -> RunStore:
        return LocalFilesystemStore(self.path)

    def make_executor(self, producer: Producer, width: int) -> Executor:
        return ProcessExecutor(producer, width)


def test_an_executor_is_found_by_its_name() -> None:
    shipped = {THREADS: ThreadExecutor, PROCESSES: ProcessExecutor, AUTO: AutoExecutor}
    for name, executor in shipped.items():
        assert find_executor(name) is entry("executors", name).load() is executor
    assert find_executor(None) is AutoExecutor
    with pytest.raises(NotFoundError, match="no executor 'nowhere'"):
        find_executor("nowhere")
