from __future__ import annotations

import time

import pytest

from waivern.builtin.globs import parse


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("*.csv", "a.csv", True),
        ("*.csv", "deep/er/a.csv", True),
        ("*.csv", "a.csv.txt", False),
        ("*.csv", "a.CSV", False),
        ("*", ".hidden", True),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/deep/a.py", False),
        ("src/*.py", "other/src/a.py", False),
        ("/a.txt", "a.txt", True),
        ("/a.txt", "deep/a.txt", False),
        ("**/test/*.py", "test/a.py", True),
        ("**/test/*.py", "x/y/test/a.py", True),
        ("docs/**", "docs/a/b.md", True),
        ("docs/**", "docs", False),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b/**/c", "a/b/x/b/y/c", True),
        ("a/**/b/**/c", "a/b/x/b/y/d", False),
        ("file?.txt", "file1.txt", True),
        ("file?.txt", "file12.txt", False),
        ("[ab].txt", "b.txt", True),
        ("[!ab].txt", "b.txt", False),
        ("a.b", "axb", False),
        ("*.txt", "new\nline.txt", True),
    ],
)
def test_fits(pattern: str, path: str, expected: bool) -> None:
    assert parse(pattern).fits(tuple(path.split("/")), folder=False) is expected


def test_trailing_slash_fits_folders_only() -> None:
    glob = parse("build/")
    assert glob.fits(("x", "build"), folder=True)
    assert not glob.fits(("x", "build"), folder=False)


@pytest.mark.parametrize("pattern", ["", "/", "a//b", "!a", "../a", "a/./b"])
def test_meaningless_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"negated|between slashes|never part"):
        parse(pattern)


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        ("*a" * 400 + "b", ("a" * 255,)),
        ("**/a/" * 150 + "b", ("a",) * 2000),
        ("*" * 900 + "b", ("a" * 255,)),
    ],
)
def test_no_pattern_blows_up(pattern: str, parts: tuple[str, ...]) -> None:
    started = time.process_time()
    assert not parse(pattern).fits(parts, folder=False)
    assert time.process_time() - started < 2
