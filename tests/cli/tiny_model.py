"""A tiny ONNX token classifier, written byte by byte: a table with a label for each token.

Its answer for a token depends on the token alone, so a test knows what it says of a text.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path

LABELS = ("O", "B-GIVEN_NAME", "B-SURNAME", "B-BUILDING_NUMBER", "B-STREET_NAME", "B-CITY")
_FLOAT, _INT64 = 1, 7


def write(folder: Path, words: Mapping[str, str], *, most: int = 64) -> Path:
    """Write a model to a folder that labels these words, and no others, and return the folder."""
    folder.mkdir()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {token: n for n, token in enumerate([*special, *words])}
    tokenizer = {
        "normalizer": {"type": "BertNormalizer", "lowercase": True},
        "model": {"type": "WordPiece", "vocab": vocabulary, "unk_token": "[UNK]"},
    }
    config = {"id2label": dict(enumerate(LABELS)), "max_position_embeddings": most}
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    (folder / "config.json").write_text(json.dumps(config))
    labels = [words.get(token, "O") for token in vocabulary]
    table = [8.0 if LABELS[n] == label else 0.0 for label in labels for n in range(len(LABELS))]
    (folder / "model.onnx").write_bytes(_model(table, len(vocabulary)))
    return folder


def _model(table: list[float], tokens: int) -> bytes:
    """Return a model whose output is the row of `table` for each token of `input_ids`."""
    weights = (
        _field(1, tokens)
        + _field(1, len(LABELS))
        + _field(2, _FLOAT)
        + _field(8, "table")
        + _field(9, struct.pack(f"<{len(table)}f", *table))
    )
    node = _field(1, "table") + _field(1, "input_ids") + _field(2, "logits") + _field(4, "Gather")
    graph = (
        _field(1, node)
        + _field(2, "tiny")
        + _field(5, weights)
        + _field(11, _value("input_ids", _INT64, ("batch", "width")))
        + _field(11, _value("attention_mask", _INT64, ("batch", "width")))
        + _field(12, _value("logits", _FLOAT, ("batch", "width", len(LABELS))))
    )
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 17))


def _value(name: str, kind: int, shape: tuple[str | int, ...]) -> bytes:
    sizes = (_field(2, each) if isinstance(each, str) else _field(1, each) for each in shape)
    dimensions = b"".join(_field(1, size) for size in sizes)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, dimensions)))


def _field(number: int, value: int | str | bytes) -> bytes:
    """Return a field of a protocol buffer."""
    if isinstance(value, int):
        return bytes(_varint(number << 3)) + bytes(_varint(value))
    data = value.encode() if isinstance(value, str) else value
    return bytes(_varint(number << 3 | 2)) + bytes(_varint(len(data))) + data


def _varint(value: int) -> Iterator[int]:
    while value > 127:
        yield value & 127 | 128
        value >>= 7
    yield value
