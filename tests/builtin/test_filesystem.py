from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from source_kit import extracted

from waivern.builtin.filesystem import Filesystem
from waivern.errors import ComponentError
from waivern.message import content_digest
from waivern.plugins.context import Context
from waivern.plugins.tally import Progress


def read(base: Path, path: str = ".", **properties: Any) -> tuple[dict[str, str], dict[str, Any]]:
    """Return {path: text} in order, and the coverage."""
    ctx = Context("a", base)
    config = Filesystem.Config(path=path, **properties)
    content = extracted(Filesystem(), config, ctx)
    content_digest(content)  # refuses what is not JSON
    coverage = ctx.coverage.document()
    assert coverage is not None
    assert coverage["seen"] == coverage["read"] + coverage["skipped"]
    assert coverage["read"] == len(content["files"])
    return {file["path"]: file["text"] for file in content["files"]}, coverage


def reasons(coverage: dict[str, Any]) -> dict[str, str]:
    return {item["item"]: item["reason"] for item in coverage["items"]}


def tree(base: Path, *names: str) -> Path:
    for name in names:
        (base / name).parent.mkdir(parents=True, exist_ok=True)
        (base / name).write_text(f"text of {name}")
    return base


def files_below(base: Path) -> int:
    """Count in another way: everything that is not a folder."""
    return sum(
        len(files) + sum((Path(folder) / name).is_symlink() for name in folders)
        for folder, folders, files in os.walk(base)
    )


def test_what_runs_have_kept_is_no_source(tmp_path: Path) -> None:
    """Or each run would find what all before it have found, once more."""
    tree(tmp_path, "a.txt", ".waivern/runs/r/a.json", "kept/runs/r/a.json", "kept.txt")
    ctx = Context("a", tmp_path, store_folder=tmp_path / "kept")
    config = Filesystem.Config(path=".")
    content = extracted(Filesystem(), config, ctx)
    assert [file["path"] for file in content["files"]] == ["a.txt", "kept.txt"]
    coverage = ctx.coverage.document()
    assert coverage is not None
    assert reasons(coverage) == {".waivern/": "store", "kept/": "store"}
    before = Filesystem().fingerprint(config, ctx)
    tree(tmp_path, "kept/runs/s/a.json", ".waivern/runs/s/b.json")
    assert (
        Filesystem().fingerprint(config, ctx)
        == before
        == {name: before[name] for name in ("a.txt", "kept.txt")}
    )
    whole, _ = read(tmp_path, ".waivern/runs/r")  # whoever names it means it
    assert list(whole) == ["a.json"]


def test_a_link_that_leads_nowhere_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ComponentError, match="'link' is a link that leads nowhere") as raised:
        read(tmp_path, "link")
    assert "did you mean" not in (raised.value.hint or "")


def test_content_is_whole_and_in_order(tmp_path: Path) -> None:
    tree(tmp_path, "b.txt", "a/z.txt", "a/b/c.txt", "a-b.txt", ".hidden", "Z.txt")
    ctx = Context("a", tmp_path)
    content = extracted(Filesystem(), Filesystem.Config(path="."), ctx)
    assert [file["path"] for file in content["files"]] == [
        ".hidden",
        "Z.txt",
        "a/b/c.txt",
        "a/z.txt",
        "a-b.txt",
        "b.txt",
    ]
    assert content["files"][0] == {
        "path": ".hidden",
        "size": 15,
        "encoding": "utf-8",
        "text": "text of .hidden",
    }


def test_content_says_nothing_of_where_or_when(tmp_path: Path) -> None:
    for where in ("one", "two"):
        tree(tmp_path / where, "a.txt", "b/c.txt")
    os.utime(tmp_path / "two" / "a.txt", (1, 1))
    config = Filesystem.Config(path=".")
    one, two = (
        extracted(Filesystem(), config, Context("a", tmp_path / where)) for where in ("one", "two")
    )
    assert one == two
    assert str(tmp_path) not in repr(one)


def test_progress_counts_files(tmp_path: Path) -> None:
    steps: list[int] = []
    tree(tmp_path, "a", "b", "c")
    ctx = Context("a", tmp_path, emit_progress=lambda p: steps.append(p.n))
    extracted(Filesystem(), Filesystem.Config(path="."), ctx)
    assert steps == [1, 2, 3]


