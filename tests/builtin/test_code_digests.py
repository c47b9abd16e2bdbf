"""What `code` sees of the user's own code: without running it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from waivern.builtin.command import CommandConnector, CommandProcessor
from waivern.builtin.python_function import PythonConnector, PythonProcessor
from waivern.errors import ComponentError
from waivern.message import sha256
from waivern.plugins.context import Context, SharedResults


def of_call(base: Path, call: str, **args: Any) -> str | None:
    config = PythonConnector.Config(call=call, args=args)
    digest = PythonConnector().code(config, Context("a", base))
    assert PythonProcessor().code(config, Context("a", base)) == digest
    return digest


def of_command(base: Path, *argv: str) -> str | None:
    config = CommandConnector.Config(argv=list(argv))
    digest = CommandConnector().code(config, Context("a", base))
    assert CommandProcessor().code(config, Context("a", base)) == digest
    return digest


def test_they_do_not_say_that_they_are_repeatable() -> None:
    kinds = (PythonConnector, PythonProcessor, CommandConnector, CommandProcessor)
    assert not any(getattr(kind, "repeatable", False) for kind in kinds)


def test_a_python_file_is_its_bytes_and_is_not_run(tmp_path: Path) -> None:
    source = b"raise SystemExit('it was run')\n"
    (tmp_path / "own.py").write_bytes(source)
    assert of_call(tmp_path, "own.py:work") == sha256(source)
    os.utime(tmp_path / "own.py", (1, 1))
    assert of_call(tmp_path, "own.py:other") == sha256(source)
    with pytest.raises(ComponentError, match="cannot be read"):
        of_call(tmp_path, "none.py:work")


def test_a_module_is_found_and_its_packages_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "code_digest_sample" / "inner"
    package.mkdir(parents=True)
    for folder in (package.parent, package):
        (folder / "__init__.py").write_text("raise SystemExit('it was imported')")
    (package / "work.py").write_text("def f(): ...")
    monkeypatch.syspath_prepend(tmp_path)
    one = of_call(tmp_path, "code_digest_sample.inner.work:f")
    other = of_call(tmp_path, "code_digest_sample:f")
    assert one != other
    (package / "work.py").write_text("def f(): return 1")
    assert of_call(tmp_path, "code_digest_sample.inner.work:f") != one
    assert of_call(tmp_path, "code_digest_sample:f") != other
    assert not [name for name in sys.modules if name.startswith("code_digest_sample")]


def test_what_has_no_file_has_no_digest(tmp_path: Path) -> None:
    assert of_call(tmp_path, "sys:getsizeof") == "python sys"
    for call in ("no_such_package.module:f", "__main__:f"):
        with pytest.raises(ComponentError, match="cannot be fingerprinted"):
            of_call(tmp_path, call)


def test_a_command_is_the_files_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("0")
    (tmp_path / "script.py").write_text("1")
    names = [("./tool",), ("python3", "script.py"), ("./tool", "script.py"), ("./tool", "-v")]
    before = [of_command(tmp_path, *argv) for argv in names]
    assert None not in before
    assert len(set(before)) == len(names)
    (tmp_path / "script.py").write_text("2")
    after = [of_command(tmp_path, *argv) for argv in names]
    assert [one == other for one, other in zip(before, after, strict=True)] == [
        True,
        False,
        False,
        True,
    ]


def test_a_command_may_name_no_file(tmp_path: Path) -> None:
    (tmp_path / "python3").write_text("not what PATH finds")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    assert (
        of_command(tmp_path, "python3", "-c", "x" * 5000, "fifo", "folder", "", "a/b") == "no file"
    )


def test_a_module_that_was_edited_since_its_import_cannot_be_fingerprinted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "code_digest_imported.py"
    path.write_text("def f():\n    return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    config = PythonConnector.Config(call="code_digest_imported:f")
    assert PythonConnector().extract(config, Context("a", tmp_path)) == 1
    path.write_text("def f():\n    return 2\n")
    assert PythonConnector().extract(config, Context("b", tmp_path)) == 1
    with pytest.raises(ComponentError, match="has changed since it was imported"):
        PythonConnector().code(config, Context("b", tmp_path))


def test_a_file_is_for_an_attempt_what_it_was_at_first(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("def f():\n    return 1\n")
    was, attempt = sha256(path.read_bytes()), SharedResults()
    config = PythonConnector.Config(call="own.py:f")
    assert PythonConnector().code(config, Context("a", tmp_path, memo=attempt)) == was
    path.write_text("def f():\n    return 2\n")
    assert PythonConnector().extract(config, Context("b", tmp_path, memo=attempt)) == 1
    assert PythonConnector().extract(config, Context("b", tmp_path)) == 2
