"""`filesystem` by reference: a catalogue of files, which are read again and checked."""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from source_kit import extracted

from waivern.builtin import source_progress
from waivern.builtin.filesystem import Filesystem
from waivern.errors import ComponentError
from waivern.plugins.context import Context
from waivern.plugins.inputs import joined_parts, listed_items
from waivern.plugins.tally import Progress

BLOCK = 8 * 2**20
CHANGED = "changed since it was listed"


def listed(base: Path, path: str = ".", **properties: Any) -> list[Any]:
    config = Filesystem.Config(path=path, **properties)
    return [*Filesystem().catalogue(config, Context("a", base))]


def again(base: Path, entries: list[Any], path: str = ".") -> tuple[list[Any], Context]:
    """Return the records that are read of the entries, and the context of the reader."""
    ctx = Context("b", base)
    records = [*Filesystem().read(Filesystem.Config(path=path), ctx, entries)]
    return records, ctx


def sha256(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def lines(size: int) -> bytes:
    """Return text of this size in lines of 100 characters."""
    return _lines()[:size]


@cache
def _lines() -> bytes:
    return b"".join(b"%098d\r\n" % n for n in range(3 * BLOCK // 100 + 1))


@pytest.fixture
def base(tmp_path: Path) -> Path:
    base = tmp_path / "base"
    (base / "sub").mkdir(parents=True)
    (base / "a.txt").write_text("one")
    (base / "sub" / "b.txt").write_bytes("\ufeffZoë".encode())
    (base / "empty").write_text("")
    (base / "c.bin").write_bytes(b"\0\1")
    return base


def test_entries_describe_the_files_and_hold_no_text(base: Path) -> None:
    assert listed(base) == [
        {"path": "a.txt", "size": 3, "encoding": "utf-8", "digest": sha256(b"one")},
        {"path": "empty", "size": 0, "encoding": "utf-8", "digest": sha256(b"")},
        {
            "path": "sub/b.txt",
            "size": 7,
            "encoding": "utf-8-sig",
            "digest": sha256("\ufeffZoë".encode()),
        },
    ]


def test_coverage_is_that_of_extract(base: Path) -> None:
    (base / "link").symlink_to("a.txt")
    (base / "zero.txt").write_bytes(b"\0")
    config = Filesystem.Config(path=".", exclude=["sub/"], include=["*", "none"], max_file_size=100)
    (base / "large").write_text("x" * 101)
    steps: list[int] = []
    one = Context("a", base, emit_progress=lambda p: steps.append(p.n))
    two = Context("a", base)
    entries = [*Filesystem().catalogue(config, one)]
    extracted(Filesystem(), config, two)
    assert one.coverage.document() == two.coverage.document()
    assert len(entries) == one.coverage.read == 2
    assert steps == [1, 2, 3, 4, 5]  # files that are not read, too


def test_files_are_read_again_as_extract_reads_them(base: Path) -> None:
    records, ctx = again(base, listed(base))
    config = Filesystem.Config(path=".")
    assert records == extracted(Filesystem(), config, Context("a", base))["files"]
    assert ctx.coverage.skipped == []
    some, _ = again(base, listed(base)[1:2])
    assert [record["path"] for record in some] == ["empty"]


def test_a_single_file_is_read_again(base: Path) -> None:
    entries = listed(base, "sub/b.txt")
    assert again(base, entries, "sub/b.txt")[0][0]["text"] == "Zoë"
    with pytest.raises(ComponentError, match=r"'a\.txt' is not a folder"):
        again(base, listed(base), "a.txt")


def test_large_files_are_read_in_parts_that_end_at_a_line_end(base: Path) -> None:
    data = lines(2 * BLOCK + 50)
    (base / "large.log").write_bytes(data)
    (entry,) = listed(base, "large.log")
    blocks = [data[:BLOCK], data[BLOCK : 2 * BLOCK], data[2 * BLOCK :]]
    assert entry["digest"] == sha256(data)
    assert entry["blocks"] == [sha256(block) for block in blocks]
    records, ctx = again(base, [entry], "large.log")
    assert ctx.coverage.skipped == []
    text = data.decode()
    _in_order(records, text)
    assert all(part["text"].endswith("\n") for part in records[:-1])
    assert [part["line"] for part in records] == [
        text.count("\n", 0, part["start"]) for part in records
    ]
    whole = {"path": "large.log", "size": len(data), "encoding": "utf-8", "text": text}
    assert joined_parts(records) == whole


def _in_order(records: list[Any], text: str) -> None:
    """Check that the parts are the text, and that all but the last announce more."""
    assert [part.get("more") for part in records] == [True] * (len(records) - 1) + [None]
    at = 0
    for part in records:
        assert part["start"] == at
        assert text.startswith(part["text"], at)
        at += len(part["text"])
    assert at == len(text)


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK])
def test_sizes_around_that_of_a_block(base: Path, size: int) -> None:
    data = lines(size)
    (base / "a.txt").write_bytes(data)
    (entry,) = listed(base, "a.txt")
    assert len(entry.get("blocks", [1])) == -(-size // BLOCK)
    records, _ = again(base, [entry], "a.txt")
    assert len(records) == 1 or size > BLOCK
    assert joined_parts(records)["text"] == data.decode()
    assert joined_parts(records).keys() == {"path", "size", "encoding", "text"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "shift_jis"])
def test_characters_across_blocks_are_whole(base: Path, encoding: str) -> None:
    text = "x" + "Ж日本" * (BLOCK // 5) + "\n"
    (base / "a.txt").write_bytes(text.encode(encoding))
    (entry,) = listed(base, "a.txt", encoding=encoding)
    assert entry["encoding"] == encoding
    records, _ = again(base, [entry], "a.txt")
    assert len(records) > 1
    _in_order(records, text)


def test_a_line_longer_than_a_part_is_cut_after_a_separator(base: Path) -> None:
    value = '{"mail": "ada@example.com"},'
    text = value * (2 * BLOCK // len(value) + 2)
    (base / "a.json").write_text(text)
    records, _ = again(base, listed(base, "a.json"), "a.json")
    _in_order(records, text)
    assert {part["line"] for part in records} == {0}
    assert [part.get("column") for part in records] == [None, *(p["start"] for p in records[1:])]
    assert sum(part["text"].count("ada@example.com") for part in records) == text.count("@")


NO_TEXT = bytes(range(256)) * 8


def test_what_is_no_text_at_its_end_is_not_listed(base: Path) -> None:
    (base / "end").write_bytes(lines(BLOCK) + NO_TEXT)
    (base / "latin end").write_bytes(b"\xff" + lines(BLOCK) + NO_TEXT)
    ctx = Context("a", base)
    entries = [*Filesystem().catalogue(Filesystem.Config(path="."), ctx)]
    assert len(entries) == 3
    skipped = {item: reason for item, reason, _ in ctx.coverage.skipped}
    assert skipped == {"c.bin": "binary", "end": "binary", "latin end": "binary"}


def test_names_that_are_not_utf_8_are_exact(base: Path) -> None:
    raw = os.fsdecode(b"\xff.txt")
    try:
        (base / "sub" / raw).write_text("raw")
    except OSError:
        pytest.skip("this file system has UTF-8 names only")
    (base / "sub" / "\\xff.txt").write_text("escaped")
    entries = [each for each in listed(base) if "xff" in each["path"]]
    assert [each["path"] for each in entries] == ["sub/\\xff.txt", "sub/\\xff.txt"]
    assert entries[1]["path_bytes"] == b"sub/\xff.txt".hex()
    assert [record["text"] for record in again(base, entries)[0]] == ["escaped", "raw"]


# What happens to a file between its listing and its reading


def _fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def _linked_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))
    path.parent.symlink_to("elsewhere")


FATES: dict[str, tuple[Callable[[Path], object], str]] = {
    "edited": (lambda path: path.write_bytes(b"two"), CHANGED),
    "shrunk": (lambda path: path.write_bytes(b"on"), CHANGED),
    "emptied": (lambda path: path.write_bytes(b""), CHANGED),
    "vanished": (lambda path: path.unlink(), "vanished"),
    "a fifo": (_fifo, "not a regular file"),
    "a folder": (_folder, "not a regular file"),
    "a link": (_link, "symlink"),
    "below a link": (_linked_folder, "symlink"),
}


@pytest.mark.parametrize("fate", FATES)
def test_what_is_not_what_was_listed_is_skipped_by_name(base: Path, fate: str) -> None:
    edit, reason = FATES[fate]
    (base / "sub" / "b.txt").write_bytes(b"one")
    entries = listed(base)
    edit(base / "sub" / "b.txt")
    records, ctx = again(base, entries)
    assert [record["path"] for record in records] == ["a.txt", "empty"]
    assert ctx.coverage.skipped == [("sub/b.txt", reason, 1)]
    assert ctx.coverage.document()["units"]["bytes"]["known"] == 3  # type: ignore[index]


def test_a_file_that_only_grew_is_read_to_its_recorded_size(base: Path) -> None:
    (base / "large").write_bytes(lines(BLOCK + 10))
    entries = listed(base)
    before, _ = again(base, entries)
    for name in ("a.txt", "empty", "large"):
        with (base / name).open("a") as file:
            file.write("more\0")
    assert again(base, entries)[0] == before


def test_each_part_is_checked_before_it_is_yielded(base: Path) -> None:
    data = lines(3 * BLOCK)
    file = base / "a.txt"
    file.write_bytes(data)
    (entry,) = listed(base, "a.txt")
    file.write_bytes(data[: BLOCK + 5] + b"!" + data[BLOCK + 6 :])
    records, ctx = again(base, [entry], "a.txt")
    assert joined_parts(records)["text"] == data[:BLOCK].decode()  # the first block, and no more
    assert all(part["more"] for part in records)  # the last part is missing
    assert ctx.coverage.skipped == [("a.txt", f"{CHANGED}, after a part of it was read", 1)]
    file.write_bytes(b"!" + data[1:])
    records, ctx = again(base, [entry], "a.txt")
    assert records == []
    assert ctx.coverage.skipped == [("a.txt", CHANGED, 1)]


@pytest.mark.parametrize("size", [0, BLOCK, BLOCK + 10])
def test_a_file_that_shrinks_while_it_is_read(base: Path, size: int) -> None:
    file = base / "a.txt"
    file.write_bytes(lines(2 * BLOCK))
    ctx = Context("b", base)
    config = Filesystem.Config(path="a.txt")
    records: Iterator[Any] = Filesystem().read(config, ctx, listed(base, "a.txt"))
    first = next(records)
    os.truncate(file, size)
    whole = joined_parts([first, *records])
    assert lines(2 * BLOCK).decode().startswith(whole["text"])
    assert ctx.coverage.skipped == [("a.txt", f"{CHANGED}, after a part of it was read", 1)]


@pytest.mark.parametrize("size", [BLOCK, BLOCK + 10, 3 * BLOCK])
def test_a_file_that_changes_its_size_while_it_is_listed(base: Path, size: int) -> None:
    """What is listed was there, and is read again."""
    file, whole = base / "a.txt", lines(3 * BLOCK)
    file.write_bytes(whole[: 2 * BLOCK])

    def resize(step: Progress) -> None:
        if step.n == 0:  # within the file
            file.write_bytes(whole[:size])

    ctx = Context("a", base, emit_progress=resize)
    (entry,) = Filesystem().catalogue(Filesystem.Config(path="a.txt"), ctx)
    assert entry["size"] == min(size, 2 * BLOCK)
    assert entry["digest"] == sha256(whole[: entry["size"]])
    records, ctx = again(base, [entry], "a.txt")
    assert joined_parts(records)["text"] == whole[: entry["size"]].decode()
    assert ctx.coverage.skipped == []


DENIED = """
import json, os, sys
from pathlib import Path
from waivern.builtin.filesystem import Filesystem
from waivern.plugins.context import Context
base, config, ctx = Path(sys.argv[1]), Filesystem.Config(path="."), Context("a", Path(sys.argv[1]))
if os.geteuid() == 0:
    os.seteuid(65534)
entries = [*Filesystem().catalogue(config, ctx)]
for name in ("closed.txt", "vault"):
    os.seteuid(0) if os.getuid() == 0 else None
    (base / name).chmod(0)
os.seteuid(65534) if os.getuid() == 0 else None
records = [*Filesystem().read(config, ctx, entries)]
print(json.dumps([[each["path"] for each in records], ctx.coverage.skipped]))
"""


def test_a_file_that_may_not_be_read_any_more_is_skipped() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not below tmp_path, which is closed to others
        base = Path(folder)
        base.chmod(0o755)
        (base / "vault").mkdir()
        for name in ("closed.txt", "open.txt", "vault/a.txt"):
            (base / name).write_text("x")
        done = subprocess.run(
            [sys.executable, "-c", DENIED, folder], capture_output=True, text=True, check=False
        )
        (base / "vault").chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["open.txt"],
        [["closed.txt", "denied", 1], ["vault/a.txt", "denied", 1]],
    ]


