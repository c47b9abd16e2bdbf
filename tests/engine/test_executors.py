"""The conformance suite over the shipped executor, and the way from a name to an executor."""

from __future__ import annotations

import pytest

from waivern.engine.executor import THREADS, Executor, ThreadExecutor, find_executor
from waivern.engine.producer import Producer
from waivern.errors import NotFoundError
from waivern.kinds import entry
from waivern.testing.executors import ExecutorConformance


class TestThreadExecutor(ExecutorConformance):
    def make_executor(self, producer: Producer, width: int) -> Executor:
        return ThreadExecutor(producer, width)


def test_an_executor_is_found_by_its_name() -> None:
    assert find_executor(None) is find_executor(THREADS) is ThreadExecutor
    assert entry("executors", THREADS).load() is ThreadExecutor
    with pytest.raises(NotFoundError, match="no executor 'nowhere'"):
        find_executor("nowhere")