def test_include_and_exclude(tmp_path: Path) -> None:
    tree(tmp_path, "a.csv", "a.txt", "src/a.py", "src/old/a.csv", "tmp/x.csv", "tmp/y/z.csv")
    files, coverage = read(tmp_path, include=["*.csv", "src/"], exclude=["tmp", "old/*.csv"])
    assert list(files) == ["a.csv", "src/a.py", "src/old/a.csv"]
    assert coverage["items"] == [
        {"item": "a.txt", "reason": "not included"},
        {"item": "tmp/", "reason": "excluded", "count": 2},
    ]
    assert coverage["seen"] == files_below(tmp_path) == 6
    files, coverage = read(tmp_path, exclude=["**/old/*.csv", "*.txt"])
    assert reasons(coverage) == {"src/old/a.csv": "excluded", "a.txt": "excluded"}


def test_a_single_file_may_be_named(tmp_path: Path) -> None:
    tree(tmp_path, "sub/a.txt", "sub/b.txt")
    files, coverage = read(tmp_path, "sub/a.txt")
    assert files == {"a.txt": "text of sub/a.txt"}
    assert coverage["seen"] == 1
    (tmp_path / "bin").write_bytes(b"\0\1")
    with pytest.raises(ComponentError, match="was not read: binary"):
        read(tmp_path, "bin")


def test_hostile_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "outside"
    tree(secret, "secret.txt")
    base = tree(tmp_path / "base", "ok.txt", "sub/ok.txt", "new\nline.txt")
    os.mkfifo(base / "fifo")
    (base / "binary.bin").write_bytes(b"\x7fELF\0\0\1")
    (base / "nul.txt").write_bytes(b"text\0text")
    (base / "latin.txt").write_bytes("é è".encode("latin-1"))
    with (base / "huge").open("wb") as file:
        file.truncate(2**40)
    (base / "loop").symlink_to(base)
    (base / "away").symlink_to(secret)
    (base / "link.txt").symlink_to(secret / "secret.txt")
    (base / "dangling").symlink_to("nowhere")
    (base / "self").symlink_to("self")
    (base / "empty").mkdir()
    Path(os.fsdecode(os.fsencode(base) + b"/odd\xff.txt")).write_text("odd")
    monkeypatch.chdir(base)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        files, coverage = read(base)
    assert files == {
        "latin.txt": "é è",
        "new\nline.txt": "text of new\nline.txt",
        "nul.txt": "text\0text",
        "odd\\xff.txt": "odd",
        "ok.txt": "text of ok.txt",
        "sub/ok.txt": "text of sub/ok.txt",
    }
    assert reasons(coverage) == {
        "away": "symlink",
        "binary.bin": "binary",
        "dangling": "symlink",
        "fifo": "not a regular file",
        "huge": "too large",
        "link.txt": "symlink",
        "loop": "symlink",
        "self": "symlink",
        "socket": "not a regular file",
    }
    assert coverage["seen"] == files_below(base)


DENIED = """
import os, sys, json
from pathlib import Path
from waivern.builtin.filesystem import Filesystem
from waivern.plugins.context import Context
from waivern.plugins.tally import Progress
if os.geteuid() == 0:
    os.seteuid(65534)
ctx = Context("a", Path(sys.argv[1]))
files = [*Filesystem().extract(Filesystem.Config(path="."), ctx)]
print(json.dumps([[f["path"] for f in files], ctx.coverage.document()["items"]]))
"""


def test_denied_files_and_folders_are_recorded() -> None:
    with tempfile.TemporaryDirectory() as folder:  # not below tmp_path, which is closed to others
        base = tree(Path(folder), "ok.txt", "closed.txt", "vault/a.txt")
        base.chmod(0o755)
        (base / "closed.txt").chmod(0)
        (base / "vault").chmod(0)
        done = subprocess.run(
            [sys.executable, "-c", DENIED, str(base)], capture_output=True, text=True, check=False
        )
        (base / "vault").chmod(0o700)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (
        '[["ok.txt"], [{"item": "closed.txt", "reason": "denied"},'
        ' {"item": "vault/", "reason": "denied"}]]'
    )


def test_a_file_that_vanishes_is_recorded(tmp_path: Path) -> None:
    tree(tmp_path, "a.txt", "b.txt", "c.txt")
    ctx = Context("a", tmp_path, emit_progress=lambda _p: (tmp_path / "b.txt").unlink(True))
    content = extracted(Filesystem(), Filesystem.Config(path="."), ctx)
    assert [file["path"] for file in content["files"]] == ["a.txt", "c.txt"]
    assert ctx.coverage.skipped == [("b.txt", "vanished", 1)]


