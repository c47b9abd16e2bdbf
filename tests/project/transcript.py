"""A README's fenced blocks as one session on a terminal: what was typed, what it must print."""

from __future__ import annotations

import os
import pty
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```(?P<kind>\w+) ?(?P<rest>.*)\n(?P<text>(?:.*\n)*?)```$", re.MULTILINE)
_VARIES = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hash>"),
    (re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), "<run>"),
    (re.compile(r"\b(?=\d*[a-f])(?=[a-f]*\d)[0-9a-f]{8}\b|\b\d{8}\b"), "<run>"),
    (re.compile(r"\b[0-9]+(\.[0-9]+)?(ms|s)\b"), "<time>"),
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
    told = f"printf '\\n{mark}%s\\n' $?"
    script.write_text("".join(f"{text}\n{told}\n" for text in typed))
    child, terminal = pty.fork()
    if child == 0:  # pragma: no cover - another process
        os.chdir(folder)
        os.execvpe("bash", ["bash", str(script)], dict(environ))
    printed = bytearray()
    try:
        while piece := os.read(terminal, 65536):
            printed += piece
    except OSError:  # the other end is closed: EIO
        pass
    finally:
        os.close(terminal)
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
