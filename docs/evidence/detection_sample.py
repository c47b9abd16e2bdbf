"""Print a seeded sample of the values found in a tree: `python detection_sample.py TREE [COUNT]`.

One line for each: type, place, confidence, test data, masked evidence, what stands around it. The
types take turns until COUNT (100) are drawn, so rare types are read as closely as common ones.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from pathlib import Path

from waivern.detection import mask, scan

SEED = 20261121


def main(root: Path, count: int) -> None:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            continue
        for match in scan(text):
            line = text.count("\n", 0, match.start) + 1
            around = text[max(0, match.start - 70) : match.end + 30].replace("\n", "⏎")
            evidence = mask(match.type, text[match.start : match.end])
            told = (match.type, f"{path.relative_to(root)}:{line}", match.confidence, match.sample)
            found[match.type].append("\t".join(map(str, (*told, evidence, around))))
    chance = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    piles = [chance.sample(lines, len(lines)) for _, lines in sorted(found.items())]
    drawn: list[str] = []
    while len(drawn) < count and any(piles):
        drawn += [pile.pop() for pile in piles if pile][: count - len(drawn)]
    print("\n".join(sorted(drawn)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 100)
