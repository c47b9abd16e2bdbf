"""Strict F1 on labelled cases, and exact matches on documents written for this project."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from waivern.detection import scan

DATA = Path(__file__).parent / "data"
SHARED = (
    "EMAIL_ADDRESS",
    "CREDIT_CARD",
    "IBAN_CODE",
    "IP_ADDRESS",
    "PHONE_NUMBER",
    "US_SSN",
    "UK_NINO",
    "UK_NHS",
    "MAC_ADDRESS",
)
Span = tuple[int, int]


def cases(name: str) -> list[dict[str, Any]]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def judged(case: dict[str, Any]) -> Iterator[tuple[str, set[Span] | int, set[Span]]]:
    """Yield (type, what is right or how many are, what was found) for each type of the case."""
    found: defaultdict[str, set[Span]] = defaultdict(set)
    for match in scan(case["text"]):
        found[match.type].add((match.start, match.end))
    if "labels" in case:
        for kind in case["closed"]:
            yield kind, {(a, b) for t, a, b in case["labels"] if t == kind}, found[kind]
    elif not case["weak"]:
        spans = case["spans"]
        right = case["count"] if spans is None else {(a, b) for a, b in spans}
        yield case["type"], right, found[case["type"]]


def score(name: str, half: int | None = None) -> dict[str, tuple[int, int, int]]:
    """Return true positives, false positives and misses by type."""
    totals: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for n, case in enumerate(cases(name)):
        if half is not None and n % 2 != half:
            continue
        for kind, right, found in judged(case):
            if kind not in SHARED and "labels" not in case:
                continue
            if isinstance(right, int):
                hit = min(right, len(found))
                add = (hit, len(found) - hit, right - hit)
            else:
                add = (len(right & found), len(found - right), len(right - found))
            totals[kind] = [a + b for a, b in zip(totals[kind], add, strict=True)]
    return {kind: (a, b, c) for kind, (a, b, c) in sorted(totals.items())}


def f1(counts: tuple[int, int, int]) -> float:
    hit, false, missed = counts
    return 2 * hit / (2 * hit + false + missed) if any(counts) else 1.0


def micro(by_type: dict[str, tuple[int, int, int]], kinds: tuple[str, ...]) -> float:
    columns = zip(*(by_type[kind] for kind in kinds), strict=True)
    hit, false, missed = (sum(column) for column in columns)
    return f1((hit, false, missed))


@pytest.mark.parametrize(
    ("name", "half"),
    [
        ("cases_open.jsonl", None),
        ("docs_open.jsonl", None),
        ("docs_open.jsonl", 0),
        ("docs_open.jsonl", 1),
    ],
)
def test_strict_f1_on_the_nine_shared_types_is_at_least_0_90(name: str, half: int | None) -> None:
    by_type = score(name, half)
    print(f"\n{name} half={half}")
    for kind, counts in by_type.items():
        print(f"{kind:16} tp={counts[0]:4} fp={counts[1]:3} fn={counts[2]:3} F1={f1(counts):.3f}")
    assert set(SHARED) <= set(by_type)
    assert micro(by_type, SHARED) >= 0.90


def test_every_closed_type_of_the_documents_is_at_least_0_90() -> None:
    by_type = score("docs_open.jsonl")
    assert len(by_type) == 16
    assert {kind: f1(c) for kind, c in by_type.items() if f1(c) < 0.90} == {}


def own_documents() -> list[tuple[str, str, list[tuple[str, str]]]]:
    source = (DATA / "own.txt").read_text(encoding="utf-8")
    parts = re.split(r"^==== (.+)\n", source, flags=re.MULTILINE)[1:]
    documents = []
    for name, marked in zip(parts[::2], parts[1::2], strict=True):
        labels = re.findall(r"⟦(\w+)\|([^⟧]+)⟧", marked)
        documents.append((name, re.sub(r"⟦\w+\|([^⟧]+)⟧", r"\1", marked), labels))
    return documents


@pytest.mark.parametrize("document", own_documents(), ids=lambda document: str(document[0]))
def test_documents_written_for_this_project(
    document: tuple[str, str, list[tuple[str, str]]],
) -> None:
    _, text, labels = document
    assert [(m.type, text[m.start : m.end]) for m in scan(text)] == labels
