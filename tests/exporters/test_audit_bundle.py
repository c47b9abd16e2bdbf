"""The audit bundle: what is in it, and that its verifier detects every change of it."""

from __future__ import annotations

import ast
import base64
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import pytest
from bundle_kit import CANARY, CHILD, RUNBOOK, Bench, accepted, flipped, members, packed, verified

EXEMPT = "verify.py"
DERIVED = ("attestation.intoto.json", "SHA256SUMS")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """Return a folder with one finished run, `r1`."""
    made = Bench(tmp_path_factory.mktemp("bundle"))
    made.write("audit.yaml", RUNBOOK)
    made.write("part.yaml", CHILD)
    made.write("data/a.txt", f"mail {CANARY}\n")
    made.write("data/b.bin", "\0\1\2")
    made.wct("run", "audit.yaml", "--run-id", "r1", code=7)
    made.wct("runs", "approve", "r1", "--by", "ann", "--note", "complete")
    made.wct("runs", "redact", "r1/held", "--yes", "--reason", "retention")
    return made


@pytest.fixture(scope="module")
def bundle(bench: Bench) -> Path:
    return bench.bundle()


class TestWhatIsInIt:
    def test_it_proves_the_run(self, bench: Bench, bundle: Path) -> None:
        done = verified(bundle)
        assert done.code == 0, done
        assert "intact     run 'r1': 'completed'" in done.out
        assert "redacted   held" in done.out
        assert "signature  none" in done.out
        content = members(bundle)
        assert content["runbook.yaml"].decode() == RUNBOOK
        child = hashlib.sha256(CHILD.encode()).hexdigest()
        assert content[f"runbooks/{child}.yaml"].decode() == CHILD
        run = bench.folder / ".waivern/runs/r1"
        assert content["journal.jsonl"] == (run / "_system/events.jsonl").read_bytes()
        assert content["artifacts/found.json"] == (run / "found.json").read_bytes()
        [decision] = json.loads(content["decisions.json"])
        assert (decision["by"], decision["approved"], decision["note"]) == ("ann", True, "complete")

    def test_it_says_what_was_not_examined_and_what_is_not_in_it(self, bundle: Path) -> None:
        content = members(bundle)
        coverage = json.loads(content["coverage.json"])
        assert {"item": "b.bin", "reason": "binary"} in coverage["not_examined"]["files"]
        assert "mask: none" in coverage["omitted"]["bare"]
        assert "bare: its values are not masked" in content["README.txt"].decode()

    def test_no_value_of_the_source_is_in_it(self, bundle: Path) -> None:
        assert CANARY.encode() not in bundle.read_bytes()

    def test_the_same_run_gives_the_same_bytes(self, bench: Bench, bundle: Path) -> None:
        assert bench.bundle("again.zip").read_bytes() == bundle.read_bytes()

    def test_the_command_prints_the_digest(self, bench: Bench) -> None:
        done = bench.wct("export", "r1", "--export", "bundle=shown.zip")
        digest = hashlib.sha256((bench.folder / "shown.zip").read_bytes()).hexdigest()
        assert f"SHA-256 {digest}" in done.err

    def test_the_digests_fit_the_run_folder(self, bench: Bench, bundle: Path) -> None:
        run = bench.folder / ".waivern/runs/r1"
        lines = members(bundle)["digests.txt"].decode().splitlines()
        assert len(lines) == 6
        for line in lines:
            digest, name = line.split("  ")
            assert hashlib.sha256((run / name).read_bytes()).hexdigest() == digest

    def test_the_sums_fit_the_unpacked_files(self, bundle: Path) -> None:
        content = members(bundle)
        for line in content.pop("SHA256SUMS").decode().splitlines():
            digest, name = line.split("  ")
            assert hashlib.sha256(content.pop(name)).hexdigest() == digest
        assert not content

    def test_many_findings_have_a_file_of_their_own(self, tmp_path: Path) -> None:
        many = Bench(tmp_path)
        many.write("audit.yaml", "\n".join(RUNBOOK.splitlines()[:3] + RUNBOOK.splitlines()[4:5]))
        for n in range(90):
            many.write(f"data/{n}.txt", f"mail ann{n}@firm{n}.de, phone +44 20 7946 0018\n")
        many.wct("run", "audit.yaml", "--run-id", "r1")
        made = many.bundle()
        assert verified(made).code == 0
        content = members(made)
        content["artifacts/found.jsonl"] = flipped(content["artifacts/found.jsonl"], 70)
        assert "found.json is not what the journal recorded" in altered(tmp_path, content)

    def test_a_run_that_is_too_large_for_it(self, bench: Bench) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("waivern.exporters.stored_zip.MOST_BYTES", 20_000)
            done = bench.wct("export", "r1", "--export", "bundle=large.zip", code=5)
        assert "the run is too large for a zip file of this form" in done.err
        assert not (bench.folder / "large.zip").exists()


