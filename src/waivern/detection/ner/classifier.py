"""An ONNX token classifier in a folder: what it finds in texts, in batches of like length."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from waivern.detection.ner.wordpiece import UnsupportedTokenizerError, Word, WordPiece
from waivern.errors import ComponentError

BATCH = 32
"""Texts of one call of the model: more gain nothing on one core."""
_LONGEST = 512
_OVERLAP = 16
"""Words that a window shares with the one before it."""
PERSON = "PERSON"
_LABELS = {
    "PERSON": "per person name fullname givenname firstname surname lastname middlename prefix",
    "NUMBER": "buildingnumber buildingnum housenumber streetnumber",
    "STREET": "street streetname streetaddress address postaladdress",
    "UNIT": "secondaryaddress unit apartment",
    "PLACE": "city town state zip zipcode postcode postalcode county country",
}
_TYPES = {label: kind for kind, labels in _LABELS.items() for label in labels.split()}


class Entity(NamedTuple):
    """Words of one type, at characters [start, end) of a text."""

    type: str
    """PERSON, or the part of an address: NUMBER, STREET, UNIT or PLACE."""
    start: int
    end: int
    score: float


class TokenClassifier:
    """A model, loaded when it is first used. `digest` identifies its files."""

    def __init__(self, folder: Path) -> None:
        """Read everything but the weights. Raises ComponentError for a folder without a model."""
        self._file = _model_file(folder)
        try:
            config = json.loads((folder / "config.json").read_bytes())
            self._tokenizer = WordPiece(json.loads((folder / "tokenizer.json").read_bytes()))
            labels = {int(n): str(label) for n, label in config["id2label"].items()}
        except (OSError, ValueError, KeyError, TypeError, UnsupportedTokenizerError) as error:
            raise ComponentError(
                f"the model in {str(folder)!r} cannot be used: {error}",
                hint="the folder needs model.onnx, tokenizer.json of a WordPiece tokenizer, and "
                "config.json with id2label",
            ) from error
        self._labels = [_label(labels.get(n, "O")) for n in range(max(labels) + 1)]
        self._most = min(_LONGEST, config.get("max_position_embeddings", _LONGEST)) - 2
        self.digest = _digest(self._file, folder / "tokenizer.json", folder / "config.json")
        self._session: Any = None

    def entities(self, texts: Sequence[str]) -> Iterator[tuple[int, list[Entity]]]:
        """Yield the position of each text and what is found in it, a batch of texts at a time."""
        read = [(n, self._tokenizer.words(text)) for n, text in enumerate(texts)]
        read.sort(key=lambda each: sum(len(word.ids) for word in each[1]))
        for begin in range(0, len(read), BATCH):
            batch = read[begin : begin + BATCH]
            windows = [(n, part) for n, words in batch for part in self._windows(words)]
            found: dict[int, list[Entity]] = {n: [] for n, _ in batch}
            for (n, words), judged in zip(windows, self._judged(windows), strict=True):
                found[n] += _joined(words, judged)
            for n, entities in found.items():
                yield n, _distinct(entities)

    def _windows(self, words: list[Word]) -> Iterator[list[Word]]:
        """Yield the words in parts that the model can read at once."""
        begin = 0
        while begin < len(words):
            end, size = begin, 0
            while end < len(words) and size + len(words[end].ids) <= self._most:
                size += len(words[end].ids)
                end += 1
            end = max(end, begin + 1)
            yield words[begin:end]
            if end == len(words):
                return
            begin = max(begin + 1, end - _OVERLAP)

    def _judged(
        self, windows: list[tuple[int, list[Word]]]
    ) -> list[list[tuple[str, str | None, float]]]:
        """Return, for each word of each window, the prefix and the type of its label, and a score.

        The first piece of a word speaks for it.
        """
        if not windows:
            return []
        import numpy as np

        session, tokenizer = self._loaded(), self._tokenizer
        pieces = [[n for word in words for n in word.ids][: self._most] for _, words in windows]
        rows = [[tokenizer.begin, *ids, tokenizer.end] for ids in pieces]
        width = max(map(len, rows))
        ids = np.full((len(rows), width), tokenizer.pad, dtype=np.int64)
        mask = np.zeros_like(ids)
        for n, row in enumerate(rows):
            ids[n, : len(row)] = row
            mask[n, : len(row)] = 1
        given = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        names = {each.name for each in session.get_inputs()}
        logits = session.run(None, {name: given[name] for name in names & given.keys()})[0]
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        best, scores = shares.argmax(axis=-1), shares.max(axis=-1)
        result = []
        for n, (_, words) in enumerate(windows):
            at, judged = 1, []
            for word in words:
                at_piece = min(at, width - 1)
                label = int(best[n, at_piece])
                prefix, kind = self._labels[label] if label < len(self._labels) else ("O", None)
                judged.append((prefix, kind, float(scores[n, at_piece])))
                at += len(word.ids)
            result.append(judged)
        return result

    def _loaded(self) -> Any:
        if self._session is None:
            try:
                import onnxruntime
            except ImportError as error:
                raise missing_extra() from error
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            options.use_deterministic_compute = True
            options.log_severity_level = 3
            self._session = onnxruntime.InferenceSession(
                str(self._file), options, providers=["CPUExecutionProvider"]
            )
        return self._session


def missing_extra() -> ComponentError:
    """Return the error that names the extra."""
    return ComponentError(
        "a name model needs the package onnxruntime",
        hint="install the extra: `pip install 'waivern[ner]'`",
    )


def _model_file(folder: Path) -> Path:
    found = sorted({*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")})
    chosen = folder / "model.onnx" if folder / "model.onnx" in found else None
    if chosen is None and len(found) == 1:
        chosen = found[0]
    if chosen is None:
        raise ComponentError(
            f"{str(folder)!r} has no model.onnx",
            hint="name the folder of an ONNX token classifier; "
            "docs/how-to/find-names-and-addresses.md shows how to get one",
        )
    return chosen


def _digest(*files: Path) -> str:
    whole = hashlib.sha256()
    for file in files:
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return whole.hexdigest()


def _label(label: str) -> tuple[str, str | None]:
    """Return the prefix of a label, B, I or O, and the type that it means here."""
    prefix, _, name = label.partition("-")
    if not name:
        prefix, name = ("O", "") if label == "O" else ("I", label)
    return prefix[:1].upper(), _TYPES.get("".join(filter(str.isalpha, name)).lower())


def _joined(words: list[Word], judged: list[tuple[str, str | None, float]]) -> Iterator[Entity]:
    """Yield runs of words of one type: a given name and a surname are one person."""
    run: list[int] = []
    for n, (_, kind, _) in enumerate(judged):
        apart = run and words[n].start - words[run[-1]].end > 1
        if run and (kind != judged[run[-1]][1] or apart):
            yield _entity(words, judged, run)
            run = []
        if kind is not None:
            run.append(n)
    if run:
        yield _entity(words, judged, run)


def _entity(
    words: list[Word], judged: list[tuple[str, str | None, float]], run: list[int]
) -> Entity:
    score = sum(judged[n][2] for n in run) / len(run)
    return Entity(judged[run[0]][1] or "", words[run[0]].start, words[run[-1]].end, round(score, 4))


def _distinct(entities: list[Entity]) -> list[Entity]:
    """Return the entities without those that windows share, the longest first of such."""
    kept: list[Entity] = []
    for each in sorted(entities, key=lambda e: (e.start - e.end, e.start)):
        if all(each.end <= other.start or each.start >= other.end for other in kept):
            kept.append(each)
    return sorted(kept, key=lambda e: e.start)
