"""Values that are written with escapes are found, at the place where they are written."""

from __future__ import annotations

import json
import quopri
from base64 import b64encode, encodebytes
from collections.abc import Callable
from email.header import Header
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from waivern.builtin.personal_data import PersonalData
from waivern.detection import redact, scan
from waivern.detection.decoded_text import decoded
from waivern.message import SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input

VALUES = {
    "EMAIL_ADDRESS": "anna.berg@acme.io",
    "PHONE_NUMBER": "+44 20 7123 4567",
    "IBAN_CODE": "DE89 3704 0044 0532 0130 00",
    "CREDIT_CARD": "4539 5787 6362 1486",
    "IP_ADDRESS": "81.2.69.142",
}
MARKS = " @.+-:"
NAMED = {" ": "nbsp", "@": "commat", ".": "period", "+": "plus"}


def written(each: Callable[[str], str], characters: str = MARKS) -> Callable[[str], str]:
    """Return what writes some characters of a value in another way."""
    return lambda value: "".join(each(c) if c in characters else c for c in value)


def full_width(value: str) -> str:
    return "".join("\u3000" if c == " " else chr(ord(c) + 0xFEE0) for c in value)


WAYS: dict[str, tuple[str, Callable[[str], str]]] = {
    "decimal": ("entities", written(lambda c: f"&#{ord(c)};")),
    "decimal, with zeros": ("entities", written(lambda c: f"&#00{ord(c)};")),
    "hexadecimal": ("entities", written(lambda c: f"&#x{ord(c):X};")),
    "every character": ("entities", lambda value: "".join(f"&#{ord(c)};" for c in value)),
    "named": (
        "entities",
        written(lambda c: f"&{NAMED[c]};", " @.+"),
    ),
    "entities of entities": ("entities", written(lambda c: f"&amp;#{ord(c)};")),
    "json": ("escapes", written(lambda c: f"\\u{ord(c):04x}")),
    "every character in json": ("escapes", lambda v: "".join(f"\\u{ord(c):04X}" for c in v)),
    "json in json": ("escapes", written(lambda c: f"\\\\u{ord(c):04x}")),
    "source": ("escapes", written(lambda c: f"\\x{ord(c):02x}")),
    "javascript": ("escapes", written(lambda c: f"\\u{{{ord(c):x}}}")),
    "url": ("percent-encoding", lambda value: quote(value, safe="")),
    "url, small": ("percent-encoding", written(lambda c: f"%{ord(c):02x}")),
    "url in a url": ("percent-encoding", lambda value: quote(quote(value, safe=""), safe="")),
    "zero width": ("invisible characters", "\u200b".join),
    "soft hyphens": ("invisible characters", lambda value: f"{value[:5]}\u00ad{value[5:]}"),
    "marks of direction": ("invisible characters", lambda value: f"{value[:3]}\u200e{value[3:]}"),
    "full width": ("compatibility characters", full_width),
    "typographic spaces": ("compatibility characters", lambda v: v.replace(" ", "\u2002")),
    "hair spaces": ("compatibility characters", lambda value: value.replace(" ", "\u200a")),
}  # fmt: skip
FRAMES = [
    "{}",
    "Kontakt: {}\r\n",
    "<td>{}</td>",
    '{{"value": "{}"}}',
    "日本 {} — é\n",
    "x = '{}'\n",
]


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("way", WAYS)
def test_a_value_is_found_where_it_is_written(way: str, kind: str) -> None:
    escapes, write = WAYS[way]
    if write(VALUES[kind]) == VALUES[kind]:
        return
    for frame in FRAMES:
        text = frame.format(write(VALUES[kind]))
        found = [m for m in scan(text) if m.type == kind]
        assert [text[m.start : m.end] for m in found] == [write(VALUES[kind])], frame
        assert [(m.value, m.escapes) for m in found] == [(VALUES[kind], (escapes,))]


def test_the_form_of_urls_has_plus_signs_for_spaces() -> None:
    text = f"GET /f?tel={quote_plus('+44 20 7123 4567')}&mail=ann%40acme.io HTTP/1.1"
    assert [(m.type, text[m.start : m.end]) for m in scan(text)] == [
        ("PHONE_NUMBER", "%2B44+20+7123+4567"),
        ("EMAIL_ADDRESS", "ann%40acme.io"),
    ]