def test_a_file_swapped_for_a_symlink_is_not_followed(tmp_path: Path) -> None:
    base = tree(tmp_path / "base", "a.txt", "b.txt", "c/d.txt")
    tree(tmp_path, "outside/d.txt")

    def swap(progress: Progress) -> None:
        if progress.n == 1:
            (base / "b.txt").unlink()
            (base / "b.txt").symlink_to(tmp_path / "outside" / "d.txt")
            (base / "c").rename(base / "moved")
            (base / "c").symlink_to(tmp_path / "outside")

    ctx = Context("a", base, emit_progress=swap)
    content = extracted(Filesystem(), Filesystem.Config(path="."), ctx)
    assert [file["path"] for file in content["files"]] == ["a.txt"]
    assert [item for item, _, _ in ctx.coverage.skipped] == ["b.txt", "c/"]
    assert ctx.coverage.skipped[0][1] == "symlink"


def test_depth_is_bounded(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(450):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("deep.txt", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    files, coverage = read(tree(tmp_path, "top.txt"))
    assert list(files) == ["top.txt"]
    assert coverage["reasons"] == {"below 200 folders": 1}
    _, coverage = read(tmp_path, exclude=["d"])
    assert coverage["reasons"] == {"excluded": 1}


def test_size_is_taken_from_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "ten").write_text("x" * 10)
    assert read(tmp_path, max_file_size=10)[1]["read"] == 1
    assert reasons(read(tmp_path, max_file_size="9B")[1]) == {"ten": "too large"}
    if Path("/proc/self/status").exists():  # says that it is empty, and is not
        with pytest.raises(ComponentError, match="too large"):
            read(tmp_path, "/proc/self/status", max_file_size=10)


def test_encodings(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("Zoë".encode("latin-1"))
    (tmp_path / "mark8.txt").write_bytes("\ufeffZoë".encode())
    (tmp_path / "mark16.txt").write_bytes("Zoë".encode("utf-16"))
    ctx = Context("a", tmp_path)
    content = extracted(Filesystem(), Filesystem.Config(path=".", encoding="latin-1"), ctx)
    assert [(file["path"], file["encoding"], file["text"]) for file in content["files"]] == [
        ("latin.txt", "latin-1", "Zoë"),
        ("mark16.txt", "utf-16", "Zoë"),
        ("mark8.txt", "utf-8-sig", "Zoë"),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "UTF_32"])
def test_a_mark_may_be_missing(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.txt").write_bytes("Zoë".encode(f"{encoding}-le"))
    (tmp_path / "b.txt").write_bytes("Zoë".encode(encoding))
    config = Filesystem.Config(path=".", encoding=encoding)
    content = extracted(Filesystem(), config, Context("a", tmp_path))
    assert [file["text"] for file in content["files"]] == ["Zoë", "Zoë"]


def test_missing_path_says_where_it_looked(tmp_path: Path) -> None:
    tree(tmp_path, "data/a.txt")
    with pytest.raises(ComponentError, match="'dta' cannot be read") as caught:
        read(tmp_path, "dta")
    assert "did you mean 'data'?" in (caught.value.hint or "")
    assert str(tmp_path) in (caught.value.hint or "")


def test_a_fifo_as_the_path_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ComponentError, match="not a regular file"):
        read(tmp_path, "fifo")


@pytest.mark.parametrize(
    "properties",
    [
        {},
        {"path": ""},
        {"path": "x", "patth": 1},
        {"path": "x", "include": "*.csv"},
        {"path": "x", "include": ["!a"]},
        {"path": "x", "exclude": [""]},
        {"path": "x", "max_file_size": True},
        {"path": "x", "max_file_size": -1},
        {"path": "x", "max_file_size": "ten"},
        {"path": "x", "encoding": "klingon"},
        {"path": "x", "encoding": "zip"},
        {"path": "x", "encoding": "a\0b"},
    ],
)
def test_wrong_properties_are_refused_when_planned(properties: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Filesystem.Config.model_validate(properties)


def test_errors_do_not_repeat_values() -> None:
    with pytest.raises(ValidationError) as caught:
        Filesystem.Config.model_validate({"path": "x", "max_file_size": "canary-secret"})
    assert "canary-secret" not in str(caught.value)
