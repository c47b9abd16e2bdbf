"""The encodings of texts: what their bytes show and declare, else the one that was named."""

from __future__ import annotations

import codecs
import re
from functools import lru_cache

from waivern.builtin.unread import Unread

FALLBACK = "cp1252"
"""The encoding of texts that show and declare none: a superset of Latin-1 and of ASCII."""
_UTF_8 = "utf-8"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark is a prefix of this one
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_UNMARKED = {"utf-16": "utf-16-le", "utf-32": "utf-32-le"}
"""The decoders of texts without a mark: those of these encodings demand one."""
_PROBE = bytes(range(128)) + b"\x1b$B0!\x1b(B"
_HEAD = 2**14
"""The bytes in which a text declares its encoding."""
_SAMPLE = 2**16
"""The bytes in which UTF-16 and UTF-32 are recognised. A multiple of 4."""
_DECLARED = re.compile(
    rb"(?:charset|coding)(?:[ \t]{0,3}[:=][ \t]{0,3}[\"']?| \")([a-z][\w.:-]{1,30})"
    rb"|\bset names '?([a-z]\w{2,20})",
    re.IGNORECASE,
)
"""`encoding=` of XML, `charset=` of HTML, mail and PO files, `coding:` of scripts, and SQL."""
_SHIFTED = re.compile(rb"\x1b[$(]")
_FORMATS = (
    b"%PDF-", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"RIFF", b"OggS", b"\x7fELF", b"PK\x03\x04",
    b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"(\xb5/\xfd", b"7z\xbc\xaf", b"PAR1", b"!<arch>\n",
    b"\xca\xfe\xba\xbe", b"\xd0\xcf\x11\xe0", b"SQLite format 3\0",
)  # fmt: skip
"""The beginnings of common files that are no text, although parts of them may look like it."""
_BEFORE = 2**12
"""The bytes that are judged with the next piece, which may be a single one."""
_TAR = slice(257, 262)
_ASCII = bytes(range(128))
_TEXT = bytes(code for code in range(256) if code >= 32 or code in b"\t\n\v\f\r\x1b").replace(
    b"\x7f", b""
)
_NARROW_ZEROS = 4
"""UTF-16 has a zero in more than every fourth byte, unless few of its characters are ASCII."""


class TextDecoder:
    """The decoding of one text, which is added piece by piece.

    The encoding is that of the byte order mark; else UTF-8 if the text is valid; UTF-16 or UTF-32
    if its zero bytes show it; what the text declares; `named`; `FALLBACK`. Only the first piece
    that is not ASCII decides. If the encoding is `exact`, it is `named`, unless there is a mark.
    A byte that is no text in the encoding becomes U+FFFD.
    """

    def __init__(self, named: str | None, *, exact: bool = False) -> None:
        self.encoding = _UTF_8
        self.decided = False
        """Whether further pieces do not change the encoding."""
        self._named = named
        self._exact = exact
        self._head = self._before = b""
        self._begun = False
        self._shifts = False
        """Whether bytes of ASCII may be parts of other characters."""
        self._decoder = _decoder(_UTF_8)

    def text(self, piece: bytes, *, last: bool) -> str:
        """Return the text of the next bytes, except for a character that later ones complete.

        Raises Unread if the bytes are no text.
        """
        plain = piece.isascii()
        zeros = b"\0" in piece
        if not self._begun:
            self._begun, self._head = True, piece[:_HEAD]
            self._begin(piece, zeros=zeros)
        if (zeros or not plain) and not self._shifts:
            if self._is_format():
                raise Unread("binary")
            if not self.decided and not plain:
                self._decide(_guess(piece, self._head, self._named, last=last))
            if (zeros or self.encoding != _UTF_8) and is_binary(self._before + piece):
                raise Unread("binary")
        self._before = piece[-_BEFORE:]
        try:
            text = self._decoder.decode(piece, last)
        except ValueError as error:
            raise Unread(f"not {self.encoding}") from error
        if self._shifts and "\0" in text and is_binary(text.encode("latin-1", "replace")):
            raise Unread("binary")
        return text

    def _begin(self, piece: bytes, *, zeros: bool) -> None:
        """Decide by the first piece, if that suffices."""
        for mark, marked in _MARKS:
            if piece.startswith(mark):
                self._decide(marked, shifts=marked != "utf-8-sig")
                self._decoder = codecs.getincrementaldecoder(marked)("replace")
                return
        if self._named and (self._exact or not _extends_ascii(self._named)):
            self._decide(self._named, shifts=not _extends_ascii(self._named))
        elif zeros and not self._is_format() and (wide := _wide(piece)):
            self._decide(wide, shifts=True)
        elif _SHIFTED.search(self._head) and (shifted := _declared(self._head, shifted=True)):
            self._decide(shifted, shifts=True)

    def _is_format(self) -> bool:
        return self._head.startswith(_FORMATS) or self._head[_TAR] == b"ustar"

    def _decide(self, encoding: str, *, shifts: bool = False) -> None:
        self.encoding, self._shifts, self.decided = encoding, shifts, True
        self._decoder = _decoder(encoding)


