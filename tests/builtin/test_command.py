from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import ValidationError

from waivern.builtin.command import CommandConnector, CommandProcessor, CommandProperties
from waivern.errors import ComponentError
from waivern.message import ANY_JSON, Json
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input


async def extract(base: Path, *argv: str, log: list[str] | None = None, **properties: Any) -> Json:
    config = CommandProperties(argv=list(argv), **properties)
    lines: list[str] = [] if log is None else log
    ctx = Context("a", base, emit_log=lines.append)
    return await CommandConnector().extract(config, ctx)


async def python(base: Path, code: str, **properties: Any) -> Json:
    return await extract(base, sys.executable, "-c", code, **properties)


async def process(base: Path, code: str, *contents: Json) -> Json:
    config = CommandProperties(argv=[sys.executable, "-c", code])
    inputs = [Input(f"i{n}", content, ANY_JSON) for n, content in enumerate(contents)]
    return await CommandProcessor().process(inputs, config, Context("a", base))


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/stat")
        return not (status.exists() and ") Z" in status.read_text())
    except (ProcessLookupError, FileNotFoundError):
        return False


async def gone(pid: int) -> None:
    with anyio.fail_after(10):
        while alive(pid):
            await anyio.lowlevel.checkpoint()


async def appears(path: Path) -> str:
    with anyio.fail_after(10):
        while not await anyio.Path(path).exists():
            await anyio.lowlevel.checkpoint()
    return await anyio.Path(path).read_text()


async def test_connector_gets_no_inputs_and_gives_json(tmp_path: Path) -> None:
    assert await extract(tmp_path, "cat") == {"inputs": []}


async def test_processor_gets_contents_in_order(tmp_path: Path) -> None:
    code = "import json, sys; print(json.dumps(json.load(sys.stdin)['inputs'][::-1]))"
    assert await process(tmp_path, code, {"é": 1}, [2]) == [[2], {"é": 1}]


async def test_it_runs_in_the_folder_of_the_runbook(tmp_path: Path) -> None:
    script = tmp_path / "tools" / "scan"
    script.parent.mkdir()
    script.write_text('#!/bin/sh\nprintf \'["%s", "%s"]\' "$(pwd -P)" "$1"\n')
    script.chmod(0o755)
    folder = str(await anyio.Path(tmp_path).resolve())
    assert await extract(tmp_path, "tools/scan", "$HOME; *") == [folder, "$HOME; *"]


async def test_the_environment_is_not_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY_SECRET", "xyzzy")
    monkeypatch.setenv("LC_TIME", "C")
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    got = await python(tmp_path, code, env={"GIVEN": "yes"})
    assert got["PATH"] == os.environ["PATH"]
    assert (got["GIVEN"], got["LC_TIME"]) == ("yes", "C")
    assert "CANARY_SECRET" not in got


async def test_stderr_lands_in_the_log(tmp_path: Path) -> None:
    log: list[str] = []
    code = r"import sys; sys.stderr.buffer.write(b'one\ntw\xff\r\n' + b'x' * 10000); print(1)"
    assert await extract(tmp_path, sys.executable, "-c", code, log=log) == 1
    assert log == ["INFO one", "INFO tw�", f"INFO {'x' * 10000}"]


async def test_a_line_that_is_too_long_is_left_out_whole(tmp_path: Path) -> None:
    """Cut into pieces, a secret in it could be at the cut, where nobody would know it."""
    log: list[str] = []
    code = (
        "import sys\nfor n in (65535, 65536, 300_000):\n"
        "    sys.stderr.write('x' * n + 's\\n' + 'y\\n')\n"
        "sys.stderr.write('z' * 200_000); print(1)"
    )
    assert await extract(tmp_path, sys.executable, "-c", code, log=log) == 1
    assert log == [
        f"INFO {'x' * 65535}s",
        "INFO y",
        "INFO (a line of 65,537 bytes is left out)",
        "INFO y",
        "INFO (a line of 300,001 bytes is left out)",
        "INFO y",
        "INFO (a line of 200,000 bytes is left out)",
    ]


async def test_the_log_has_the_beginning_and_the_end_of_much(tmp_path: Path) -> None:
    log: list[str] = []
    code = "import sys\nfor n in range(300_000): print(n, file=sys.stderr)\nprint(1)"
    assert await extract(tmp_path, sys.executable, "-c", code, log=log) == 1
    assert log[:2] == ["INFO 0", "INFO 1"]
    assert log[-10:] == [f"INFO {n}" for n in range(299_990, 300_000)]
    full = log.index("INFO (this log is full: of what follows, only the end is kept)")
    assert 2**20 <= sum(len(line) - len("INFO ") + 1 for line in log[:full]) < 2**20 + 2**18
    assert log[full + 1] == f"INFO ({299_990 - full:,} lines are left out)"
    assert len(log) == full + 12


async def test_log_lines_come_while_it_runs(tmp_path: Path) -> None:
    log: list[str] = []
    code = (
        "import sys, os\nprint('early', file=sys.stderr, flush=True)\n"
        "while not os.path.exists('go'): pass\nprint(1)"
    )

    def seen(line: str) -> None:
        log.append(line)
        (tmp_path / "go").touch()

    ctx = Context("a", tmp_path, emit_log=seen)
    config = CommandProperties(argv=[sys.executable, "-c", code], timeout=20)
    assert await CommandConnector().extract(config, ctx) == 1
    assert log == ["INFO early"]


async def test_no_pipe_fills_up(tmp_path: Path) -> None:
    code = (
        "import sys\nfor n in range(2000):\n"
        " sys.stderr.write('e' * 500 + '\\n'); sys.stdout.write(' ' * 500)\n"
        "data = sys.stdin.read()\nprint(len(data))"
    )
    assert await process(tmp_path, code, "x" * 3_000_000) == 3_000_000 + len('{"inputs": [""]}')


