"""Large sources: memory, bytes read, and what a run folder holds, as JSON files and as a table.

    python benchmarks/data/large_sources.py [--only filler-1GB,changed] [--again] [--scale 10]
        [--src SRC] [--folder DIR] [--out DIR]

Each case writes one file with every command it ran and what that took; a case whose file is there
is not measured again, unless `--again`. `--scale 10` makes all sources ten times smaller, `--src`
runs the code of another version. The sources (up to 10 GB) are written to a folder of their own
below `--folder`, and removed at the end. The table is made from the files: `table.md`. All cases
take about half an hour on two idle processors, and 11 GB of disk space.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import tempfile
from pathlib import Path

import cases
from process import Place

HERE = Path(__file__).parent


def main() -> None:
    """Measure the cases that were asked for and have no results, and print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default=",".join(cases.CASES))
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--scale", type=int, default=1)
    parser.add_argument("--src", type=Path)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "results")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    sources = Path(tempfile.mkdtemp(prefix="data-", dir=asked.folder))
    try:
        for name in asked.only.split(","):
            result = asked.out / f"{name}.json"
            if asked.again or not result.exists():
                print(f"{name} ...", flush=True)
                document = measured(name, sources, asked.scale, asked.src)
                result.write_text(json.dumps(document, indent=1) + "\n")
    finally:
        shutil.rmtree(sources)
    (asked.out / "table.md").write_text(table(asked.out) + "\n")
    print(table(asked.out))


def measured(name: str, sources: Path, scale: int, src: Path | None) -> dict[str, object]:
    """Measure one case in a folder of its own, which is removed."""
    folder = sources / f"case-{name}"
    folder.mkdir()
    shutil.copytree(HERE / "parts", folder / "parts")
    shutil.copy(HERE / "progress.py", folder)
    (folder / "waivern.yaml").write_text("component_paths: [parts]\n")
    place = Place(folder, src)
    try:
        figures = cases.CASES[name](place, sources, scale)
    finally:
        shutil.rmtree(folder)
    return {
        "case": name,
        "scale": scale,
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[1], 1),
        "figures": [figure._asdict() for figure in figures],
        "commands": [ran.document() for ran in place.ran],
    }


def table(results: Path) -> str:
    """Return the figures of all results as a Markdown table."""
    lines = ["| case | figure | measured | must reach |", "|---|---|---|---|"]
    peaks: dict[str, list[float]] = {}
    for name in cases.CASES:
        path = results / f"{name}.json"
        if path.exists():
            document = json.loads(path.read_text())
            smaller = f" / {document['scale']}" if document["scale"] != 1 else ""
            figures = [cases.Figure(**each) for each in document["figures"]]
            lines += [row(name + smaller, figure) for figure in figures]
            for figure in figures:
                if figure.figure == "peak memory, scan" and name.startswith("filler"):
                    peaks.setdefault(name.partition("B")[2], []).append(figure.value or 0)
    for search, found in peaks.items():
        lines.append(row(f"filler{search}, {len(found)} sizes", cases.same_memory(found)))
    return "\n".join(lines)


def row(case: str, figure: cases.Figure) -> str:
    """Return a row of the table; a value that is missed is marked."""
    missed = " **no**" if figure.met is False else ""
    return f"| {case} | {figure.figure} | {figure.measured}{missed} | {figure.limit} |"


if __name__ == "__main__":
    main()
