"""Any executable as a component: JSON in on stdin, JSON out on stdout."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from pydantic import AfterValidator, ByteSize, Field

from waivern.builtin.code import executable, of_command
from waivern.builtin.command_stderr import Stderr
from waivern.builtin.common_properties import Number, Properties, Size
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json
from waivern.plugins import child_processes
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input

GRACE = 2.0
"""Seconds between SIGTERM and SIGKILL, and the time that the pipes have to close after the command.

Processes that it left in the background may hold them open."""

_KEPT = frozenset({"PATH", "HOME", "LANG", "TMPDIR", "TZ"})


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("a NUL cannot be passed to a command")
    return text


def _variable(name: str) -> str:
    if not name or "=" in name:
        raise ValueError("not the name of a variable")
    return _no_nul(name)


_Text = Annotated[str, AfterValidator(_no_nul)]


class CommandProperties(Properties):
    """The properties of a command."""

    argv: list[_Text] = Field(
        min_length=1,
        repr=False,
        description="The executable and its arguments; no shell reads them. An executable with a "
        "'/' in it is relative to the runbook's folder, which is also where it runs.",
    )
    env: dict[Annotated[str, AfterValidator(_variable)], _Text] = Field(
        default={},
        repr=False,
        description="Variables for the command. Of the environment of wct it gets only PATH, HOME, "
        "LANG, LC_*, TMPDIR and TZ: a secret reaches it only if it is named here.",
    )
    timeout: Annotated[float, Number] = Field(
        default=600, gt=0, le=7 * 86400, description="Seconds after which it is stopped and fails."
    )
    max_output: Size = Field(
        default=ByteSize(2**30),
        description="The maximum size of stdout: bytes, or text such as '100MB'.",
    )


class _Command:
    """The common part of the connector and the processor."""

    name = "command"
    version = "1.0.0"
    produces = ANY_JSON
    waits = True
    Config = CommandProperties

    def code(self, config: CommandProperties, ctx: Context) -> str | None:
        """Return the digest of the files that the command line names."""
        return of_command(config.argv, ctx)

    def advise(
        self, config: CommandProperties, ctx: Context
    ) -> Iterator[tuple[str, str, str | None]]:
        """Yield a warning if there is no such command."""
        return _unfound(config.argv[0], ctx)


class CommandConnector(_Command):
    """Runs an executable, and stores the JSON that it prints.

    stdin is `{"inputs": []}`, and stdout is the content. Lines of stderr are written to the
    artifact's log (the first MiB and the end). An exit code other than 0 is a failure. The command
    is stopped at its timeout, or when the run is stopped. Processes that it has started are stopped
    when it ends.
    """

    async def extract(self, config: CommandProperties, ctx: Context) -> Json:
        """Return the output of the command. Raises ComponentError if it fails."""
        return await _run(config, [], ctx)


class CommandProcessor(_Command):
    """Runs an executable with the inputs on stdin, and stores the JSON that it prints.

    stdin is `{"inputs": [...]}`, with the contents in declared order. The rest is as for
    the connector.
    """

    accepts = None

    async def process(
        self, inputs: Sequence[Input], config: CommandProperties, ctx: Context
    ) -> Json:
        """Return the output of the command. Raises ComponentError if it fails."""
        return await _run(config, [one.content for one in inputs], ctx)


def _unfound(command: str, ctx: Context) -> Iterator[tuple[str, str, str | None]]:
    if shutil.which(executable(command, ctx)) is None:
        where = f"in {str(ctx.base)!r}" if "/" in command else "on PATH"
        yield "argv", f"there is no command {command!r} {where}", "install it, or correct the path"


async def _run(config: CommandProperties, contents: list[Json], ctx: Context) -> Json:
    command = config.argv[0]
    stdin = json.dumps({"inputs": contents}).encode()  # may block: its event loop has no other task
    talk = _Talk(config.max_output, Stderr(ctx))
    async with _started(config, ctx) as process:
        try:
            with anyio.fail_after(config.timeout):
                await talk.hold(process, stdin)
                if talk.too_much:
                    raise ComponentError(
                        f"{command!r} printed more than {config.max_output} bytes",
                        hint="raise `max_output`, or print less: an artifact is held in memory",
                    )
                code = await process.wait()
        except TimeoutError as error:
            raise ComponentError(
                f"{command!r} was stopped after {config.timeout:g} seconds",
                hint="increase `timeout`, or give the command less work",
            ) from error
    if code:
        raise ComponentError(f"{command!r} {_ending(code)}{talk.stderr.last_words()}")
    return _parsed(command, talk.output)


@asynccontextmanager
async def _started(config: CommandProperties, ctx: Context) -> AsyncIterator[Process]:
    """Start the command in a process group of its own; kill the group at the end."""
    try:
        process = await anyio.open_process(
            [executable(config.argv[0], ctx), *config.argv[1:]],
            cwd=ctx.base,
            env=_environment(os.environ) | config.env,
            start_new_session=True,  # Ctrl-C then reaches only wct, which stops the group
        )
    except OSError as error:
        if not os.access(ctx.base, os.X_OK):  # the system would report the command as missing
            raise ComponentError(
                f"{config.argv[0]!r} cannot be run in {str(ctx.base)!r}: that folder is gone, or "
                "must not be entered",
                hint="restore the runbook's folder, or run the runbook where it is now",
            ) from error
        raise ComponentError(
            f"{config.argv[0]!r} cannot be run: {error.strerror}", hint=_remedy(error)
        ) from error
    ended = False
    with child_processes.known(process.pid):
        try:
            yield process
            ended = True
        finally:
            with anyio.CancelScope(shield=True):
                if not ended:
                    child_processes.send(process.pid, signal.SIGTERM)
                    with anyio.move_on_after(GRACE):
                        await process.wait()
                child_processes.send(
                    process.pid, signal.SIGKILL
                )  # the group: also what it left behind
                await process.aclose()


@dataclass(slots=True)
class _Talk:
    """The exchange with a command: all three pipes at once, so that none can fill up."""

    limit: int
    stderr: Stderr
    output: bytearray = field(default_factory=bytearray)
    too_much: bool = False

    async def hold(self, process: Process, stdin: bytes) -> None:
        """Exchange until the command has ended, or prints too much."""
        assert process.stdin
        assert process.stdout
        assert process.stderr
        async with anyio.create_task_group() as pipes:
            pipes.start_soon(_send, process.stdin, stdin)
            pipes.start_soon(self.stderr.follow, process.stderr)
            pipes.start_soon(self.collect, process.stdout, pipes.cancel_scope)
            await process.wait()
            pipes.cancel_scope.deadline = anyio.current_time() + GRACE

    async def collect(self, stdout: ByteReceiveStream, talk: anyio.CancelScope) -> None:
        async for chunk in stdout:
            self.output += chunk
            if len(self.output) > self.limit:
                self.too_much = True
                talk.cancel()
                return


async def _send(stdin: ByteSendStream, data: bytes) -> None:
    try:
        await stdin.send(data)
        await stdin.aclose()
    except (anyio.BrokenResourceError, anyio.ClosedResourceError, ConnectionError):
        # A command need not read its inputs; its exit code says whether it needed them. Older
        # releases of anyio raise the error of the pipe itself, a ConnectionError.
        pass


def _environment(whole: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in whole.items() if name in _KEPT or name.startswith("LC_")}


_REMEDIES = {
    errno.ENOENT: "it is neither on PATH nor, with a '/' in it, below the runbook's folder",
    errno.ENOTDIR: "a part of its path is a file; the path starts from the runbook's folder",
    errno.EACCES: "make it executable: chmod +x",
    errno.E2BIG: "`argv` and `env` are too long together: pass the data in a file, or as an input",
    errno.EMFILE: "too many files are open: raise the limit with `ulimit -n 4096`, or lower "
    "--max-concurrency",
    errno.ENFILE: "too many files are open on this machine: close some, or lower --max-concurrency",
    errno.EAGAIN: "too many processes are running: see `ulimit -u`, or lower --max-concurrency",
    errno.ENOMEM: "the memory is used up: lower --max-concurrency",
    errno.ETXTBSY: "something is still writing to the file: run it again when that is done",
    errno.ENOEXEC: "a script needs a first line such as '#!/usr/bin/env python3'",
}


def _remedy(error: OSError) -> str | None:
    return _REMEDIES.get(error.errno or 0)


def _ending(code: int) -> str:
    if code > 0:
        return f"exited with {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


def _parsed(command: str, output: bytes | bytearray) -> Json:
    if not output.strip():
        raise ComponentError(
            f"{command!r} printed nothing on stdout",
            hint="print one JSON value, such as null; messages belong on stderr",
        )
    try:
        return json.loads(output, object_pairs_hook=partial(_object, command))
    except (ValueError, RecursionError) as error:
        raise ComponentError(
            f"what {command!r} printed on stdout is not JSON: {error}",
            hint="print one JSON value and nothing else; messages belong on stderr",
        ) from error


def _object(command: str, pairs: list[tuple[str, Json]]) -> Json:
    document = dict(pairs)
    if len(document) == len(pairs):
        return document
    seen: set[str] = set()
    for place, (key, _) in enumerate(pairs, 1):
        if key in seen:
            raise ComponentError(  # the position, not the key: keys may be confidential
                f"{command!r} printed an object with the same key twice: its key {place} of "
                f"{len(pairs)} was there before",
                hint="print each key once: of two values, one would be lost",
            )
        seen.add(key)
    raise AssertionError("one key is there twice")
