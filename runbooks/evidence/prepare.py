"""Makes the material of `evidence.yaml` from this machine, beside this file, in `material/`.

    .venv/bin/python runbooks/evidence/prepare.py

`python/` has the metadata of the Python packages that the interpreter sees; `debian.db` is the
Debian package index, if `apt-cache` knows one (`apt-get update` fetches it).
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from importlib.metadata import distributions
from pathlib import Path

MATERIAL = Path(__file__).with_name("material")


def main() -> None:
    shutil.rmtree(MATERIAL, ignore_errors=True)
    (MATERIAL / "python").mkdir(parents=True)
    count = python_packages(MATERIAL / "python")
    print(f"{count} Python packages")
    rows = list(debian_packages())
    if rows:
        write_index(MATERIAL / "debian.db", rows)
    print(f"{len(rows)} Debian packages")


def python_packages(folder: Path) -> int:
    """Copy each package's metadata, byte for byte; return how many there are."""
    found = {}
    for package in distributions(path=sys.path):
        text = package.read_text("METADATA")
        if text is not None and package.name != "waivern":  # this one is our own
            found[f"{package.name}.txt"] = text
    for name, text in sorted(found.items()):
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return len(found)


def debian_packages() -> Iterator[tuple[str, str, str]]:
    """Yield (package, version, maintainer) of the package index; nothing if there is none."""
    apt = shutil.which("apt-cache")
    if apt is None:
        return
    dump = subprocess.run([apt, "dumpavail"], capture_output=True, check=True)  # noqa: S603
    for paragraph in dump.stdout.decode(errors="replace").split("\n\n"):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] > " "
        )
        if "Package" in fields:
            yield fields["Package"], fields.get("Version", ""), fields.get("Maintainer", "")


def write_index(path: Path, rows: Iterable[tuple[str, str, str]]) -> None:
    """Write the packages, and each different maintainer with how many packages are theirs."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE packages (package TEXT, version TEXT, maintainer TEXT)")
        database.executemany("INSERT INTO packages VALUES (?, ?, ?)", rows)
        database.execute(
            "CREATE TABLE maintainers AS SELECT maintainer, count(*) AS packages "
            "FROM packages GROUP BY maintainer ORDER BY maintainer"
        )


if __name__ == "__main__":
    main()
