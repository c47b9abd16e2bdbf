"""Input made to break a reader: a clear error, soon, in little memory, and never a crash."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from runbook_text import FOLDER, problems, runbook

from waivern.diagnostics import InvalidError
from waivern.language.loader import parse
from waivern.language.models import Runbook

SOON = 5.0
"""Seconds; each takes a fraction of one on an idle machine."""

LETTERS = "bcdefghij"
LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join(['*' + old] * 10)}]\n"
    for old, new in zip("a" + LETTERS, LETTERS, strict=False)
)
CHAIN = "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}]\n" for n in range(150))
ONE = "artifacts: {a: {source: {type: t, properties: {p: %s}}}}"

BOMBS = {
    "nested lists": ("a: " + "[" * 100_000, "WCT111"),
    "nested mappings": ("{a: " * 100_000, "WCT111"),
    "nested dashes": ("- " * 100_000, "WCT111"),
    "nested blocks": ("".join(" " * n + "a:\n" for n in range(1_000)), "WCT111"),
    "nested keys": ("? " * 100_000, "WCT109"),
    "billion laughs": (LAUGHS, "WCT111"),
    "aliases": ("x: &x [1, 2, 3]\ny: [" + "*x," * 300_000 + "]", "WCT111"),
    "deep aliases": (CHAIN, "WCT111"),
    "tag directives": (
        "".join(f"%TAG !a{n}! tag:x\n" for n in range(300_000)) + "---\na: 1",
        "WCT111",
    ),
    "large file": ("#" * (64 * 2**20 + 1), "WCT111"),
    "long number": (ONE % ("9" * 1_000_000), "WCT111"),
    "unknown keys": ("".join(f"k{n}: 1\n" for n in range(20_000)), "WCT111"),
    "duplicate keys": ("a: 1\n" * 20_000, "WCT108"),
    "bad artifacts": ("artifacts:\n" + "".join(f" k{n}: 1\n" for n in range(50_000)), "WCT106"),
    "alike artifacts": (
        "artifacts:\n" + "".join(f" {n}{c}: {{inputs: b}}\n" for n in range(1000) for c in "aA"),
        "WCT113",
    ),
    "repeated inputs": ("artifacts: {a: {inputs: [" + "x," * 50_000 + "]}}", "WCT107"),
    "open variables": (ONE % ("'" + "${A:-" * 100_000 + "'"), "WCT116"),
    "missing variables": (ONE % ("'" + "${A} " * 100_000 + "'"), "WCT115"),
    "open quote": ("a: '" + "x\n" * 1_000_000, "WCT101"),
    "colons": ("a" + ":" * 1_000_000, "WCT101"),
}


@pytest.mark.parametrize(("text", "code"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_is_a_clear_error_and_soon(text: str, code: str) -> None:
    started = time.process_time()
    found = problems(text)
    assert time.process_time() - started < SOON
    assert code in {problem.code for problem in found}
    assert len(found) <= 2_100
    assert len(str(found[0])) < 2_000


def test_what_crashes_the_yaml_library_does_not_crash_a_process() -> None:
    code = (
        "from pathlib import Path\n"
        "from waivern.diagnostics import InvalidError\n"
        "from waivern.language.loader import parse\n"
        "for text in (b'[' * 10**6, b'{a: ' * 10**6, b'- ' * 10**6):\n"
        "    try:\n"
        "        parse(text, path=None, folder=Path('/'), environ={})\n"
        "    except InvalidError as error:\n"
        "        print(error.problems[0].code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["WCT111"] * 3, "")


def test_limits_let_a_large_runbook_through() -> None:
    many = "".join(f"  a{n}: {{inputs: [b, c], output: true}}\n" for n in range(5_000))
    started = time.process_time()
    assert len(runbook("artifacts:\n" + many).artifacts) == 5_000
    assert time.process_time() - started < SOON
    deep = "[" * 58 + "]" * 58
    assert len(runbook(ONE % deep).artifacts) == 1
    shared = ONE % ("[&x [1], " + "*x, " * 200 + "]")
    assert len(runbook(shared).artifacts) == 1


def test_collection_of_garbage_is_on_again_after_an_error() -> None:
    import gc

    assert gc.isenabled()
    problems("[")
    assert gc.isenabled()


def attempt(data: bytes) -> None:
    with suppress(InvalidError):
        found = parse(data, path="x.yaml", folder=FOLDER, environ={"A": "1"})
        assert isinstance(found, Runbook)
        assert found.artifacts


@given(st.binary(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_a_runbook_or_an_error(data: bytes) -> None:
    attempt(data)


WORDS = """
    artifacts: source: type: t properties: inputs: process: reuse: config: name: version: timeout:
    a b: { } [ ] , : - &x *x !!int !x <<: ? ' " | > # %TAG --- ... 1 1e999 .nan ~ true
    ${A} ${B} ${ $${ \\ é 😀
"""
SPACES = ["\n", "\n  ", "\n    ", " ", ": ", "\t", "\r", "\x85", "\u2028", "\ufeff", "\x00", "\x1b"]
PIECES = st.sampled_from([*WORDS.split(), *SPACES])


@given(st.lists(PIECES, max_size=40).map("".join))
@settings(max_examples=400, deadline=None)
def test_any_pieces_of_yaml_are_a_runbook_or_an_error(text: str) -> None:
    attempt(text.encode())


KEYS = """
    artifacts config name version source inputs process reuse merge type properties from_run
    artifact output timeout a A a/b execute
"""
NAMES = st.sampled_from(KEYS.split())
TREES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["${A}", "${B}", "concatenate", "@last", "5m"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, TREES), st.dictionaries(NAMES, st.dictionaries(NAMES, TREES)))
@settings(max_examples=50, deadline=None)
def test_any_tree_is_a_runbook_or_an_error(top: dict[str, object], artifacts: object) -> None:
    import json

    attempt(json.dumps({**top, "artifacts": artifacts}).encode())


def test_a_file_that_grows_past_the_limit_is_not_read_whole(tmp_path: Path) -> None:
    from waivern.language.loader import load

    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(2**36)  # sparse
    started = time.process_time()
    with pytest.raises(InvalidError, match="larger than 64 MiB"):
        load(path, {})
    assert time.process_time() - started < SOON
