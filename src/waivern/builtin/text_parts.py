"""The text of files, decoded and checked block by block and cut into parts at line ends."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from waivern.builtin.text_encodings import TextDecoder
from waivern.builtin.unread import CHANGED, PARTLY, TOO_LARGE, Unread
from waivern.builtin.walk import reason
from waivern.message import Json

BLOCK = 8 * 2**20
"""The bytes that are read and checked together; a larger file is read in parts."""
PIECE = 2**20
"""The bytes of a part: a single emoji makes the text of all of them four times as large."""

_SEPARATORS = (",;\"'|<>{}[]\t", " ")
"""Where a line that is longer than a part is cut: after one of these, the first kind if any."""
_CUT_WITHIN = 2**16


class Block(NamedTuple):
    """Some bytes of a file; `last` if nothing of it follows."""

    data: bytes
    last: bool


def blocks(file: int, size: int) -> Iterator[Block]:
    """Yield the first `size` bytes of an open file, at least one block.

    If the file shrinks after its first block, there is no last block.
    """
    done = 0
    while True:
        data = _bytes(file, wanted := min(BLOCK, size - done))
        short, begun, done = len(data) < wanted, bool(done), done + len(data)
        if data or not begun:
            yield Block(data, done == size or (short and not begun))
        if short or done == size:
            return
        del data  # before the next block is read


def unsized_block(file: int, limit: int) -> Iterator[Block]:
    """Yield all that a file without a size holds, such as those of /proc."""
    data = _bytes(file, min(limit, BLOCK) + 1)
    if len(data) > min(limit, BLOCK):
        raise Unread(TOO_LARGE)
    yield Block(data, last=True)


def _bytes(file: int, size: int) -> bytes:
    data = os.read(file, size)
    while data and len(data) < size and (more := os.read(file, size - len(data))):
        data += more
    return data


class Digests:
    """The number of bytes that passed, their digest, and the digests of their blocks."""

    __slots__ = ("_all", "blocks", "size")

    def __init__(self) -> None:
        self.size = 0
        self.blocks: list[str] = []
        self._all = sha256()

    def of(self, passing: Iterable[Block]) -> Iterator[Block]:
        """Yield the blocks after counting them."""
        for block in passing:
            self.size += len(block.data)
            self._all.update(block.data)
            if self.blocks or not block.last:  # of a single block, it is the file's own digest
                self.blocks.append(digest(block.data))
            yield block
            del block

    def document(self) -> dict[str, Json]:
        whole = {"digest": f"sha256:{self._all.hexdigest()}"}
        return whole | ({"blocks": self.blocks} if len(self.blocks) > 1 else {})


def digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def verified(passing: Iterable[Block], digests: Sequence[str]) -> Iterator[Block]:
    """Yield the blocks that have the digests. Raises Unread at the first that does not."""
    count = 0
    for block in passing:
        if count == len(digests) or digest(block.data) != digests[count]:
            raise Unread(CHANGED)
        count += 1
        yield block
        del block
    if count < len(digests):
        raise Unread(CHANGED)


class Text(NamedTuple):
    """A piece of a text, without the bytes of a character that the next piece completes."""

    text: str
    encoding: str
    last: bool


def decoded(
    passing: Iterable[Block], encoding: str | None = None, *, exact: bool = False
) -> Iterator[Text]:
    """Yield the text, in pieces if there are several blocks.

    `encoding` and `exact` are those of `TextDecoder`. Raises Unread if the bytes are no text.
    """
    decoder = None
    for data, last in passing:
        size = PIECE
        if decoder is None:
            decoder = TextDecoder(encoding, exact=exact)
            size = len(data) or 1 if last else PIECE
        for at in range(0, len(data) or 1, size):
            at_end = last and at + size >= len(data)
            text = decoder.text(data[at : at + size], last=at_end)
            yield Text(text, decoder.encoding, at_end)
            del text
        del data  # before the next block is read


def encoding_of(passing: Iterable[Block], encoding: str | None) -> str:
    """Return the encoding of a text, after reading as much of it as decides that."""
    decoder = TextDecoder(encoding)
    with suppress(Unread):  # to be found out again, after the parts before it
        for data, last in passing:
            for at in range(0, len(data), PIECE):
                decoder.text(data[at : at + PIECE], last=last and at + PIECE >= len(data))
                if decoder.decided:
                    return decoder.encoding
            del data
    return decoder.encoding


def parts(texts: Iterable[Text]) -> Iterator[dict[str, Json]]:
    """Yield the text in parts that end at a line end: `{"encoding", "text"}` and their place.

    A text of one piece has no place. Raises Unread if the last piece is missing, or cannot be read.
    """
    cutter, begun, encoding = _Cutter(), False, ""
    try:
        for text, encoding, last in _all(texts):
            if last and not begun:
                yield {"encoding": encoding, "text": text}
            else:
                yield {"encoding": encoding, **cutter.cut(text, last=last)}
            begun = True
            del text
    except (Unread, OSError) as error:
        why = error.reason if isinstance(error, Unread) else reason(error)
        if not begun:
            raise Unread(why) from error
        rest = {"encoding": encoding, **cutter.cut("", last=True), "more": True}
        raise Unread(why + PARTLY, rest if rest["text"] else None) from error


def _all(texts: Iterable[Text]) -> Iterator[Text]:
    """Yield the texts. Raises Unread if the last is missing: the file has shrunk."""
    for text in texts:
        last = text.last
        yield text
        del text
        if last:
            return
    raise Unread(CHANGED)


@dataclass(slots=True)
class _Cutter:
    """The place of the next part, and the beginning of its text."""

    line: int = 0
    start: int = 0
    column: int = 0
    rest: str = ""
    end: str = ""

    def cut(self, text: str, *, last: bool) -> dict[str, Json]:
        text = self.rest + text
        # As other tools do: a '\r' ends a line only in a text that has no '\n'.
        self.end = self.end or ("\r" if "\r" in text and "\n" not in text else "\n")
        at = len(text) if last else text.rfind(self.end) + 1 or _after_separator(text)
        part: dict[str, Json] = {"text": text[:at], "line": self.line, "start": self.start}
        if self.column:
            part["column"] = self.column
        if not last:
            part["more"] = True
        begin = text.rfind(self.end, 0, at) + 1
        self.column = at - begin if begin else self.column + at
        self.line += text.count(self.end, 0, at)
        self.start += at
        self.rest = text[at:]
        return part


def _after_separator(text: str) -> int:
    """Return where to cut a line: so that few values are cut, which separators seldom are in."""
    first = max(0, len(text) - _CUT_WITHIN)
    for separators in _SEPARATORS:
        if (at := max(text.rfind(each, first) for each in separators)) >= 0:
            return at + 1
    return len(text)
