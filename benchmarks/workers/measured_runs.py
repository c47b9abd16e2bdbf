"""Commands that are measured in turn, in a folder of their own.

The modules of the other measurements are used where they do the same: `process.py` of
`benchmarks/data` runs a command, `compare.py` of `benchmarks/overhead` counts instructions.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path[1:1] = [str(HERE.parent / "data"), str(HERE.parent / "overhead")]

from process import WCT, Place, Ran  # noqa: E402 - it is in one of the folders above

Command = Callable[[], float]
"""A command that is run once; it returns what it cost, in seconds."""


class Figure(NamedTuple):
    """A measured value, the limit that it has to keep, and the values of all rounds."""

    figure: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    rounds: tuple[float, ...] = ()

    @property
    def limit(self) -> str:
        """The limit, for people."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g} {self.unit}".strip()
        return "" if self.at_most is None else f"≤ {self.at_most:g} {self.unit}".strip()

    @property
    def missed(self) -> bool:
        """Whether the limit is not kept."""
        if self.at_least is not None:
            return self.value < self.at_least
        return self.at_most is not None and self.value > self.at_most


class Bench:
    """A folder with runbooks and components, in which commands are run."""

    def __init__(self, folder: Path, rounds: int, scale: int) -> None:
        self.folder = folder
        self.rounds = rounds
        self.scale = scale
        self.place = Place(folder, None)
        self.raw: dict[str, dict[str, list[float]]] = {}
        """The costs of the commands of each comparison, round by round."""
        shutil.copytree(HERE.parent / "data/parts", folder / "parts")
        for name in ("computing.py", "bare_work.py"):
            shutil.copy(HERE / name, folder)
        (folder / "waivern.yaml").write_text("component_paths: [parts]\n")

    def runbook(self, name: str, lines: list[str]) -> None:
        """Write a runbook of these artifacts."""
        text = "\n".join(("artifacts:", *(f"  {line}" for line in lines)))
        (self.folder / f"{name}.yaml").write_text(text + "\n")

    def run(self, name: str, executor: str, *words: str) -> Ran:
        """Run a runbook in a new store, which is removed again."""
        ran = self.place.wct(
            *("run", f"{name}.yaml", "--store", "store", "--json", "--executor", executor, *words)
        )
        shutil.rmtree(self.folder / "store", ignore_errors=True)
        return succeeded(ran)

    def bare(self, *words: str, processes: int) -> Ran:
        """Do the work of `bare_work.py`."""
        return succeeded(self.place.python("bare_work.py", *words, "--processes", str(processes)))

    def in_turn(
        self, name: str, commands: Mapping[str, Command], rounds: int | None = None
    ) -> dict[str, list[float]]:
        """Run the commands so many times, in turn; the first one changes from round to round."""
        costs: dict[str, list[float]] = {each: [] for each in commands}
        order = list(commands)
        for number in range(rounds or self.rounds):
            first = number % len(order)
            for each in (*order[first:], *order[:first]):
                costs[each].append(round(commands[each](), 4))
            print(f"  {name} {number + 1}: { ({n: c[-1] for n, c in costs.items()}) }", flush=True)
        self.raw[name] = costs
        return costs


def succeeded(ran: Ran) -> Ran:
    """Return a run that ended with 0. Raises SystemExit for any other one."""
    if ran.code:
        raise SystemExit(f"exit {ran.code} of `{ran.command}`: {ran.out}")
    return ran


def steps(ran: Ran) -> dict[str, dict[str, object]]:
    """Return the artifacts of a run, as its report lists them."""
    return {each["artifact"]: each for each in json.loads(ran.out)["data"]["steps"]}


def median_ratio(above: list[float], below: list[float]) -> tuple[float, tuple[float, ...]]:
    """Return the median of the ratios round by round, and the ratios."""
    ratios = tuple(round(a / b, 4) for a, b in zip(above, below, strict=True))
    return statistics.median(ratios), ratios


__all__ = ["WCT", "Bench", "Command", "Figure", "median_ratio", "steps", "succeeded"]