def test_a_label_with_escapes_labels() -> None:
    for key in ("t\\u00e9l\\u00e9phone", "t&eacute;l&eacute;phone", "t&#233;l&#xe9;phone"):
        text = f'{{"{key}": "01 42 68 53 00"}}'
        (match,) = scan(text)
        assert (match.type, match.value, match.escapes) == ("PHONE_NUMBER", "01 42 68 53 00", ())
        assert text[match.start : match.end] == match.value


def test_keys_of_json_in_a_text_of_json_label() -> None:
    inner: Any = {"id": 414472974, "phone": "020 7123 4567", "mail": "ann@acme.io"}
    for _ in range(3):
        inner = {"payload": json.dumps(inner)}
        text = json.dumps(inner)
        found = {(m.type, text[m.start : m.end]) for m in scan(text)}
        assert found == {("PHONE_NUMBER", "020 7123 4567"), ("EMAIL_ADDRESS", "ann@acme.io")}


def test_pairs_of_surrogates_are_one_character() -> None:
    text = 'x = "\\ud83d\\ude00 \\ud83d ann\\u0040acme.io \\ude00"'
    plain = decoded(text)
    assert plain is not None
    assert plain.text == 'x = "\U0001f600 \\ud83d ann@acme.io \\ude00"'
    assert plain.original(5, 6) == (5, 17, ("escapes",))


PLAIN = [
    "a && b; x &y; 100 %",
    "C:\\users\\new \\d{3}-\\w",
    "=40 =?x",
    "é ü &nosuch;",
    "\\x07 &#0;",
]


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_looks_like_an_escape_stays(text: str) -> None:
    assert decoded(text) is None


# mail


def mail(body: str, encoding: str, charset: str = "utf-8", end: str = "\n") -> str:
    message = EmailMessage()
    message["From"], message["Subject"] = "a <a@example.org>", "b"
    message.set_content(body, charset=charset, cte=encoding)
    return message.as_string().replace("\n", end)


BODY = f"Grüße. Mail: {VALUES['EMAIL_ADDRESS']}, Tel. {VALUES['PHONE_NUMBER']}, Köln =\n" * 3


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64"])
def test_bodies_of_mail(encoding: str, charset: str, end: str) -> None:
    text = mail(BODY, encoding, charset, end)
    found = [m for m in scan(text) if m.type in VALUES and not m.sample]
    assert [m.value for m in found] == [VALUES["EMAIL_ADDRESS"], VALUES["PHONE_NUMBER"]] * 3
    for match in found if encoding == "base64" else ():
        assert match.escapes == ("transfer encoding",)
        coded = text[match.start : match.end]
        first = text.rfind(end, 0, match.start) + len(end)
        start = first + (match.start - first) // 4 * 4
        assert match.value.encode()[3:-3] in _unbase64(text[start : match.end])
        assert len(coded) < 2 * len(match.value) + 8


def _unbase64(coded: str) -> bytes:
    from base64 import b64decode

    joined = "".join(coded.split())
    return b64decode(joined + "=" * (-len(joined) % 4))


def test_a_value_across_a_soft_line_break_is_found_in_one_piece() -> None:
    value = VALUES["IBAN_CODE"]
    for at in range(1, len(value)):
        coded = quopri.encodestring(b"Konto: ").decode() + f"{value[:at]}=\n{value[at:]}"
        text = f"Content-Transfer-Encoding: quoted-printable\nFrom: a\n\n{coded}\n"
        (match,) = scan(text)
        assert (match.type, text[match.start : match.end]) == (
            "IBAN_CODE",
            f"{value[:at]}=\n{value[at:]}",
        )


