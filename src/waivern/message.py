"""Messages: the values of artifacts, and the exact bytes of their files."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self, TypeAlias

from waivern.errors import ComponentError, IntegrityError
from waivern.record_stream import RECORD_BYTES, RecordStream

Json: TypeAlias = Any
"""A JSON value: None, bool, int, finite float, str, list of Json, dict from str to Json.

Not spelled out as a recursive type because it comes from components; `encode` checks it.
"""

MAX_DEPTH = 200
"""The maximal nesting of content; the compiled JSON writer stops at 255."""


class SchemaRef(NamedTuple):
    """The name and version of the schema of a message's content."""

    name: str
    version: str = "1.0.0"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse 'name' (version 1.0.0) or 'name/1.2.3'."""
        name, _, version = text.partition("/")
        return cls(name, version or "1.0.0")

    def __str__(self) -> str:
        return f"{self.name}/{self.version}"


ANY_JSON = SchemaRef("json")
"""The schema of content without a description."""


StreamKind: TypeAlias = Literal["records", "items"]
"""The record streams that an artifact may have: `Message.records` and `Message.items`."""
STREAMS: tuple[StreamKind, ...] = ("records", "items")


@dataclass(frozen=True)
class Message:
    """An artifact's value: its content, its schema and its origin."""

    id: str
    content: Json
    schema: SchemaRef = ANY_JSON
    context: dict[str, Json] = field(default_factory=dict)
    run_id: str | None = None
    source: str | None = None
    """`connector:<type>`, `processor:<type>` or `reuse:<run>/<artifact>`."""
    timestamp: str | None = None
    """The time of its production: RFC 3339, UTC, `Z`."""
    extensions: dict[str, Json] = field(default_factory=dict)
    """`execution {status, error, duration_seconds, origin, alias}`, `coverage`, `catalogue`, and
    `redacted` if its content or evidence was destroyed."""
    records: RecordStream | None = field(default=None, compare=False)
    """The list that is not in `content`, because it is too large to be held; None: all is there."""
    items: RecordStream | None = field(default=None, compare=False)
    """What was produced from each item of the inputs, for later runs; None: that is not known."""

    @property
    def streams(self) -> dict[StreamKind, RecordStream]:
        """Its record streams, by kind; most messages have none."""
        if self.records is None and self.items is None:
            return {}
        both: dict[StreamKind, RecordStream | None] = {"records": self.records, "items": self.items}
        return {kind: stream for kind, stream in both.items() if stream is not None}

    @property
    def complete_content(self) -> Json:
        """The content with the list that is missing from it: the stream, to be iterated."""
        if self.records is None:
            return self.content
        return {**self.content, self.records.name: self.records}

    @property
    def redaction(self) -> dict[str, Json] | None:
        """Who destroyed its content or evidence, when and why; None if it is as it was produced."""
        found = self.extensions.get("redacted")
        return found if isinstance(found, dict) else None

    def with_origin(self, *, run_id: str, source: str) -> Self:
        """Return the same value as an artifact of another run."""
        return replace(self, run_id=run_id, source=source)


StreamReader: TypeAlias = Callable[[StreamKind], Callable[[int], Iterator[bytes]]]
"""Returns, for a stream of an artifact, the function that reads its bytes from a position on."""


class Encoded(NamedTuple):
    """A message as the bytes of its file, with the digests for the journal."""

    data: bytes
    digest: str
    """`sha256:` of the file's bytes, as `sha256sum` prints it."""
    content_digest: str
    """`sha256:` of the content alone, independent of the envelope and the layout of the file.

    The order of keys is part of it, because components see that order. See `content_digest`.
    """


def sha256(data: bytes) -> str:
    """Return the digest of `data` as 'sha256:<hex>'."""
    import hashlib

    return "sha256:" + hashlib.sha256(data).hexdigest()


def content_digest(content: Json, records: RecordStream | None = None) -> str:
    """Return the digest of content: of its compact JSON, keys in their order.

    With `records`, the list that is not in `content`, the compact JSON of the list's name and
    digest follows. Raises ComponentError, naming the place, if the content is not JSON.
    """
    return _content_digest(_canonical(content), records)


def document_digest(document: dict[str, Json]) -> str:
    """Return the `content_digest` of a document that this program has composed of JSON values.

    The check whether it is JSON is left out: it takes as long as all the rest.
    """
    return sha256(_compact(document).encode())


def _content_digest(canonical: bytes, records: RecordStream | None) -> str:
    if records is not None:
        canonical += _canonical([records.name, records.digest])
    return sha256(canonical)


def record_line(record: Json, number: int) -> bytes:
    """Return the line of a record stream that has a record: its canonical JSON, and a line end.

    Raises ComponentError if it is not JSON or too large; `number` is then named, from 1.
    """
    line = _canonical(record, f"record {number:,}")
    if len(line) > RECORD_BYTES:
        raise ComponentError(
            f"record {number:,} has {len(line):,} bytes (limit: {RECORD_BYTES:,})",
            hint="yield its parts as records of their own",
        )
    return line + b"\n"


def json_bytes(document: dict[str, Json]) -> bytes:
    """Return a document as a file that people read: 2-space indent, newline at the end."""
    from pydantic_core import to_json

    return to_json(document, indent=2) + b"\n"


