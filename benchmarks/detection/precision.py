"""Precision on real trees: a sample of what is reported, for a person who reads each place.

python benchmarks/detection/precision.py sample FOLDER SAMPLE.tsv [--places PLACES.txt]
python benchmarks/detection/precision.py table VERDICTS.tsv
python benchmarks/detection/precision.py again FOLDER VERDICTS.tsv

`sample` searches the trees below FOLDER (see precision_trees.py) and writes up to 100 findings of
each type, spread over the trees and their files; PLACES.txt shows each in its surroundings and is
not for a repository, as its lines belong to the trees. `table` counts the verdicts by type. `again`
searches the same files once more, and counts what is still reported: of the false findings none
should be, of the true ones all.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from waivern.detection import context_for_next, field_names, load_ruleset, mask, scan

SEED = 20261130
MOST = 100
PIECE = 1 << 21
"""Characters that are searched at once, as by the processor `personal_data`."""
COLUMNS = ("type", "tree", "path", "line", "confidence", "test_data", "evidence", "label", "rule")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    sampling = commands.add_parser("sample")
    sampling.add_argument("folder", type=Path)
    sampling.add_argument("sample", type=Path)
    sampling.add_argument("--places", type=Path)
    counting = commands.add_parser("table")
    counting.add_argument("verdicts", type=Path)
    repeating = commands.add_parser("again")
    repeating.add_argument("folder", type=Path)
    repeating.add_argument("verdicts", type=Path)
    chosen = parser.parse_args()
    if chosen.command == "table":
        print(table(chosen.verdicts.read_text(encoding="utf-8")))
    elif chosen.command == "again":
        print(again(chosen.folder, chosen.verdicts.read_text(encoding="utf-8")))
    else:
        write_sample(chosen.folder, chosen.sample, chosen.places)


def write_sample(folder: Path, sample: Path, places: Path | None) -> None:
    found: defaultdict[str, list[tuple[tuple[str, ...], str]]] = defaultdict(list)
    sizes: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for tree in sorted(path for path in folder.iterdir() if path.is_dir()):
        for path in sorted(path for path in tree.rglob("*") if path.is_file()):
            data = path.read_bytes()
            try:
                text = data.decode()
            except UnicodeDecodeError:
                if b"\0" in data:
                    continue
                text = data.decode("latin-1")
            sizes[tree.name][0] += 1
            sizes[tree.name][1] += len(data)
            for row, around in _in_file(text):
                place = (row[0], tree.name, str(path.relative_to(tree)), *row[1:])
                found[row[0]].append((place, around))
    for name, (files, size) in sizes.items():
        print(f"{name}: {files:,} text files, {size / 1e6:.1f} MB")
    drawn = [each for kind in sorted(found) for each in _drawn(found[kind])]
    for kind in sorted(found):
        print(f"{kind}: {len(found[kind]):,} found")
    lines = ["\t".join(COLUMNS), *("\t".join(row) for row, _ in drawn), ""]
    sample.write_text("\n".join(lines), encoding="utf-8")
    if places:
        shown = (
            f"{number}\t{row[0]}\t{row[1]}/{row[2][-50:]}:{row[3]}\t{row[4]}\t{around}"
            for number, (row, around) in enumerate(drawn, 2)
        )
        places.write_text("\n".join([*shown, ""]), encoding="utf-8")


def _in_file(text: str) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield type, line, confidence, test data, evidence, label and rule of each finding."""
    line, at = 1, 0
    for start, end, row in sorted([*_values(text), *_fields(text)]):
        line, at = line + text.count("\n", at, start), start
        around = (
            text[max(0, start - 70) : start] + "⟦" + text[start:end] + "⟧" + text[end : end + 40]
        )
        kind, *rest = row
        yield (kind, str(line), *rest), " ".join(around.split())


def _values(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    context, at = "", 0
    while at < len(text):
        end = min(len(text), at + PIECE)
        if end < len(text):
            end = text.rfind("\n", at, end) + 1 or end
        searched = context + text[at:end]
        for match in scan(searched, begin=len(context), piece=end < len(text) or at > 0):
            value = searched[match.start : match.end]
            shown = " ".join(mask(match.type, value).split())
            start = at - len(context) + match.start
            sure, test = f"{match.confidence:.2f}", "yes" if match.sample else "no"
            label = ", ".join(match.terms)
            yield start, start + len(value), (match.type, sure, test, shown, label, match.rule)
        context = context_for_next(searched)
        at = end


def _fields(text: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
    for use in field_names(text, load_ruleset()):
        term = use.field.term
        name = use.field.name
        row = (f"field: {term.category}", "weak" if term.weak else "sure", "no", name, term.term)
        yield use.start, use.start + len(name), (*row, term.rule)


def _drawn(found: list[tuple[tuple[str, ...], str]]) -> list[tuple[tuple[str, ...], str]]:
    """Return up to MOST findings: the trees take turns, and so do the files of each."""
    chance = random.Random(SEED)
    trees: dict[str, dict[str, dict[str, tuple[tuple[str, ...], str]]]] = {}
    for row, around in found:
        # The same value in the same file is read once.
        value = around.partition("⟦")[2].partition("⟧")[0]
        trees.setdefault(row[1], {}).setdefault(row[2], {}).setdefault(value, (row, around))
    piles = []
    for files in trees.values():
        shuffled = [chance.sample(list(each.values()), len(each)) for each in files.values()]
        chance.shuffle(shuffled)
        turns = max(map(len, shuffled))
        piles.append([pile[turn] for turn in range(turns) for pile in shuffled if turn < len(pile)])
    drawn = []
    for turn in range(max(map(len, piles))):
        drawn += [pile[turn] for pile in piles if turn < len(pile)]
    return sorted(drawn[:MOST])


def again(folder: Path, verdicts: str) -> str:
    """Return how many of the findings with a verdict are still reported in their files."""
    counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    files: defaultdict[Path, list[dict[str, str]]] = defaultdict(list)
    for each in _rows(verdicts):
        files[folder / each["tree"] / each["path"]].append(each)
    for path, findings in files.items():
        text = path.read_bytes().decode("utf-8", "replace")
        found = {(row[0], row[1], row[4]) for row, _ in _in_file(text)}
        for each in findings:
            count = counts[each["type"], each["verdict"]]
            count[0] += (each["type"], each["line"], each["evidence"]) in found
            count[1] += 1
    lines = ["| type | verdict | still reported | of |", "|---|---|---|---|"]
    for (kind, verdict), (still, of) in sorted(counts.items()):
        lines.append(f"| {kind} | {verdict} | {still} | {of} |")
    return "\n".join(lines)


def _rows(verdicts: str) -> list[dict[str, str]]:
    head, *rows = [line.split("\t") for line in verdicts.splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


def table(verdicts: str) -> str:
    """Return the precision by type, from a sample with the columns `verdict` and `reason`."""
    counts: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
    for each in _rows(verdicts):
        counts[each["type"]][0] += each["verdict"] == "true"
        counts[each["type"]][1] += 1
    lines = ["| type | true | read | precision |", "|---|---|---|---|"]
    for kind, (true, read) in sorted(counts.items()):
        lines.append(f"| {kind} | {true} | {read} | {true / read:.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
