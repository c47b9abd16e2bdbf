"""Events as journal records: there and back, forward compatible, never guessed at."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.clock import rfc3339
from waivern.errors import IntegrityError
from waivern.ids import SCHEMA_VERSION
from waivern.record.fold import RunRecord
from waivern.record.journal_events import (
    AttemptEndedRecord,
    Event,
    RunStartedRecord,
    from_record,
    to_record,
)
from waivern.record.run_metadata import RunMetadata

KINDS: tuple[type[Any], ...] = get_args(Event)

TEXT = st.text(max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)
SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(0, 1 << 40),
    type(None): st.none(),
    Any: JSON,
}


def any_of(hint: Any) -> st.SearchStrategy[Any]:
    """Build values of a declared type."""
    inner = [any_of(each) for each in get_args(hint)]
    if get_origin(hint) is list:
        return st.lists(inner[0], max_size=2)
    if get_origin(hint) is dict:
        return st.dictionaries(inner[0], inner[1], max_size=2)
    return st.one_of(inner) if inner else SIMPLE[hint]


def any_event(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Build events of a kind from what its fields are declared to be."""
    hints = get_type_hints(kind)
    return st.builds(kind, **{field: any_of(hint) for field, hint in hints.items()})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_there_and_back(kind: type[Any], data: st.DataObject) -> None:
    event = data.draw(any_event(kind))
    record = to_record(event)
    assert next(iter(record)) == "type"
    assert from_record(json.loads(json.dumps(record))) == event


@pytest.mark.parametrize("record", [{"type": "artifact_teleported"}, {"type": ""}, {}, {"at": "x"}])
def test_an_unknown_type_is_refused(record: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError, match="unknown type") as raised:
        from_record(record)
    assert raised.value.hint


def test_unknown_fields_are_left_out() -> None:
    event = AttemptEndedRecord("t", "completed", None, None, 5)
    assert from_record({**to_record(event), "mood": "good", "weather": {"rain": 1}}) == event


def test_fields_that_came_later_may_be_missing() -> None:
    record = to_record(RunStartedRecord("t", "r", [], {}, {}, "/", "n", "1", None, [{"a": "b"}]))
    del record["children"]
    event = from_record(record)
    assert isinstance(event, RunStartedRecord)
    assert event.children == []


def test_a_field_that_must_be_there() -> None:
    record = to_record(AttemptEndedRecord("t", "completed", None, None, 5))
    del record["status"]
    with pytest.raises(IntegrityError, match="incomplete attempt_ended"):
        from_record(record)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1767322645.25, "2026-01-02T02:57:25.250Z"),
        (1767322645.9999, "2026-01-02T02:57:25.999Z"),
        (-0.5, "1969-12-31T23:59:59.500Z"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert rfc3339(seconds) == text


def head() -> dict[str, Any]:
    record = RunRecord(RunStartedRecord("t", "r", ["a"], {}, {"p": 1}, "/", "n", "1", None))
    document: dict[str, Any] = json.loads(json.dumps(record.metadata.document()))
    return document


def test_the_head_there_and_back() -> None:
    assert RunMetadata.from_document(head()).document() == head()
    assert RunMetadata.from_document({**head(), "later": 1}).document() == head()
    assert next(iter(head())) == "schema_version"


@pytest.mark.parametrize(
    "change",
    [{"schema_version": SCHEMA_VERSION + 1}, {"schema_version": "x"}, {"status": "sleeping"}],
)
def test_a_head_that_cannot_be_read(change: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        RunMetadata.from_document({**head(), **change})


@pytest.mark.parametrize("name", ["schema_version", "run_id", "status", "started_at"])
def test_a_head_that_lacks_something(name: str) -> None:
    document = head()
    del document[name]
    with pytest.raises(IntegrityError):
        RunMetadata.from_document(document)
