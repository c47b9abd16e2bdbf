"""Counts the addresses in the material of `evidence.yaml` with grep and SQL, beside a run's answer.

    .venv/bin/python runbooks/evidence/compare.py [--files] [--lines] [RUN FOLDER]

The run folder is .waivern/latest unless given. `--files` prints the two counts of every Python
package, `--lines` every place where the two differ: grep's count, then wct's.
Nothing of waivern is imported: a run folder is plain files.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import subprocess
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ADDRESS = r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
Place = tuple[str, int]
"""A file and a line."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", nargs="?", default=".waivern/latest", type=Path)
    parser.add_argument("--files", action="store_true")
    parser.add_argument("--lines", action="store_true")
    given = parser.parse_args()
    shown = given.lines
    packages = HERE / "material" / "python"
    files(given.run, "python_packages", "python_findings", packages, shown, each=given.files)
    documents = Path(os.environ.get("WAIVERN_EVIDENCE_DOC") or "/usr/share/doc")
    files(given.run, "debian_copyrights", "copyright_findings", documents, shown)
    index(given.run, shown)


def content(run: Path, artifact: str) -> Any:
    """Return an artifact's content, or None if the run has it not."""
    path = run / f"{artifact}.json"
    return json.loads(path.read_bytes())["content"] if path.exists() else None


def files(
    run: Path, source: str, findings: str, folder: Path, shown: bool, *, each: bool = False
) -> None:
    """Compare line by line, in the files that the run has read."""
    material, answer = content(run, source), content(run, findings)
    if material is None or answer is None:
        print(f"{source}: not there")
        return
    read = [file["path"] for file in material["files"]]
    named = {masked(path): path for path in read} | {path: path for path in read}
    counted, found = grep(folder, read), Counter[Place]()
    for finding in answer["findings"]:
        for at in finding["locations"]:
            name = named.get(at["file"]) or named[masked(at["file"])]
            found[name, at["line"]] += 1
    report(source, len(read), counted, found)
    for path in read if each else ():
        of_file = (sum(n for (name, _), n in c.items() if name == path) for c in (counted, found))
        print(" ", *of_file, path)
    if shown:
        for name, number in sorted({*counted, *found}):
            if (grepped := counted[name, number]) != (hits := found[name, number]):
                line = (folder / name).read_bytes().split(b"\n")[number - 1]
                print(f"  {grepped} {hits} {name}:{number}: {line.decode().strip()}")


def masked(path: str) -> str:
    """Return a path as it can be looked up: findings have '*' for digits that might be a value."""
    return re.sub("[0-9*]", "*", path)


def grep(folder: Path, names: list[str]) -> Counter[Place]:
    """Count with grep: addresses by file and line."""
    counted = Counter[Place]()
    command = ["grep", "-a", "-H", "-n", "-o", "-Z", "-E", ADDRESS, "--"]
    for start in range(0, len(names), 500):
        done = subprocess.run(  # noqa: S603 - the names stand behind `--`
            [*command, *names[start : start + 500]],
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            capture_output=True,
            check=False,  # 1: no line fits
        )
        for hit in done.stdout.splitlines():
            name, _, rest = hit.partition(b"\0")
            counted[name.decode(), int(rest.partition(b":")[0])] += 1
    return counted


def report(what: str, of: int, counted: Counter[Place], found: Counter[Place]) -> None:
    places = {*counted, *found}
    more = sum(max(0, counted[at] - found[at]) for at in places)
    less = sum(max(0, found[at] - counted[at]) for at in places)
    print(f"{what}: {of} files, grep {counted.total()}, wct {found.total()}")
    differ = sum(counted[at] != found[at] for at in places)
    print(f"  grep only {more}, wct only {less}, on {differ} lines")


def index(run: Path, shown: bool) -> None:
    """Compare column by column, and maintainer by maintainer."""
    answer = content(run, "index_findings")
    if answer is None:
        print("debian_index: not there")
        return
    with closing(sqlite3.connect(HERE / "material" / "debian.db")) as database:
        for table in ("packages", "maintainers"):
            (rows, counted) = database.execute(
                f"SELECT count(*), sum(maintainer LIKE '%_@_%._%') FROM {table}"  # noqa: S608
            ).fetchone()
            hits = Counter[str]()
            for finding in answer["findings"]:
                place = finding["locations"][0]
                if place["table"] == table:
                    hits[place["column"]] += finding["total"]
            print(f"debian_index {table}: {rows} rows, SQL {counted}, wct {dict(hits)}")
        if shown:
            known = [text for (text,) in database.execute("SELECT maintainer FROM maintainers")]
            rows_found = {
                place["row"]
                for finding in answer["findings"]
                for place in finding["locations"]
                if place["table"] == "maintainers" and place["column"] == "maintainer"
            }
            for n, text in enumerate(known):
                if n not in rows_found:
                    print(f"  1 0 maintainers row {n}: {text}")


if __name__ == "__main__":
    main()