def test_a_root_that_is_gone_is_an_error(base: Path) -> None:
    entries = listed(base)
    base.rename(base.with_name("elsewhere"))
    with pytest.raises(ComponentError, match="'base' cannot be read: No such file"):
        again(base.parent, entries, "base")
    base.write_text("")
    with pytest.raises(ComponentError, match="'base' is not a folder"):
        again(base.parent, entries, "base")
    base.unlink()
    base.mkdir()  # another folder: nothing of it is taken for what was listed
    (base / "a.txt").write_text("two")
    records, ctx = again(base.parent, entries, "base")
    assert records == []
    assert {reason for _, reason, _ in ctx.coverage.skipped} == {CHANGED, "vanished"}


HOSTILE: dict[str, dict[str, Any]] = {
    "above": {"path": "../secret"},
    "absolute": {"path": "/etc/passwd"},
    "inside": {"path": "sub/../../secret"},
    "empty": {"path": ""},
    "nul": {"path": "a\0b"},
    "bytes": {"path_bytes": b"../secret".hex()},
    "no bytes": {"path_bytes": "xy"},
    "size": {"size": -1},
    "true": {"size": True},
    "blocks": {"size": BLOCK + 1},
    "codec": {"encoding": "zip"},
    "no codec": {"encoding": "klingon"},
    "digest": {"digest": None},
}


