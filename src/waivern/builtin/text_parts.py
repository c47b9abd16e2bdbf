"""The text of files, decoded and checked block by block and cut into parts at line ends."""

from __future__ import annotations

import codecs
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from waivern.builtin.unread import CHANGED, PARTLY, TOO_LARGE, Unread
from waivern.builtin.walk import reason
from waivern.message import Json

BLOCK = 8 * 2**20
"""The bytes that are read and checked together; a larger file is read in parts."""
PIECE = 2**20
"""The bytes of a part: a single emoji makes the text of all of them four times as large."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""The decoders of files without a mark: those of these encodings demand one."""
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


def decoded(passing: Iterable[Block], encoding: str) -> Iterator[Text]:
    """Yield the text, in pieces if there are several blocks.

    The mark at the beginning of a file, if there is one, overrides `encoding`. Raises Unread if the
    bytes are no text in that encoding.
    """
    rest = iter(passing)
    decoder, zeros = None, False
    for data, last in rest:
        size = PIECE
        if decoder is None:
            encoding, decoder = _decoder(data, encoding)
            size = len(data) or 1 if last else PIECE
        zeros = zeros or b"\0" in data
        for at in range(0, len(data) or 1, size):
            at_end = last and at + size >= len(data)
            try:
                text = decoder.decode(data[at : at + size], at_end)
            except ValueError as error:
                zeros = zeros or any(b"\0" in each.data for each in rest)
                raise Unread("binary" if zeros else f"not {encoding}") from error
            if "\0" in text:
                raise Unread("binary")
            yield Text(text, encoding, at_end)
            del text
        del data  # before the next block is read


def _decoder(beginning: bytes, encoding: str) -> tuple[str, codecs.IncrementalDecoder]:
    """Return the encoding of a file that begins so, and its decoder."""
    for mark, marked in _MARKS:
        if beginning.startswith(mark):
            return marked, codecs.getincrementaldecoder(marked)()
    codec = codecs.lookup(encoding).name
    return encoding, codecs.getincrementaldecoder(_UNMARKED.get(codec, codec))()


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


def text_encoding(name: str) -> str:
    """Return the name of an encoding. Raises ValueError if texts cannot be decoded with it."""
    try:
        info = codecs.lookup(name)
        b"x".decode(name)
    except UnicodeDecodeError:
        pass  # a known encoding, in which one byte is not a text
    except (LookupError, ValueError) as error:
        raise ValueError("not the name of a text encoding") from error
    if info.incrementaldecoder is None:
        raise ValueError("an encoding that cannot be decoded in parts")
    return name
