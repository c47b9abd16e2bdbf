"""A comparison of a store with the file system store: whole runs of 1,000 small artifacts, durable.

    python benchmarks/stores/wide.py [--store sqlite:///{folder}/runs.db] [--rounds 11]
        [--folder F] [--out FILE]

Each round runs the same runbook twice, once for each store, one directly after the other; the one
that is first changes from round to round. Each run has a store of its own, in `--folder`: the
temporary folder unless given, which should be on the device that counts, since both stores wait
for it. The ratio of each round is taken, then their median; other work on the machine lengthens
both. `{folder}` and `{round}` in the URL are replaced.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

OVERHEAD = Path(__file__).parent.parent / "overhead"
sys.path.insert(0, str(OVERHEAD))
import shapes  # noqa: E402
from run import WCT, measure  # noqa: E402

LIMIT = 1.5
"""The ratio of wall time that a store may have."""
COUNT = 1000


def main() -> None:
    """Measure and print each round and the medians."""
    parser = argparse.ArgumentParser(description="A store against the file system store.")
    parser.add_argument("--store", default="sqlite:///{folder}/runs.db")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--folder", type=Path, help="where the stores are")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    lines = [
        f"Python {platform.python_version()}, {os.cpu_count()} processors, {COUNT} artifacts, "
        f"{asked.rounds} rounds of {asked.store.partition(':')[0]} after or before a folder",
        "round   folder: wall  cpu    store: wall  cpu    ratio: wall  cpu",
    ]
    print("\n".join(lines), flush=True)
    folder = Path(tempfile.mkdtemp(prefix="stores-", dir=asked.folder))
    try:
        ratios = []
        for number in range(-1, asked.rounds):  # -1: bytecode, page cache
            wall, cpu, line = one_round(folder, asked.store, number)
            if number >= 0:
                ratios.append((wall, cpu))
                lines.append(line)
                print(line, flush=True)
    finally:
        shutil.rmtree(folder)
    walls, cpus = zip(*ratios, strict=True)
    lines.append(
        f"median ratio: wall {statistics.median(walls):.3f} "
        f"({min(walls):.2f} to {max(walls):.2f}), "
        f"cpu {statistics.median(cpus):.3f} ({min(cpus):.2f} to {max(cpus):.2f}); limit {LIMIT}"
    )
    print(lines[-1])
    if asked.out:
        asked.out.write_text("\n".join(lines) + "\n")


def one_round(folder: Path, store: str, number: int) -> tuple[float, float, str]:
    """Run the runbook in both stores; return the ratios of wall and processor time, and a row."""
    shutil.copy(OVERHEAD / "payload.py", folder)
    (folder / "wide.yaml").write_text(shapes.wide(COUNT))
    place = folder / str(number)
    place.mkdir()
    stores = {
        "folder": str(place / "folder"),
        "store": store.format(folder=place, round=number + 1),
    }
    took = {}
    for name in sorted(stores, reverse=bool(number % 2)):
        took[name] = measure([WCT, "run", "-q", "wide.yaml", "--store", stores[name]], folder)
    shutil.rmtree(place)
    before, after = took["folder"], took["store"]
    wall, cpu = after.wall / before.wall, after.cpu / before.cpu
    row = (
        f"{number:5}   {before.wall:12.3f} {before.cpu:5.3f} {after.wall:12.3f} {after.cpu:5.3f} "
        f"{wall:13.3f} {cpu:5.3f}"
    )
    return wall, cpu, row


if __name__ == "__main__":
    main()