async def test_inputs_need_not_be_read(tmp_path: Path) -> None:
    assert await process(tmp_path, "print(7)", "x" * 3_000_000) == 7


async def test_exit_code_and_last_lines_are_told(tmp_path: Path) -> None:
    code = (
        "import sys\nfor n in range(30): print('line', n, file=sys.stderr)\n"
        "print('\\x1b[2J red', file=sys.stderr); print('{}'); sys.exit(3)"
    )
    with pytest.raises(ComponentError, match="exited with 3") as caught:
        await python(tmp_path, code)
    assert caught.value.message.endswith("\n  line 28\n  line 29\n  �[2J red")
    assert "line 20" not in caught.value.message


async def test_a_signal_is_named(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="was killed by SIGKILL"):
        await python(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")


@pytest.mark.parametrize(
    ("output", "fact"),
    [
        ("", "printed nothing"),
        (" \n", "printed nothing"),
        ("[1,\n 2,, 3]", "is not JSON: .*line 2 column 4"),
        ("{} {}", "is not JSON: Extra data"),
        ("[" * 100_000, "is not JSON"),
        ("1" * 5000, "is not JSON"),
        ('{"a": [{"ada": 1, "b": 2, "ada": 1}]}', "same key twice: its key 3 of 3 was there"),
    ],
)
async def test_output_that_is_not_json(tmp_path: Path, output: str, fact: str) -> None:
    (tmp_path / "out").write_text(output)
    with pytest.raises(ComponentError, match=fact):
        await extract(tmp_path, "cat", "out")


async def test_output_is_bounded(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="printed more than 100000 bytes"):
        await extract(tmp_path, "yes", max_output="100kB")
    (tmp_path / "out").write_text("1" + " " * 99_999)
    assert await extract(tmp_path, "cat", "out", max_output="100kB") == 1


async def test_what_cannot_be_run_says_why(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("no script")
    with pytest.raises(ComponentError, match="'no-such-tool' cannot be run: No such file"):
        await extract(tmp_path, "no-such-tool")
    with pytest.raises(ComponentError, match=r"'\./none' cannot be run: No such file"):
        await extract(tmp_path, "./none")
    with pytest.raises(ComponentError, match="Permission denied") as caught:
        await extract(tmp_path, "./data")
    assert "chmod +x" in (caught.value.hint or "")
    (tmp_path / "data").chmod(0o755)
    with pytest.raises(ComponentError, match="Exec format error") as caught:
        await extract(tmp_path, "./data")
    assert "#!" in (caught.value.hint or "")
    with pytest.raises(ComponentError, match="Argument list too long") as caught:
        await extract(tmp_path, "true", "x" * 4_000_000)
    assert "in a file" in (caught.value.hint or "")


@pytest.mark.parametrize("pipes", ["", ">&-", "2>&-", ">&- 2>&-"])
async def test_what_a_command_leaves_behind_ends_with_it(tmp_path: Path, pipes: str) -> None:
    """Whether it holds the pipes open, so that nobody can tell when all was said, or not."""
    with anyio.fail_after(60):
        script = f"sleep 600 {pipes} & echo $! > pid; echo said >&2; echo 42"
        assert await extract(tmp_path, "sh", "-c", script) == 42
    await gone(int((tmp_path / "pid").read_text()))


FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open("pids.new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}\\n")
os.rename("pids.new", "pids")
time.sleep(600)
"""


async def test_timeout_stops_the_whole_group(tmp_path: Path) -> None:
    with pytest.raises(ComponentError, match="was stopped after 2 seconds"):
        await python(tmp_path, FAMILY, timeout=2)
    for pid in map(int, (tmp_path / "pids").read_text().split()):
        await gone(pid)


async def test_cancelling_stops_the_whole_group(tmp_path: Path) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(python, tmp_path, FAMILY)
        pids = await appears(tmp_path / "pids")
        assert all(map(alive, map(int, pids.split())))
        tasks.cancel_scope.cancel()
    for pid in map(int, pids.split()):
        await gone(pid)


async def test_a_command_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + "time.sleep(600)"
    )
    started = time.monotonic()
    with pytest.raises(ComponentError, match="was stopped after"):
        await python(tmp_path, code, timeout=0.5)
    assert time.monotonic() - started < 30


async def test_descriptors_are_not_inherited(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        code = f"import os\ntry: os.fstat({held.fileno()}); print(1)\nexcept OSError: print(0)"
        assert await python(tmp_path, code) == 0


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"argv": []},
        {"argv": "ls -l"},
        {"argv": [1]},
        {"argv": ["a\0b"]},
        {"argv": ["a"], "env": {"A=B": "x"}},
        {"argv": ["a"], "env": {"": "x"}},
        {"argv": ["a"], "env": {"A": "x\0"}},
        {"argv": ["a"], "timeout": 0},
        {"argv": ["a"], "timeout": True},
        {"argv": ["a"], "timeout": "inf"},
        {"argv": ["a"], "shell": True},
    ],
)
def test_wrong_properties_are_refused_when_planned(properties: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        CommandProperties.model_validate(properties)


def test_secrets_stay_out_of_errors_and_reprs() -> None:
    config = CommandProperties(argv=["tool", "--key=canary"], env={"KEY": "canary"})
    assert "canary" not in repr(config)
    with pytest.raises(ValidationError) as caught:
        CommandProperties.model_validate({"argv": ["x"], "env": {"KEY": "canary\0"}})
    assert "canary" not in str(caught.value)
