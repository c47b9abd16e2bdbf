"""The executors of this distribution, and the way from a name to an executor."""

from __future__ import annotations

from waivern.engine.executor import ExecutorFactory

THREADS, PROCESSES, AUTO = "threads", "processes", "auto"
"""The names of the shipped executors; `auto` is used unless another is named."""


def find_executor(name: str | None) -> ExecutorFactory:
    """Return the executor of a name; None: `auto`.

    Raises NotFoundError if none of that name is installed, RefusedError if several are.
    """
    # of the shipped ones at once: reading all entry points takes longer than a small run
    if name == THREADS:
        from waivern.engine.executor import ThreadExecutor

        return ThreadExecutor
    if name is None or name in (AUTO, PROCESSES):
        from waivern.engine.workers.process_executor import AutoExecutor, ProcessExecutor

        return ProcessExecutor if name == PROCESSES else AutoExecutor
    from waivern.kinds import load

    factory: ExecutorFactory = load("executors", name)
    return factory
