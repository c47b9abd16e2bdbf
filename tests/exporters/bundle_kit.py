"""One run with a child runbook, a decision, findings beside their artifact and a redaction."""

from __future__ import annotations

import argparse
import io
import sys
import zipfile
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from waivern.cli.main import main
from waivern.exporters import bundle_verifier
from waivern.exporters.stored_zip import StoredZip

CANARY = "quetzal.canary@secret-firm.de"
"""An address in the sources that no export may hold."""
RUNBOOK = """\
name: audit
artifacts:
  files: {source: {type: filesystem, properties: {path: data}}}
  held: {source: {type: filesystem, properties: {path: data}}, keep: content}
  found: {inputs: files, process: {type: personal_data}}
  bare: {inputs: held, process: {type: personal_data, properties: {mask: none}}}
  part: {child_runbook: {path: part.yaml, output_mapping: {all: rows}}}
  sure: {gate: {question: "Are the findings complete?", show: found}}
"""
CHILD = """\
name: part
outputs: {all: {artifact: all}}
artifacts:
  all: {source: {type: command, properties: {argv: [echo, '[1]']}}}
"""


@dataclass(frozen=True)
class Typed:
    """The outcome of a command."""

    code: int
    out: str
    err: str


class Bench:
    """A folder in which commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def wct(self, *words: str, code: int | None = 0) -> Typed:
        out, err = io.TextIOWrapper(io.BytesIO()), io.TextIOWrapper(io.BytesIO())
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            patch.delenv("WAIVERN_STORE", raising=False)
            patch.setattr(sys, "argv", ["wct", *words])
            with redirect_stdout(out), redirect_stderr(err):
                found = main()
            out.flush()
            err.flush()
        texts = [each.buffer.getvalue().decode() for each in (out, err)]
        done = Typed(found, *texts)
        assert code is None or found == code, done
        return done

    def bundle(self, name: str = "run.zip", *more: str, run: str = "r1") -> Path:
        self.wct("export", run, "--export", f"bundle={name}", *more)
        return self.folder / name

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def verified(path: Path, *options: str) -> Typed:
    """Carry out the verifier in this process."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["verify.py", str(path), *options])
        try:
            bundle_verifier.main()
        except SystemExit as end:
            code = 1 if isinstance(end.code, str) else int(end.code or 0)
            err.write(str(end.code))
    return Typed(code, out.getvalue(), err.getvalue())


def accepted(path: Path) -> bool:
    """Return what the verifier decides, without its text: thousands of times as in a sweep."""
    options = argparse.Namespace(bundle=path, sha256=None, head=None, signers=None)
    try:
        bundle_verifier.verify(options)
    except Exception:  # noqa: BLE001 - as its main function does
        return False
    return True


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as bundle:
        return {name: bundle.read(name) for name in bundle.namelist()}


def packed(path: Path, content: Mapping[str, bytes]) -> Path:
    """Write members as a bundle has them, with right checksums of the zip file."""
    with path.open("wb") as out, StoredZip(out) as bundle:
        for name, data in content.items():
            bundle.add(name, [data])
    return path


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]