@pytest.mark.parametrize("change", HOSTILE)
def test_entries_of_a_foreign_run_lead_nowhere_else(base: Path, change: str) -> None:
    (base.parent / "secret").write_text("one")
    (entry,) = listed(base, "a.txt")
    with pytest.raises(ComponentError, match="not an entry of a catalogue of files"):
        again(base, [entry | HOSTILE[change]])
    with pytest.raises(ComponentError, match="not an entry of a catalogue of files"):
        again(base, ["a.txt"])


# `extract`: the same in one reading


def test_large_files_are_extracted_in_the_same_parts(base: Path) -> None:
    (base / "large.log").write_bytes(lines(2 * BLOCK + 50))
    extracted_parts = [*Filesystem().extract(Filesystem.Config(path="."), Context("a", base))]
    assert extracted_parts == again(base, listed(base))[0]
    assert len(extracted_parts) > 4


def test_a_file_that_turns_out_to_be_no_text_has_no_last_part(base: Path) -> None:
    (base / "a.txt").write_bytes(lines(BLOCK + 100) + NO_TEXT)
    (base / "b.txt").write_bytes(lines(BLOCK - 1000 * len(NO_TEXT)) + NO_TEXT * 1000)
    ctx = Context("a", base)
    content = extracted(Filesystem(), Filesystem.Config(path=".", include=["/*.txt"]), ctx)
    (file,) = content["files"]
    assert lines(BLOCK + 100).decode().startswith(file["text"])
    assert ctx.coverage.skipped[:2] == [
        ("a.txt", "binary, after a part of it was read", 1),
        ("b.txt", "binary", 1),
    ]


