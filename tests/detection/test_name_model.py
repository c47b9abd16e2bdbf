"""A name model: what it reads, what its word is worth, its budget and its errors."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tiny_model import write

from waivern.detection import scan
from waivern.detection.ner.classifier import Entity, TokenClassifier
from waivern.detection.ner.model_reader import ModelReader
from waivern.detection.ner.wordpiece import WordPiece
from waivern.errors import ComponentError

WORDS = {
    "jurgita": "B-GIVEN_NAME",
    "petraityte": "B-SURNAME",
    "john": "B-GIVEN_NAME",
    "smith": "B-SURNAME",
    "safari": "B-GIVEN_NAME",
    "48": "B-BUILDING_NUMBER",
    "wexford": "B-STREET_NAME",
    "rise": "B-STREET_NAME",
    "springfield": "B-CITY",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "model", WORDS)


@pytest.fixture
def reader(folder: Path) -> ModelReader:
    return ModelReader(TokenClassifier(folder), 60)


def found(text: str, reader: ModelReader | None, **settings: Any) -> list[tuple[str, str, float]]:
    matches = scan(text, model=reader, types={"PERSON", "POSTAL_ADDRESS"}, **settings)
    return [(m.type, text[m.start : m.end], m.confidence) for m in matches]


def test_the_model_finds_names_where_no_place_points_to_them(reader: ModelReader) -> None:
    text = "The parcel of Jurgita Petraityte was lost. We told John Smith about it."
    assert found(text, None) == []
    # A frequent given name corroborates the second one; the first is the model's word alone.
    assert found(text, reader) == [
        ("PERSON", "Jurgita Petraityte", 0.5),
        ("PERSON", "John Smith", 0.8),
    ]


def test_a_place_that_points_to_a_name_makes_it_more_certain(reader: ModelReader) -> None:
    text = "The owner is in the office today, name: Jurgita Petraityte"
    assert found(text, None) == []
    assert found(text, reader) == [("PERSON", "Jurgita Petraityte", 0.75)]


def test_a_single_unknown_word_is_no_name(reader: ModelReader) -> None:
    assert found("We opened the page with Safari and it was slow.", reader) == []


def test_parts_of_an_address_are_one(reader: ModelReader) -> None:
    text = "Please send it to 48 Wexford Rise, Springfield before noon."
    assert found(text, reader) == [("POSTAL_ADDRESS", "48 Wexford Rise, Springfield", 0.6)]
    assert found("We walked along Wexford Rise, Springfield at noon.", reader) == []


def test_what_is_not_prose_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, read = TokenClassifier(folder), list[str]()
    entities = model.entities

    def noted(texts: Sequence[str]) -> Iterator[tuple[int, list[Entity]]]:
        read.extend(texts)
        return entities(texts)

    monkeypatch.setattr(model, "entities", noted)
    code = "x = {'John': [1, 2, 3], 'Smith': (4, 5)}"
    found(
        f"{code}\nall in lower case without a name\nin John Smith we trust\n",
        ModelReader(model, 60),
    )
    assert read == ["in John Smith we trust"]


def test_a_column_is_judged_by_a_few_of_its_values(reader: ModelReader) -> None:
    assert reader.is_name_column(["Jurgita Petraityte", "John Smith", "Xu Qo"])
    assert not reader.is_name_column(["Garden Chair", "Corner Lamp", "John Smith"])
    assert not reader.is_name_column(["Safari", "Safari", "Safari"])


def test_a_long_text_is_read_in_windows(tmp_path: Path) -> None:
    model = TokenClassifier(write(tmp_path / "m", WORDS, most=20))
    text = "and so " * 30 + "John Smith" + " and on" * 30
    ((_, entities),) = model.entities([text])
    assert [(e.type, text[e.start : e.end]) for e in entities] == [("PERSON", "John Smith")]


def test_the_budget_ends_the_reading(folder: Path) -> None:
    reader = ModelReader(TokenClassifier(folder), 1e-9)
    lines = "\n".join(f"{'so ' * n}in John Smith we trust" for n in range(1, 100))
    assert 0 < len(found(lines, reader)) < 99
    assert 0 < reader.take_unread() < 99
    assert reader.take_unread() == 0


def test_the_same_model_finds_the_same(folder: Path, tmp_path: Path) -> None:
    text = "\n".join(f"{'so ' * n}in John Smith we trust" for n in range(70))
    models = TokenClassifier(folder), TokenClassifier(folder)
    assert found(text, ModelReader(models[0], 60)) == found(text, ModelReader(models[1], 60))
    other = TokenClassifier(write(tmp_path / "other", {"john": "B-GIVEN_NAME"}))
    assert models[0].digest == models[1].digest != other.digest


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_folder_without_a_model_is_an_error(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(ComponentError) as raised:
        TokenClassifier(folder)
    assert "model.onnx" in str(raised.value) + (raised.value.hint or "")


def test_another_tokenizer_is_an_error(folder: Path) -> None:
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "BPE", "vocab": {}}}))
    with pytest.raises(ComponentError, match="not WordPiece"):
        TokenClassifier(folder)


def test_a_missing_extra_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ComponentError) as raised:
        list(TokenClassifier(folder).entities(["John Smith"]))
    assert "pip install 'waivern[ner]'" in (raised.value.hint or "")


RECORDED = json.loads((Path(__file__).parent / "data" / "wordpiece.json").read_text("utf-8"))


@pytest.mark.parametrize("case", RECORDED["cases"], ids=lambda case: str(case["text"][:20]))
@pytest.mark.parametrize("lowercase", [True, False])
def test_pieces_are_those_of_the_tokenizers_library(case: dict[str, Any], lowercase: bool) -> None:
    vocabulary = {token: n for n, token in enumerate(RECORDED["vocabulary"])}
    tokenizer = WordPiece(
        {
            "normalizer": {"type": "BertNormalizer", "lowercase": lowercase},
            "model": {"type": "WordPiece", "vocab": vocabulary},
        }
    )
    pieces = [n for word in tokenizer.words(case["text"]) for n in word.ids]
    recorded = case["lower" if lowercase else "as written"]
    assert [RECORDED["vocabulary"][n] for n in pieces] == recorded