def is_binary(data: bytes) -> bool:
    """Return whether bytes of an encoding that extends ASCII are no text.

    Texts have few control characters. One kind, which may be the zero byte, may separate what is
    in them, or fill a gap: up to half of the bytes.
    """
    controls = data.translate(None, _TEXT)
    separators = max((controls.count(code) for code in {*controls}), default=0)
    others = len(controls) - separators
    return others * 200 > len(data) or separators * 2 >= len(data) > 0


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


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    codec = codecs.lookup(encoding).name
    return codecs.getincrementaldecoder(_UNMARKED.get(codec, codec))("replace")


@lru_cache
def _extends_ascii(encoding: str) -> bool:
    """Return whether texts of ASCII are the same in this encoding."""
    try:
        return _PROBE.decode(encoding) == _PROBE.decode("ascii") and encoding.lower() != "idna"
    except ValueError:
        return False


def _guess(piece: bytes, head: bytes, named: str | None, *, last: bool) -> str:
    """Return the encoding of a text whose piece is not ASCII, and whose bytes extend ASCII."""
    text, _ = codecs.utf_8_decode(piece, "replace", last)
    bad = text.count("\ufffd")
    good = len(text) - bad - len(piece.translate(None, bytes(range(128, 256))))
    if good > 4 * bad:
        return _UTF_8
    return _declared(head) or named or (_UTF_8 if good >= bad else FALLBACK)


def _declared(head: bytes, *, shifted: bool = False) -> str | None:
    """Return the first encoding that a text declares and that its bytes may have.

    The `shifted` ones use bytes of ASCII for other characters; the others extend ASCII.
    """
    for found in _DECLARED.finditer(head):
        name = (found[1] or found[2]).decode("ascii").lower()
        try:
            codec = codecs.lookup(text_encoding(name)).name
        except ValueError:
            continue
        fits = codec.startswith("iso2022") if shifted else _extends_ascii(codec)
        if fits and codec not in (_UTF_8, "ascii"):
            return name
    return None


def _wide(piece: bytes) -> str | None:
    """Return the encoding of a text whose characters have 2 or 4 bytes each, without a mark."""
    sample = piece[: min(_SAMPLE, len(piece) & -4) or len(piece) & -2]
    zeros = [sample[at::4].count(0) for at in range(4)]
    count = len(sample) // 4
    encodings = []
    if count and zeros[3] == count and zeros[2] * 2 > count:
        encodings.append("utf-32-le")
    if count and zeros[0] == count and zeros[1] * 2 > count:
        encodings.append("utf-32-be")
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    if odd and even * 20 <= odd:
        encodings.append("utf-16-le")
    if even and odd * 20 <= even:
        encodings.append("utf-16-be")
    if sum(zeros) * _NARROW_ZEROS < len(sample) and not is_binary(sample) and _is_utf_8(sample):
        return None  # zero bytes in another text
    return next((each for each in encodings if _is_text(sample, each)), None)


def _is_utf_8(sample: bytes) -> bool:
    try:
        codecs.utf_8_decode(sample, "strict", False)
    except ValueError:
        return False
    return True


def _is_text(sample: bytes, encoding: str) -> bool:
    """Return whether the sample is valid in a wide encoding, and has hardly a control character."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except ValueError:
        return False
    odd = sum(
        not (each.isprintable() or each in "\t\n\r\f\u00a0\u00ad\u3000\u200b") for each in text
    )
    return bool(text) and odd * 200 <= len(text)