@pytest.mark.parametrize("size", [0, BLOCK])
def test_a_file_that_shrinks_while_it_is_extracted(base: Path, size: int) -> None:
    (base / "a.txt").write_bytes(lines(2 * BLOCK))
    (base / "b.txt").write_bytes(b"next")
    ctx = Context("a", base)
    records: Iterator[Any] = Filesystem().extract(
        Filesystem.Config(path=".", include=["/*.txt"]), ctx
    )
    found = [next(records)]
    os.truncate(base / "a.txt", size)
    found += records
    shrunk, other = [joined_parts(item.read()) for item in listed_items(found)]
    assert lines(2 * BLOCK).decode().startswith(shrunk["text"])
    assert other["text"] == "next"
    assert ctx.coverage.skipped[0] == ("a.txt", f"{CHANGED}, after a part of it was read", 1)


def test_progress_has_totals_where_reading_takes_long(
    base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (base / "large").write_bytes(lines(2 * BLOCK + 50))
    monkeypatch.setattr(source_progress, "COUNTED_AFTER", 0)
    steps: list[Progress] = []
    ctx = Context("a", base, emit_progress=steps.append)
    config = Filesystem.Config(path=".", exclude=["sub/"])
    assert len([*Filesystem().catalogue(config, ctx)]) == 3
    total = 2 * BLOCK + 50 + 5  # with the binary file, which is not read
    assert steps[-1] == Progress(4, 4, total, total)
    assert [step.size for step in steps if step.n == 3][-2:] == [5 + BLOCK, 5 + 2 * BLOCK]
    sizes = [step.size or 0 for step in steps]
    assert sizes == sorted(sizes)
    document = ctx.coverage.document() or {}
    assert [item["item"] for item in document["items"]] == ["c.bin", "sub/"]  # each once


def test_memory_does_not_follow_the_size_of_a_file(base: Path) -> None:
    """The bytes of one block are in memory, and a few pieces of text."""
    file = base / "a.txt"
    with file.open("wb") as large:
        for _ in range(6):
            large.write(lines(BLOCK))
    config = Filesystem.Config(path="a.txt")
    (entry,) = listed(base, "a.txt")

    def peak(records: Iterator[Any]) -> float:
        tracemalloc.start()
        try:
            for record in records:
                del record
            return tracemalloc.get_traced_memory()[1] / BLOCK
        finally:
            tracemalloc.stop()

    assert peak(Filesystem().catalogue(config, Context("a", base))) < 2
    assert peak(Filesystem().read(config, Context("b", base), [entry])) < 2
    assert peak(Filesystem().extract(config, Context("a", base))) < 2


TEXTS = st.text(st.sampled_from("ab\r\n,é日😀"), max_size=40)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.sampled_from(["utf-8", "utf-16-le", "utf-8-sig"]), st.integers(4, 9))
def test_parts_are_the_text_whatever_the_blocks_are(text: str, encoding: str, size: int) -> None:
    from waivern.builtin.text_parts import Block, decoded, parts

    data = text.encode(encoding)
    data = data if encoding != "utf-16-le" else codecs.BOM_UTF16_LE + data
    cuts = range(0, max(len(data), 1), size)
    blocks = [Block(data[at : at + size], last=at == cuts[-1]) for at in cuts]
    found = [*parts(decoded(blocks, encoding))]
    assert "".join(part["text"] for part in found) == text
    assert [part.get("more") for part in found] == [True] * (len(found) - 1) + [None]
    for part in found[1:]:
        before = text[: part["start"]]
        assert part.get("column", 0) == len(before) - before.rfind("\n") - 1 or "\r" in text


