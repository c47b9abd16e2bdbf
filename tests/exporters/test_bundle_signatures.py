"""Signatures of audit bundles by SSH keys, and the envelope that they are in."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from bundle_kit import Bench, members, verified
from securesystemslib.dsse import Envelope

from waivern.exporters.attestation import pre_authentication_encoding

RUNBOOK = """\
artifacts:
  rows: {source: {type: command, properties: {argv: [echo, '[1]']}}}
"""
INSTALLED = shutil.which("ssh-keygen") is not None
signs = pytest.mark.parametrize("installed", [True] if INSTALLED else [])
"""Machines without OpenSSH have no keys to sign with: what is said there is tested everywhere."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    made = Bench(tmp_path_factory.mktemp("signed"))
    made.write("rows.yaml", RUNBOOK)
    made.wct("run", "rows.yaml", "--run-id", "r1")
    if INSTALLED:
        for name, passphrase in (("key", ""), ("locked", "secret")):
            words = ["-q", "-t", "ed25519", "-N", passphrase, "-C", name, "-f", name]
            subprocess.run(["ssh-keygen", *words], cwd=made.folder, check=True)
        public = (made.folder / "key.pub").read_text()
        made.write("signers", f'ann@example.org namespaces="wct-run" {public}')
        made.write("others", f"bob@example.org {(made.folder / 'locked.pub').read_text()}")
        made.write("logins", f'ann@example.org namespaces="git" {public}')
    return made


def signed(bench: Bench, key: str = "key") -> Path:
    return bench.bundle("signed.zip", "--export-option", f"bundle.sign={bench.folder / key}")


@signs
class TestSigned:
    def test_the_key_is_compared_with_those_that_are_trusted(
        self, bench: Bench, installed: bool
    ) -> None:
        bundle = signed(bench)
        done = verified(bundle, "--signers", str(bench.folder / "signers"))
        assert done.code == 0, done
        assert 'Good "wct-run" signature for ann@example.org with ED25519 key' in done.out
        for other in ("others", "logins", "missing", ""):
            done = verified(bundle, "--signers", other and str(bench.folder / other))
            assert done.code == 1, other
            assert "the signature is not valid" in done.err
        done = verified(bundle)
        assert done.code == 0
        assert "whose key that is was not checked" in done.out

    def test_a_signature_of_another_bundle(self, bench: Bench, installed: bool) -> None:
        """The statement is altered, and everything that is not signed fits it."""
        from test_audit_bundle import altered, summed

        content = members(signed(bench))
        content["README.txt"] += b"All is well.\n"
        assert "the signature is not valid" in altered(bench.folder, summed(content))

    def test_a_key_that_an_agent_holds(self, bench: Bench, installed: bool) -> None:
        agent = subprocess.run(
            ["ssh-agent", "-s"], capture_output=True, text=True, check=True
        ).stdout
        values = dict(line.split(";")[0].split("=") for line in agent.splitlines() if "=" in line)
        bench.write("ask", "#!/bin/sh\necho secret\n")
        (bench.folder / "ask").chmod(0o700)
        asks = {"SSH_ASKPASS": str(bench.folder / "ask"), "SSH_ASKPASS_REQUIRE": "force"}
        try:
            subprocess.run(
                ["ssh-add", "-q", "locked"],
                cwd=bench.folder,
                env={**os.environ, **values, **asks},
                check=True,
            )
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv("SSH_AUTH_SOCK", values["SSH_AUTH_SOCK"])
                for key in ("locked", "locked.pub"):
                    bundle = signed(bench, key)
                    done = verified(bundle, "--signers", str(bench.folder / "others"))
                    assert "for bob@example.org" in done.out
        finally:
            os.kill(int(values["SSH_AGENT_PID"]), 15)

    def test_a_key_with_a_passphrase_and_nobody_to_ask(self, bench: Bench, installed: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("SSH_AUTH_SOCK", raising=False)
            done = bench.wct(
                *("export", "r1", "--export", "bundle=none.zip"),
                *("--export-option", "bundle.sign=locked"),
                code=5,
            )
        assert "ssh-keygen does not sign with 'locked'" in done.err
        assert "ssh-add locked" in done.err
        assert not (bench.folder / "none.zip").exists()

    def test_without_ssh_keygen_it_says_that_it_did_not_check(
        self, bench: Bench, installed: bool
    ) -> None:
        bundle = signed(bench)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PATH", "")
            done = verified(bundle)
            assert done.code == 0
            assert "signature  signature not checked: ssh-keygen is not installed" in done.out
            assert verified(bundle, "--signers", "signers").code == 1

    def test_other_tools_read_the_envelope(self, bench: Bench, installed: bool) -> None:
        document = json.loads(members(signed(bench))["attestation.intoto.json"])
        payload = base64.b64decode(document["payload"])
        read = Envelope(payload, document["payloadType"], {})
        assert read.pae() == pre_authentication_encoding(payload)
        [signature] = document["signatures"]
        assert base64.b64decode(signature["sig"]).startswith(b"SSHSIG\0\0\0\1")


def test_a_bundle_without_a_signature_is_not_taken_for_a_signed_one(bench: Bench) -> None:
    for signers in ("signers", ""):  # as of a variable that is not set
        done = verified(bench.bundle(), "--signers", signers)
        assert done.code == 1
        assert "the bundle is not signed" in done.err


@pytest.mark.parametrize(
    ("key", "fault"), [("", "names no key"), ("none", "there is no key 'none'")]
)
def test_a_key_that_is_none(bench: Bench, key: str, fault: str) -> None:
    words = ("--export", "bundle=none.zip", "--export-option", f"bundle.sign={key}")
    done = bench.wct("export", "r1", *words, code=2 if not key else 4)
    assert fault in done.err


def test_a_machine_without_ssh_keygen(bench: Bench) -> None:
    bench.write("some", "a key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "")
        words = ("--export", "bundle=none.zip", "--export-option", "bundle.sign=some")
        done = bench.wct("export", "r1", *words, code=4)
    assert "ssh-keygen, which makes the signature, is not installed" in done.err
