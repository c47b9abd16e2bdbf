"""Conditions over record streams: the same answers as over lists, with one record in memory."""

from __future__ import annotations

import hashlib
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.errors import IntegrityError
from waivern.language.conditions import Condition, EvaluationError
from waivern.record_stream import RecordStream

ROOTS = frozenset({"inputs"})
RECORDS: list[dict[str, Any]] = [
    {"type": "EMAIL", "level": 3, "open": True, "at": [{"row": 1}, {"row": 2}]},
    {"type": "IBAN", "level": 1, "open": False, "at": []},
    {"type": "NAME", "level": 2, "open": False, "at": [{"row": 7}], "note": None},
]


def stream(records: list[Any], chunk: int = 7) -> RecordStream:
    """Return a stream of these records, which is read in chunks of so many bytes."""
    data = b"".join(json.dumps(each).encode() + b"\n" for each in records)

    def chunks(start: int) -> Iterator[bytes]:
        return (data[at : at + chunk] for at in range(start, len(data), chunk))

    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return RecordStream("found", len(records), len(data), digest, chunks)


def answer(text: str, records: Any) -> object:
    """Return the answer, or the message of the error."""
    scope = {"inputs": {"scan": {"found": records, "total": 3}}}
    try:
        condition = Condition.parse(text, ROOTS)
        return condition.evaluate(scope), condition.explain(scope, str)
    except EvaluationError as error:
        return error.message


CONDITIONS = [
    "count(inputs.scan.found) == 3",
    "count(inputs.scan.found[*]) == inputs.scan.total",
    "count(inputs.scan.found[*].at[*]) == 3",
    "'IBAN' in inputs.scan.found[*].type",
    "'none' not in inputs.scan.found[*].type",
    "any(inputs.scan.found[*].open) and not all(inputs.scan.found[*].open)",
    "sum(inputs.scan.found[*].level) == 6",
    "min(inputs.scan.found[*].level) + max(inputs.scan.found[*].level) == 4",
    "max(inputs.scan.found[*].at[*].row) == 7",
    "inputs.scan.found[0].type == 'EMAIL' and inputs.scan.found[-1].type == 'NAME'",
    "inputs.scan.found[*].level == [3, 1, 2]",
    "inputs.scan.found[*].level == inputs.scan.found[*].level",
    "inputs.scan.found == inputs.scan.found",
    "exists(inputs.scan.found[*].note)",
    "exists(inputs.scan.found[*].nothing) or exists(inputs.scan.found[3])",
    "exists(inputs.scan.found[2].at[0].row)",
    # no answer: the message is the same
    "any(inputs.scan.found[*].level)",
    "sum(inputs.scan.found[*].type) == 1",
    "'EMAIL' in inputs.scan.found[*].note",
    "inputs.scan.found[3].type == 'x'",
    "inputs.scan.found.type == 'x'",
    "inputs.scan.found[*].at[*].column == []",
    "inputs.scan.found > 1",
]


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_stream_is_a_list(text: str) -> None:
    assert answer(text, stream(RECORDS)) == answer(text, RECORDS)


@pytest.mark.parametrize("text", CONDITIONS)
def test_an_empty_stream_is_an_empty_list(text: str) -> None:
    assert answer(text, stream([])) == answer(text, [])


_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["EMAIL", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["row"]), inner),
    max_leaves=4,
)
_RECORD = st.dictionaries(st.sampled_from(["type", "level", "open", "at", "note"]), _VALUE)


@settings(deadline=None, max_examples=200)
@given(st.lists(_RECORD, max_size=5), st.sampled_from(CONDITIONS), st.integers(1, 40))
def test_any_stream_is_a_list(records: list[Any], text: str, chunk: int) -> None:
    over_stream, over_list = answer(text, stream(records, chunk)), answer(text, records)
    if isinstance(over_list, str):  # of several faults, another one may be met first
        assert isinstance(over_stream, str)
    else:
        assert over_stream == over_list


def test_a_faulty_item_has_no_answer_wherever_it_is() -> None:
    late = [*RECORDS, {"type": "LAST", "level": 1, "at": []}]
    for text in ("any(inputs.scan.found[*].open)", "true in inputs.scan.found[*].open"):
        assert answer(text, stream(late)) == answer(text, late)
        assert "item [3] of `inputs.scan.found[*]` has no field 'open'" in str(answer(text, late))


def test_an_explanation_shows_no_content() -> None:
    _, of_list = cast(
        tuple[object, str], answer("'IBAN' in inputs.scan.found[*].type", stream(RECORDS))
    )
    assert of_list == "inputs.scan.found[*].type = a list of 3"
    _, of_item = cast(
        tuple[object, str], answer("inputs.scan.found[0].type == 'EMAIL'", stream(RECORDS))
    )
    assert of_item == "inputs.scan.found[0].type = text of 5 characters"


def test_an_altered_stream_has_no_answer() -> None:
    good = stream(RECORDS)
    altered = RecordStream("found", 3, good.size, "sha256:0", good.chunks)
    with pytest.raises(IntegrityError):
        answer("any(inputs.scan.found[*].open)", altered)


@pytest.mark.sweep
def test_a_large_stream_is_not_held() -> None:
    line = json.dumps({"type": "EMAIL", "open": False, "text": "x" * 2_000}).encode() + b"\n"
    count, block = 20_000, line * 20
    found = hashlib.sha256()
    for _ in range(count // 20):
        found.update(block)
    many = RecordStream(
        "found",
        count,
        count * len(line),
        f"sha256:{found.hexdigest()}",
        lambda _at: (block for _ in range(count // 20)),
    )
    tracemalloc.start()
    try:
        said = answer(
            "any(inputs.scan.found[*].open) or 'x' in inputs.scan.found[*].type "
            "or count(inputs.scan.found) == 0 or inputs.scan.found[-1].type == 'x'",
            many,
        )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(said, tuple)
    assert said[0] is False
    assert peak < 2_000_000  # of 40 MB