NAMES = st.sampled_from(["a.txt", "b.txt", "s/c.txt", "s/t/d.txt"])
BYTES = st.sampled_from([b"", b"one", b"ones", b"on", b"two", b"\xef\xbb\xbfone", b"\0", b"\xff"])
EDITS = st.tuples(st.sampled_from(["write", "append", "remove", "link", "folder"]), NAMES, BYTES)


def edit(base: Path, what: str, name: str, data: bytes) -> None:
    path = base / name
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    if what == "append" and path.is_file():
        with path.open("ab") as file:
            file.write(data)
        return
    path.unlink(missing_ok=True)
    if what == "write":
        path.write_bytes(data)
    elif what == "link":
        path.symlink_to("s")
    elif what == "folder":
        path.mkdir()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(NAMES, BYTES), max_size=4), st.lists(EDITS, max_size=5))
def test_what_is_read_is_what_was_listed_and_all_else_is_named(
    files: list[tuple[str, bytes]], edits: list[tuple[str, str, bytes]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        (base / "s" / "t").mkdir(parents=True)
        for name, data in files:
            (base / name).write_bytes(data)
        entries = listed(base)
        before = {record["path"]: record for record in again(base, entries)[0]}
        assert before.keys() == {entry["path"] for entry in entries}
        for each in edits:
            edit(base, *each)
        records, ctx = again(base, entries)
        assert all(before[record["path"]] == record for record in records)
        names = [record["path"] for record in records] + [s[0] for s in ctx.coverage.skipped]
        assert sorted(names) == sorted(before)
        for entry in entries:  # and nothing is skipped that is still there
            path = base / entry["path"]
            same = path.is_file() and not path.is_symlink()
            if same and sha256(path.read_bytes()[: entry["size"]]) == entry["digest"]:
                assert entry["path"] in [record["path"] for record in records]
