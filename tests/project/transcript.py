"""The fenced blocks of a page as one session on a terminal: what is typed, what is printed."""

from __future__ import annotations

import os
import pty
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from quick_wct import quick_wct
from wct_process import read_terminal

_BLOCK = re.compile(r"^```(?P<kind>\w+) ?(?P<rest>.*)\n(?P<text>(?:.*\n)*?)```$", re.MULTILINE)
ROOT = Path(__file__).parents[2]
_VARIES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<run>"),
    (re.compile(r"\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{8}\b|\b\d{8}\b"), "<run>"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)?(ms|s)\b"), "<time>"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)? ([KMGT]i)?B\b"), "<size>"),  # a file has a duration in it
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, what stands behind that, its text."""

    kind: str
    rest: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """What is typed, and the lines that are shown of its answer."""

    text: str
    shown: tuple[str, ...]


def blocks(markdown: str) -> list[Block]:
    """Return the fenced blocks in their order."""
    return [
        Block(found["kind"], found["rest"], found["text"]) for found in _BLOCK.finditer(markdown)
    ]


def commands(block: Block) -> Iterator[Command]:
    """Yield the commands of a console block: `$ ` begins one, `> ` continues it."""
    typed: list[str] = []
    shown: list[str] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            if typed:
                yield Command("\n".join(typed), tuple(shown))
            typed, shown = [line[2:]], []
        elif line.startswith("> ") and not shown:
            typed.append(line[2:])
        else:
            shown.append(line)
    if typed:
        yield Command("\n".join(typed), tuple(shown))


def session(typed: list[str], folder: Path, environ: Mapping[str, str]) -> list[tuple[str, int]]:
    """Type commands into one shell on a terminal; return what each printed and its exit code."""
    mark = "@@@@"
    script = folder / ".session"
    report = f"printf '\\n{mark}%s\\n' $?"
    script.write_text("".join(f"{text}\n{report}\n" for text in typed))
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.chdir(folder)
        os.execvpe("bash", ["bash", str(script)], dict(environ))
    printed = read_terminal(terminal)
    os.waitpid(child, 0)
    script.unlink()
    parts = re.split(rf"\r?\n{mark}(\d+)\r?\n", printed.decode())
    return [(parts[n], int(parts[n + 1])) for n in range(0, len(parts) - 1, 2)]


def plain(line: str) -> str:
    """Return a line without what differs from run to run."""
    for pattern, instead in _VARIES:
        line = pattern.sub(instead, line)
    return line.strip()


def missing(shown: tuple[str, ...], printed: str) -> str | None:
    """Return the first line that is shown and was not printed, in this order; None if all were."""
    lines = iter([plain(line) for line in printed.splitlines()])
    for line in shown:
        if (expected := plain(line)) and not any(_same(expected, each) for each in lines):
            return line
    return None


def _same(shown: str, printed: str) -> bool:
    """Compare two lines; where one is cut depends on how wide a time before it is."""
    if shown[-1:] == printed[-1:] == "…":
        length = min(len(shown), len(printed)) - 1
        return shown[:length] == printed[:length]
    return shown == printed


def fresh_clone(folder: Path) -> Path:
    """Return what a reader has after the README's first command, without the time it takes."""
    clone = folder / "clone"
    clone.mkdir()
    ignored = shutil.ignore_patterns("material", "__pycache__")
    shutil.copytree(ROOT / "runbooks", clone / "runbooks", ignore=ignored)
    (clone / ".venv").symlink_to(sys.prefix)
    return clone


def play(markdown: str, folder: Path) -> int:
    """Type all commands of a page in a fresh clone; assert what they print and exit with.

    A block with `file=PATH` is saved before, below the clone or, with `~/`, below the home folder.
    `exit=CODE` is the exit code of a block's last command; all others exit with 0. A block `text
    setup` is printed by the run at the end of the first set-up command. Return how many commands
    there were.
    """
    clone, home = fresh_clone(folder), folder / "home"
    home.mkdir()
    typed: list[tuple[Command, int]] = []
    for block in blocks(markdown):
        if name := re.search(r"file=(\S+)", block.rest):
            path = home / name[1][2:] if name[1].startswith("~/") else clone / name[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
        if block.kind == "toml" and "[project]" in block.text:
            _install(block, clone)
        if (block.kind, block.rest) == ("text", "setup"):
            first = next(each for each in blocks(markdown) if each.rest == "setup")
            run = first.text.strip().rpartition("&& ")[2]
            typed.append((Command(run, tuple(block.text.splitlines())), 0))
        if block.kind == "console":
            wanted = re.search(r"exit=(\d+)", block.rest)
            found = list(commands(block))
            typed += [(command, 0) for command in found[:-1]]
            typed.append((found[-1], int(wanted[1]) if wanted else 0))
    environ = {
        **{k: v for k, v in os.environ.items() if k not in ("WAIVERN_STORE", "BASH_ENV")},
        "PATH": f"{Path(quick_wct()).parent}:{sys.prefix}/bin:{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "dumb",
        "COLUMNS": "120",
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(clone),
    }
    printed = session([_installed(command.text) for command, _ in typed], clone, environ)
    for (command, wanted_code), (text, code) in zip(typed, printed, strict=False):
        assert missing(command.shown, text) is None, f"$ {command.text}\n{text}"
        assert code == wanted_code, f"$ {command.text}\n{text}"
    assert len(printed) == len(typed)
    return len(typed)


def _installed(typed: str) -> str:
    """Name the installed `wct` where the command is to be stopped by a signal."""
    stopped = re.search(r" &(\s|$)", typed)
    return re.sub(r"\bwct\b", f"{sys.prefix}/bin/wct", typed, count=1) if stopped else typed


def _install(block: Block, folder: Path) -> None:
    """Install what a pyproject.toml declares, as far as Python is concerned."""
    project = tomllib.loads(block.text)["project"]
    home = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    home.mkdir()
    (home / "METADATA").write_text(f"Name: {project['name']}\nVersion: {project['version']}\n")
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    ]
    (home / "entry_points.txt").write_text("\n".join(lines))
