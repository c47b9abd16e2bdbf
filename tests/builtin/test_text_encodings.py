"""Texts in any encoding are read: what their bytes show and declare, else the one that is named."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern import load, run
from waivern.builtin.filesystem import Filesystem
from waivern.builtin.text_parts import Block, decoded, encoding_of, parts
from waivern.builtin.unread import Unread
from waivern.plugins.context import Context
from waivern.plugins.inputs import joined_parts
from waivern.store.local import LocalFilesystemStore

BLOCK = 8 * 2**20
TEXTS = {
    "de": "Grüße aus Köln, die Straße ist zu. Bitte an jörg@example.org schreiben.\r\n",
    "fr": "Où est passé l'élève à Écrivez à rene@example.org, ça presse.\n",
    "pl": "Zażółć gęślą jaźń, proszę pisać: ewa@example.org\n",
    "cs": "Příliš žluťoučký kůň, pište na jan@example.org\n",
    "ru": "Съешь же ещё этих мягких французских булок: ivan@example.org, спасибо.\n",
    "el": "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία: nikos@example.org\n",
    "tr": "Pijamal\u0131 hasta şoföre çabucak güvendi: ali@example.org\n",
    "ja": "いろはにほへと ちりぬるを。連絡先: taro@example.org まで。日本語\n",
    "zh": "请写信到 wang@example.org, 谢谢。中文文本。\n",
    "ko": "연락처는 kim@example.org 입니다. 감사합니다.\n",
}
OWN = {
    "de": "cp1252", "fr": "cp1252", "pl": "cp1250", "cs": "iso8859-2", "ru": "cp1251",
    "el": "cp1253", "tr": "cp1254", "ja": "shift_jis", "zh": "gbk", "ko": "euc-kr",
}  # fmt: skip
DECLARATIONS = {
    "xml": '<?xml version="1.0" encoding="{}"?>\n<a>',
    "xml, other quotes": "<?xml version='1.0' encoding='{}'?>\n<a>",
    "html": "<!doctype html>\n<html><head><meta charset={}><body>",
    "old html": '<meta http-equiv="Content-Type" content="text/html; charset={}">\n',
    "css": '@charset "{}";\n',
    "python": "#!/usr/bin/python\n# -*- coding: {} -*-\n",
    "vim": "# vim: set fileencoding={} :\n",
    "mail": "From: a\nContent-Type: text/plain; charset={}\nContent-Transfer-Encoding: 8bit\n\n",
    "po": '"Content-Type: text/plain; charset={}\\n"\n"Content-Transfer-Encoding: 8bit\\n"\n',
}


def read(data: bytes, encoding: str | None = None) -> dict[str, Any]:
    whole: dict[str, Any] = joined_parts(parts(decoded([Block(data, last=True)], encoding)))
    return whole


def reading(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    whole = read(data, encoding)
    return whole["encoding"], whole["text"]


@pytest.mark.parametrize("language", TEXTS)
def test_utf_8_is_recognised_and_one_bad_byte_costs_one_character(language: str) -> None:
    text = TEXTS[language] * 40
    data = text.encode()
    assert reading(data) == ("utf-8", text)
    for at in (0, len(text) // 2, len(text)):
        torn = text[:at].encode() + b"\xff" + text[at:].encode()
        assert reading(torn) == ("utf-8", f"{text[:at]}\ufffd{text[at:]}")
        assert reading(torn, "cp1251")[0] == "utf-8"
    assert reading(data[:-1] + text[0].encode() + b"\xc3\n")[0] == "utf-8"


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_zero_bytes_show_utf_16_and_utf_32(language: str, encoding: str) -> None:
    text = TEXTS[language]
    for size in (len(text), 20_000):
        data = (text * (size // len(text) + 1))[:size].encode(encoding)
        assert reading(data) == (encoding, data.decode(encoding))


@pytest.mark.parametrize("language", TEXTS)
def test_marks_decide_before_everything_else(language: str) -> None:
    text = TEXTS[language]
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert reading(text.encode(encoding), "cp1251") == (encoding, text)
    data = b"\xfe\xff" + text.encode("utf-16-be")
    assert reading(data) == ("utf-16", text)


@pytest.mark.parametrize("form", DECLARATIONS)
@pytest.mark.parametrize("language", OWN)
def test_a_declared_encoding_is_used(form: str, language: str) -> None:
    for name in (OWN[language], OWN[language].upper()):
        text = DECLARATIONS[form].format(name) + TEXTS[language]
        data = text.encode(OWN[language], "replace")
        assert reading(data, "latin-1") == (name.lower(), data.decode(OWN[language]))


@pytest.mark.parametrize("name", ["utf-8", "klingon", "zip", "punycode", "idna", "utf-16", "hex"])
def test_what_is_declared_and_cannot_be_is_not_used(name: str) -> None:
    data = DECLARATIONS["xml"].format(name).encode() + TEXTS["de"].encode("cp1252")
    assert reading(data) == ("cp1252", data.decode("cp1252"))
    later = data.replace(b"\n<a>", b' charset="iso-8859-15"\n')
    assert reading(later)[0] == "iso-8859-15"


def test_japanese_mail_is_ascii_in_its_bytes() -> None:
    text = DECLARATIONS["mail"].format("ISO-2022-JP") + TEXTS["ja"]
    assert reading(text.encode("iso-2022-jp")) == ("iso-2022-jp", text)
    coloured = "charset=iso-2022-jp is not declared for \x1b[31mred\x1b[0m lines\n"
    assert reading(coloured.encode()) == ("utf-8", coloured)


def test_a_dump_declares_its_encoding() -> None:
    text = "/*!40101 SET NAMES latin2 */;\nINSERT INTO t VALUES ('Łódź');\n"
    assert reading(text.encode("iso8859-2")) == ("latin2", text)
    assert reading(text.replace("latin2", "utf8mb4").encode("cp1250"))[0] == "cp1252"


@pytest.mark.parametrize("language", OWN)
def test_else_the_named_encoding_and_else_cp1252(language: str) -> None:
    data = TEXTS[language].encode(OWN[language], "replace") * 20
    assert reading(data, OWN[language]) == (OWN[language], data.decode(OWN[language]))
    encoding, text = reading(data)
    assert encoding == "cp1252"
    assert text.count("@example.org") == 20
    assert len(text) == len(data)


def test_an_encoding_that_does_not_extend_ascii_is_used_as_it_is_named() -> None:
    for encoding in ("utf-7", "cp500", "utf-16", "hz"):
        assert reading("Zoë, a@example.org\n".encode(encoding, "replace"), encoding)[0] == encoding
    assert reading("a+b".encode("utf-7"), "utf-7") == ("utf-7", "a+b")


ZEROS = {
    "one": b"name,mail\nann,ann@example.org\n\0",
    "in the middle": b"ann@exam\0ple.org ok\n" + b"bob@example.org\n" * 3,
    "one in Latin-1": "Grüße\0, ann@example.org\n".encode("latin-1"),
    "one in UTF-8": "Grüße\0, ann@example.org\n".encode(),
    "separators": b"HOME=/root\0MAIL=ann@example.org\0LANG=C\0",
    "a gap": b"12:00 ann@example.org\n" * 500 + bytes(4096) + b"12:01 restarted\n" * 50,
    "fields of fixed width": b"".join(b"%s@example.org\0\0\0" % n for n in (b"ann@exam", b"b")),
}  # fmt: skip


@pytest.mark.parametrize("case", ZEROS)
def test_zero_bytes_in_a_text_do_not_make_it_binary(case: str) -> None:
    encoding, text = reading(ZEROS[case])
    assert (len(text), encoding) == (
        (len(ZEROS[case]), "cp1252")
        if case == "one in Latin-1"
        else (len(ZEROS[case].decode()), "utf-8")
    )
    assert "ann@exam" in text


def test_a_separator_of_fields_may_be_a_control_character() -> None:
    data = "\x01".join(["8=FIX.4.4", "35=D", "58=Grüße", "1=ann@example.org"]).encode("cp1252")
    assert reading(data)[0] == "cp1252"


BINARY = {
    "zero": b"\0",
    "two": b"\0\1",
    "numbers": b"".join(n.to_bytes(4, "little") for n in range(3000)),
    "short numbers": b"".join((n * 7 % 900).to_bytes(2, "big") for n in range(3000)),
    "random": random.Random(4).randbytes(400),
    "random, large": random.Random(5).randbytes(1_000_000),
    "elf": b"\x7fELF\2\1\1" + bytes(9),
    "png": b"\x89PNG\r\n\x1a\n" + b"text" * 50,
    "png, short": b"\x89PNG\r\n\x1a\n\0\0",
    "png, in pairs": b"\x89PNG\r\n\x1a\n" + b"\0a\0b" * 40,
    "zeros at the end": b"\x89\x90\x1a\x02\x0e\x0f\x10\x11\0\0",
    "pdf": b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n" + b"1 0 obj <<>> endobj\n" * 20,
    "tar": b"a.txt".ljust(257, b"\0") + b"ustar\0" + b"text of the file\n" * 99,
    "wave": b"RIFF\x24\x08\0\0WAVEfmt " + b"text" * 50,
}


@pytest.mark.parametrize("case", BINARY)
def test_what_is_no_text_stays_binary(case: str) -> None:
    with pytest.raises(Unread, match="binary"):
        read(BINARY[case])


def test_a_large_text_whose_first_block_is_ascii(tmp_path: Path) -> None:
    line = b"0123456789 ann@example.org\n"
    data = line * (BLOCK // len(line) + 9) + "Grüße\n".encode("cp1252") + line
    (tmp_path / "a.log").write_bytes(data)
    config, ctx = Filesystem.Config(path="a.log"), Context("a", tmp_path)
    (entry,) = Filesystem().catalogue(config, ctx)
    assert entry["encoding"] == "cp1252"
    again = [*Filesystem().read(config, ctx, [entry])]
    assert again == [*Filesystem().extract(config, Context("b", tmp_path))]
    assert joined_parts(again)["text"] == data.decode("cp1252")


@pytest.mark.parametrize(("encoding", "named"), [("utf-8", None), ("utf-16", None), ("gbk", "gbk")])
def test_characters_across_the_ends_of_pieces(
    tmp_path: Path, encoding: str, named: str | None
) -> None:
    text = "x" + "中文, ann@example.org\n" * (BLOCK // 20)
    (tmp_path / "a.log").write_bytes(text.encode(encoding))
    config = Filesystem.Config(path="a.log", encoding=named)
    records = [*Filesystem().extract(config, Context("a", tmp_path))]
    assert len(records) > 1
    assert joined_parts(records)["text"] == text
    assert {record["encoding"] for record in records} == {encoding}


CHARACTERS = st.text(st.sampled_from("ab\r\n,éд日😀\0"), max_size=40)


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.sampled_from("ab\r\n,éд日😀\0"), max_size=40).map(str.encode)
    | st.binary(max_size=40),
    st.integers(4, 9),
)
def test_what_is_listed_is_read_again_alike(data: bytes, size: int) -> None:
    cuts = range(0, max(len(data), 1), size)
    blocks = [Block(data[at : at + size], last=at == cuts[-1]) for at in cuts]
    try:
        texts = [*decoded(blocks)]
    except Unread:
        return
    encoding = texts[-1].encoding
    assert encoding_of(blocks, None) == encoding
    again = "".join(text.text for text in decoded(blocks, encoding, exact=True))
    assert again == "".join(text.text for text in texts)


def test_coverage_counts_the_encodings(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name, encoding in {"a": "utf-8", "b": "cp1252", "c": "cp1252", "d": "utf-16"}.items():
        (tmp_path / "data" / name).write_bytes("Grüße\n".encode(encoding))
    (tmp_path / "x.yaml").write_text(
        "artifacts:\n  s: {source: {type: filesystem, properties: {path: data}}}\n"
    )
    result = run(load(tmp_path / "x.yaml"), store=LocalFilesystemStore(tmp_path / ".waivern"))
    expected = {"cp1252": 2, "utf-16": 1, "utf-8": 1}
    document = result.artifacts["s"].message().extensions["coverage"]
    assert document["encodings"] == expected
    (source,) = json.loads(json.dumps(result.coverage.document()))["sources"]
    assert source["encodings"] == expected