class TestTheScript:
    def test_it_runs_alone(self, bundle: Path, tmp_path: Path) -> None:
        script = tmp_path / "verify.py"
        script.write_bytes(members(bundle)[EXEMPT])
        command = [sys.executable, "-I", "-S", str(script), str(bundle)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == verified(bundle).out

    def test_it_needs_no_newer_python_and_no_package(self, bundle: Path) -> None:
        tree = ast.parse(members(bundle)[EXEMPT], feature_version=(3, 8))
        names = {
            alias.name.partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        assert names <= sys.stdlib_module_names

    @pytest.mark.parametrize("content", [b"", b"PK\3\4", b"x" * 100, b"PK\3\4" + b"\xff" * 99])
    def test_a_file_that_is_no_bundle(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "other").write_bytes(content)
        done = verified(tmp_path / "other")
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("ALTERED")
        assert verified(tmp_path).code == verified(tmp_path / "none").code == 1

    def test_digest_and_head_are_compared(self, bundle: Path) -> None:
        digest = hashlib.sha256(bundle.read_bytes()).hexdigest()
        line = members(bundle)["journal.jsonl"].splitlines()[4]
        head = json.loads(line)["hash"]
        assert verified(bundle, "--sha256", digest.upper(), "--head", head).code == 0
        assert verified(bundle, "--sha256", digest[:-1] + "x").code == 1
        assert verified(bundle, "--sha256", "").code == 1, "as of an unset variable"
        assert verified(bundle, "--head", "0" * 64).code == 1


def altered(folder: Path, content: dict[str, bytes]) -> str:
    """Return the fault that the verifier finds in a bundle of these members."""
    done = verified(packed(folder / "altered.zip", content))
    assert (done.code, done.out) == (1, ""), content.keys()
    return done.err


class TestAlteration:
    @pytest.mark.parametrize(
        "step", [pytest.param(1, marks=pytest.mark.sweep), pytest.param(397, id="sample")]
    )
    def test_each_byte_of_the_file(self, bundle: Path, tmp_path: Path, step: int) -> None:
        """Only the content of the script itself may change, for it is what checks."""
        data = bundle.read_bytes()
        start = data.index(members(bundle)[EXEMPT])
        exempt = range(start, start + len(members(bundle)[EXEMPT]))
        copy = tmp_path / "copy.zip"
        copy.write_bytes(data)
        with copy.open("r+b", buffering=0) as file:
            for at in range(0, len(data), step):
                if at in exempt:
                    continue
                os.pwrite(file.fileno(), flipped(data[at : at + 1], 0), at)
                assert not accepted(copy), at
                os.pwrite(file.fileno(), data[at : at + 1], at)
        assert verified(copy).code == 0

    @pytest.mark.parametrize(
        "step", [pytest.param(7, marks=pytest.mark.sweep), pytest.param(997, id="sample")]
    )
    def test_each_byte_of_a_member_in_a_file_that_was_packed_again(
        self, bundle: Path, tmp_path: Path, step: int
    ) -> None:
        content = members(bundle)
        for name, data in content.items():
            if name != EXEMPT:
                for at in {*range(0, len(data), step), len(data) - 1}:
                    changed = {**content, name: flipped(data, at)}
                    assert not accepted(packed(tmp_path / "altered.zip", changed)), (name, at)

    @pytest.mark.parametrize(
        "name", ["runbook.yaml", "journal.jsonl", "digests.txt", "artifacts/found.json"]
    )
    def test_sums_that_were_computed_again(self, bundle: Path, tmp_path: Path, name: str) -> None:
        """The journal's chain and its digests still show the change of what it covers."""
        content = members(bundle)
        content[name] = flipped(content[name], len(content[name]) // 2)
        fault = altered(tmp_path, summed(content))
        assert "SHA256SUMS" not in fault
        assert "subject" not in fault

    def test_a_decision_and_a_coverage_that_the_journal_does_not_have(
        self, bundle: Path, tmp_path: Path
    ) -> None:
        content = members(bundle)
        decisions = json.loads(content["decisions.json"])
        decisions[0]["by"] = "bob"
        other = {**content, "decisions.json": json.dumps(decisions).encode()}
        assert "decisions.json" in altered(tmp_path, summed(other))
        coverage = json.loads(content["coverage.json"])
        coverage["examined"]["files"]["items"]["examined"] = 2
        other = {**content, "coverage.json": json.dumps(coverage).encode()}
        assert "coverage.json" in altered(tmp_path, summed(other))

    def test_members_that_are_removed_renamed_or_in_another_order(
        self, bundle: Path, tmp_path: Path
    ) -> None:
        content = members(bundle)
        for name in content:
            altered(tmp_path, {key: data for key, data in content.items() if key != name})
        found = {key.replace("found.json", "other.json"): data for key, data in content.items()}
        altered(tmp_path, found)
        altered(tmp_path, summed(found))
        altered(tmp_path, dict(reversed(content.items())))
        names = list(content)
        for first, second in itertools.pairwise(names):
            at = names.index(first)
            order = [*names[:at], second, first, *names[at + 2 :]]
            altered(tmp_path, {name: content[name] for name in order})
        altered(tmp_path, {name: content[name] for name in [names[-1], *names[:-1]]})

    @pytest.mark.parametrize(
        "name", ["../evil.txt", "/etc/passwd", "a\\b", "artifacts/../x.json", "note.txt", "É.json"]
    )
    def test_members_that_do_not_belong_to_it(
        self, bundle: Path, tmp_path: Path, name: str
    ) -> None:
        content = members(bundle)
        assert "does not belong" in altered(tmp_path, summed({name: b"{}", **content}))
        artifact = {**content, "artifacts/more.json": b"{}"}
        assert "more.json is not what" in altered(tmp_path, summed(artifact))

    def test_a_name_that_is_there_twice(self, bundle: Path, tmp_path: Path) -> None:
        copy = tmp_path / "twice.zip"
        for name in ("runbook.yaml", "RUNBOOK.YAML"):
            shutil.copy(bundle, copy)
            with warnings.catch_warnings(action="ignore"), zipfile.ZipFile(copy, "a") as file:
                file.writestr(name, b"other")
            assert verified(copy).code == 1

    def test_bytes_around_the_zip_file(self, bundle: Path, tmp_path: Path) -> None:
        data, copy = bundle.read_bytes(), tmp_path / "copy.zip"
        for changed in (data + b"\0", b"#!/bin/sh\n" + data, data[:-1], data[:-30]):
            copy.write_bytes(changed)
            assert verified(copy).code == 1
        shutil.copy(bundle, copy)
        with zipfile.ZipFile(copy, "a") as file:
            file.comment = b"approved"
        assert verified(copy).code == 1

    def test_compressed_members(self, bundle: Path, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "small.zip", "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members(bundle).items():
                file.writestr(name, data)
        assert verified(tmp_path / "small.zip").code == 1


def summed(content: dict[str, bytes]) -> dict[str, bytes]:
    """Return the members with an attestation and sums that fit them, as a forger makes them."""
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in content.items()}
    envelope = json.loads(content["attestation.intoto.json"])
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["subject"] = [
        {"name": name, "digest": {"sha256": digest}}
        for name, digest in sums.items()
        if name not in DERIVED
    ]
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    made = {**content, "attestation.intoto.json": json.dumps(envelope).encode()}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}
    lines = [f"{digest}  {name}\n" for name, digest in sums.items() if name != "SHA256SUMS"]
    return {**made, "SHA256SUMS": "".join(lines).encode()}