def encode(message: Message) -> Encoded:
    """Return the bytes of the message's file, which names the message's record streams.

    Raises ComponentError if they cannot be JSON.
    """
    from pydantic_core import to_json

    canonical = _canonical(message.content)
    document = {
        "id": message.id,
        **_streams(message),
        "content": message.content,
        "schema": {"name": message.schema.name, "version": message.schema.version},
        "context": message.context,
        "run_id": message.run_id,
        "source": message.source,
        "timestamp": message.timestamp,
        "extensions": message.extensions,
    }
    try:
        data = to_json(document, indent=2) + b"\n"
    except ValueError as error:  # only the envelope can be wrong: the content has been checked
        raise ComponentError(f"what describes the content is not JSON: {error}") from error
    return Encoded(data, sha256(data), _content_digest(canonical, message.records))


def _streams(message: Message) -> dict[str, Json]:
    """Return the keys of a message's file that describe its record streams."""
    found: dict[str, Json] = {}
    if (records := message.records) is not None:
        if not isinstance(message.content, dict) or records.name in message.content:
            raise ComponentError(
                f"content that has its list '{records.name}' as records must be an object "
                "without that key"
            )
        found["records"] = records.document()
    if (items := message.items) is not None:
        found["items"] = {key: v for key, v in items.document().items() if key != "list"}
    return found


def _elsewhere(kind: StreamKind) -> Callable[[int], Iterator[bytes]]:
    """Refuse to read a stream of a message that was decoded without a reader."""

    def read(_at: int) -> Iterator[bytes]:
        raise IntegrityError(f"the {kind} of this artifact are in another file")

    return read


def decode(data: bytes, reader: StreamReader = _elsewhere) -> Message:
    """Return the message in the bytes of an artifact file; `reader` reads its record streams.

    Raises IntegrityError if they are not one: this is what a damaged file looks like.
    """
    try:
        document = _parsed(data.decode(errors="surrogatepass"))
        schema = document["schema"]
        id_, context, run_id, source, timestamp, extensions = _described(document)
        return Message(
            id=id_,
            content=document["content"],
            schema=SchemaRef(_one_of(str, schema["name"]), _one_of(str, schema["version"])),
            context=context or {},
            run_id=run_id,
            source=source,
            timestamp=timestamp,
            extensions=extensions or {},
            records=_stream(document, "records", reader) if "records" in document else None,
            items=_stream(document, "items", reader) if "items" in document else None,
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise IntegrityError(f"not an artifact file: {type(error).__name__}: {error}") from error


def _stream(document: Json, kind: StreamKind, reader: StreamReader) -> RecordStream | None:
    described = document.get(kind)
    if described is None:
        return None
    name = described["list"] if kind == "records" else kind
    if kind == "records" and name in _one_of(dict, document["content"]):
        raise ValueError(f"the list '{name}' is there twice")
    return RecordStream(
        _one_of(str, name),
        _one_of(int, described["count"]),
        _one_of(int, described["size"]),
        _one_of(str, described["digest"]),
        reader(kind),
    )


_parsed = json.JSONDecoder().decode
_TEXT, _OBJECT = (str, type(None)), (dict, type(None))
"""Not `str | None`: to evaluate that for each file takes as long as ten checks."""
_ENVELOPE: dict[str, Any] = {
    "id": str,
    "context": _OBJECT,
    "run_id": _TEXT,
    "source": _TEXT,
    "timestamp": _TEXT,
    "extensions": _OBJECT,
}
"""The keys of an artifact file that describe its content, with the types that they may have."""
_TYPES = tuple(_ENVELOPE.values())


def _described(document: Json) -> list[Json]:
    """Return the values of `_ENVELOPE`."""
    found = [document[key] for key in _ENVELOPE]
    if not all(map(isinstance, found, _TYPES)):
        raise TypeError("a key around the content has a value of another type")
    return found


def _one_of(kind: Any, value: Json) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"a {type(value).__name__} where none should be")
    return value


_compact = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


def _canonical(content: Json, title: str = "content") -> bytes:
    try:
        data = _compact(content).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _not_json(content, error, title) from error
    if not _shaped(content):
        raise _not_json(content, None, title)
    return data


_LEAVES = frozenset({str, int, float, bool, type(None)})


def _shaped(content: Json, depth: int = MAX_DEPTH) -> bool:
    """Return whether all keys are text (json would turn 1 into "1") and nothing is too deep.

    Only for content that json could write, which is therefore no circle. Every record of a stream
    passes here: plain values are recognised by their exact types, which is four times as fast.
    """
    if isinstance(content, dict):
        for key in content:
            if type(key) is not str and not isinstance(key, str):
                return False
        values: Iterable[Json] = content.values()
    elif isinstance(content, (list, tuple)):
        values = content
    else:
        return True
    if not depth:
        return False
    for value in values:  # twice as fast as all()
        if type(value) not in _LEAVES and not _shaped(value, depth - 1):
            return False
    return True


def _not_json(content: Json, error: Exception | None, title: str) -> ComponentError:
    from waivern.json_faults import first_fault  # most content is JSON

    fact, remedy = first_fault(content, MAX_DEPTH) or (str(error), "")
    return ComponentError(
        f"{title} is not JSON: {fact}",
        hint=remedy or "return only None, booleans, numbers, text, lists and dicts with text keys",
    )