def test_parts_of_mail_each_have_an_encoding() -> None:
    message = EmailMessage()
    message["Subject"] = Header("Jörg, jörg.müller@acme.io", "utf-8").encode()
    message.set_content("=40 ann@acme.io\n", cte="7bit")
    message.add_alternative("<p>bob@acme.io — é</p>", subtype="html", cte="base64")
    message.add_attachment(b"eve@acme.io \0\1\2" * 9, maintype="application", subtype="zip")
    message.add_attachment("dora=\n@acme.io é", cte="quoted-printable")
    found = [m.value for m in scan(message.as_string()) if m.type == "EMAIL_ADDRESS"]
    assert found[1:] == ["ann@acme.io", "bob@acme.io", "@acme.io"][:2]
    assert found[0].endswith("@acme.io")


def test_nothing_is_base64_unless_it_is_declared() -> None:
    coded = b64encode(b"mail: ann@acme.io, bob@acme.io").decode()
    assert scan(f"blob = {coded}\n") == []
    for text in (
        f"data:text/plain;charset=utf-8;base64,{coded}",
        f"Authorization: Basic {coded}\n",
        f"Content-Type: application/json\nContent-Transfer-Encoding: BASE64\n\n{coded}\n",
    ):
        assert [m.value for m in scan(text)] == ["ann@acme.io", "bob@acme.io"]
    assert scan(f"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n{coded}\n") == []
    assert scan(f"data:image/png;base64,{coded}") == []


def test_cards_of_addresses_are_quoted_line_by_line() -> None:
    text = (
        "BEGIN:VCARD\nTEL;CELL;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:=2B44 20 7123=\n 4567\n"
        "EMAIL;ENCODING=QUOTED-PRINTABLE:ann=40acme.io\nNOTE:x=40acme.io\nEND:VCARD\n"
    )
    assert [m.value for m in scan(text)] == ["+44 20 7123 4567", "ann@acme.io"]


def test_words_of_headers_are_joined() -> None:
    text = "To: =?utf-8?Q?J=C3=B6rg_=3Cjoerg?=\n =?utf-8?B?QGFjbWUuaW8+?=\n"
    (match,) = scan(text)
    assert (match.value, match.escapes) == ("joerg@acme.io", ("transfer encoding",))


# places


CHARACTERS = st.sampled_from("ab@. é日")
WRITES = [
    str,
    lambda c: f"&#{ord(c)};",
    lambda c: f"&amp;#{ord(c)};",
    lambda c: f"\\u{ord(c):04x}",
    lambda c: f"\\\\u{ord(c):04x}",
    quote,
    lambda c: c + "\u200b",
]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(CHARACTERS, st.sampled_from(WRITES)), max_size=30))
def test_each_character_leads_back_to_where_it_is_written(
    writing: list[tuple[str, Callable[[str], str]]],
) -> None:
    parts = [write(character) for character, write in writing]
    text = "".join(parts)
    plain = decoded(text)
    expected = "".join(character for character, _ in writing)
    if plain is None:
        assert text == expected
        return
    assert plain.text == expected
    at = 0
    for index, part in enumerate(parts):
        start, end, _ = plain.original(index, index + 1)
        assert text[start:end] == part.removesuffix("\u200b")
        assert plain.offset(at) == index
        at += len(part)


def test_masks_are_those_of_the_value() -> None:
    text = "to ann&#64;acme.io now"
    assert redact(text) == "to a***@acme.io now"
    content = {"files": [{"path": "a.html", "text": f"\n{text}"}]}
    one = Input("source", content, SchemaRef("file_set"))
    found = PersonalData().process([one], PersonalData.Config(), Context("f", Path()))
    (finding,) = found
    (place,) = finding["locations"]
    assert finding["evidence"] == "a***@acme.io"
    assert (place["line"], place["column"], place["start"], place["end"]) == (2, 4, 4, 19)
    assert place["escapes"] == ["entities"]


def test_base64_lines_of_any_length() -> None:
    coded = encodebytes(b"mail ann.with.a.long.name@acme.io or bob@acme.io, please" * 3).decode()
    for width in (4, 8, 64, 76):
        joined = coded.replace("\n", "")
        lines = "\n".join(joined[k : k + width] for k in range(0, len(joined), width))
        text = f"Content-Transfer-Encoding: base64\n\n{lines}\n"
        assert len(scan(text)) == 6, width
