"""No place is looked for twice: four times the text is four times the work, not sixteen."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, SupportsIndex

import pytest

from waivern.builtin.personal_data import PersonalData
from waivern.detection import field_names, load_ruleset, scan
from waivern.message import SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input


class Counted(str):
    """Text that counts how many of its characters are searched or copied."""

    looked = 0

    def find(self, sub: str, start: Any = 0, end: Any = None) -> int:
        end = len(self) if end is None else end
        at = super().find(sub, start, end)
        self.looked += max(0, (end if at < 0 else at) - start)
        return at

    def rfind(self, sub: str, start: Any = 0, end: Any = None) -> int:
        end = len(self) if end is None else end
        at = super().rfind(sub, start, end)
        self.looked += max(0, end - (start if at < 0 else at))
        return at

    def __getitem__(self, key: SupportsIndex | slice[Any, Any, Any]) -> str:
        part = super().__getitem__(key)
        self.looked += len(part)
        return part


def work(read: Callable[[str], object], text: str) -> int:
    """Return characters looked at and calls made, of Python and of C."""
    counted, calls = Counted(text), 0

    def profile(_frame: FrameType, event: str, _arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        found = read(counted)
    finally:
        sys.setprofile(before)
    assert found
    return counted.looked + calls


def fields(text: str) -> object:
    return field_names(text, load_ruleset())


def process(text: str) -> object:
    content = {"files": [{"path": "f.txt", "text": text}]}
    given = Input("source", content, SchemaRef("file_set"))
    return [*PersonalData().process([given], PersonalData.Config(), Context("f", Path()))]


def repeated(head: str, unit: str) -> Callable[[int], str]:
    return lambda size: head + unit * (size // len(unit))


HOSTILE: dict[str, tuple[Callable[[str], object], Callable[[int], str]]] = {
    "copy": (scan, repeated("COPY t (id, email) FROM stdin;\n", "1\tjo@acme.io\n")),
    "html": (scan, repeated("<table><tr><th>E</th></tr>", "<tr><td>jo@acme.io</td></tr>")),
    "html heads": (scan, repeated("<table>", "<tr><th>E</th></tr><tr><td>jo@acme.io</td></tr>")),
    "one long line above": (scan, repeated("x " * 300, "\njo@acme.io\n" + "x " * 300)),
    "one long cell": (scan, repeated("id,email\n1,", "jo@acme.io ")),
    "overlapping": (scan, repeated("", "4101 4101 4101 4101 x ")),
    "rows of numbers": (scan, repeated("4101 4101 4101 4101 x\n", "4101 ")),
    "one line": (process, repeated("", "jo@acme.io ")),
    "rows": (process, repeated("id,email\n", "1,jo@acme.io\n")),
    "lines of json": (process, repeated('{"id": 1}\n', '{"email": "jo@acme.io"}\n')),
    "one line of json": (process, repeated('{"a": "', "jo@acme.io ")),
    "return only": (process, repeated("", "jo@acme.io\r")),
    "entities": (scan, repeated("", "jo&#64;acme.io ")),
    "entities of entities": (scan, repeated("", "jo&amp;amp;amp;#64;acme.io jo@acme.io ")),
    "escapes": (scan, repeated("", 'jo\\u0040acme.io \\" ')),
    "percent signs": (scan, repeated("", "jo%2540acme.io jo@acme.io ")),
    "zero width": (scan, repeated("", "jo@\u200bacme.io ")),
    "quoted": (
        scan,
        repeated("Content-Transfer-Encoding: quoted-printable\n\n", "jo=40acme=\n.io "),
    ),
    "base64": (scan, repeated("Content-Transfer-Encoding: base64\n\n", "am9AYWNtZS5pbyBh\n")),
    "parts of mail": (
        scan,
        repeated("", "Content-Transfer-Encoding: base64\n\nam9AYWNtZS5pbyBh\n--a\n"),
    ),
    "names": (fields, lambda size: "".join(f"k{n}_email: x\n" for n in range(size // 15))),
    "columns": (
        fields,
        lambda size: (
            "email,a\nx,y\ninsert into t ("
            + ",".join(f"k{n}_email" for n in range(size // 160))
            + ") values"
        ),
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_four_times_the_text_is_four_times_the_work(name: str) -> None:
    read, text = HOSTILE[name]
    read(text(100))  # what is loaded once is not counted
    once, four = (work(read, text(size)) for size in (4_500, 18_000))
    assert four < 5 * once


# What regular expressions look at cannot be counted. Read anew for each value, the statement takes
# ten times as long as the same text without its head.
@pytest.mark.sweep
@pytest.mark.parametrize("opened", ["('", ""], ids=["open string", "no string"])
def test_a_statement_that_nothing_ends_is_read_once(opened: str) -> None:
    def seconds(head: str) -> float:
        text = head + ("jo@acme.io " + "x" * 90 + " ") * 24_000
        began = time.process_time()
        assert len(scan(text)) == 24_000
        return time.process_time() - began

    plain = seconds("")
    assert seconds(f"insert into t (a, email) values {opened}") < 4 * plain + 1
