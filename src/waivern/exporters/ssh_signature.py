"""Signatures by the SSH keys that people have already, made by `ssh-keygen -Y sign`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from waivern.errors import NotFoundError, RefusedError, UsageError
from waivern.files import at_home
from waivern.record.text_forms import clean, clip

NAMESPACE = "wct-run"
"""The purpose of a signature, which is part of it: one of a commit or a login is not valid."""
_BEGIN, _END = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def sign(message: bytes, key: str) -> str:
    """Return the signature of a message by the key in a file: SSHSIG, in base64.

    `key` may be a private key, or a public one whose private key ssh-agent holds. On a terminal,
    `ssh-keygen` asks for a passphrase. Raises UsageError, NotFoundError, RefusedError.
    """
    path = at_home(key)
    if not path:
        raise UsageError("sign= names no key", hint="name a file, such as sign=~/.ssh/id_ed25519")
    if shutil.which("ssh-keygen") is None:
        raise NotFoundError(
            "ssh-keygen, which makes the signature, is not installed",
            hint="install OpenSSH's client, or omit sign=",
        )
    if not os.path.isfile(path):  # noqa: PTH113
        raise NotFoundError(f"there is no key {key!r}", hint="list your keys: ls ~/.ssh/*.pub")
    alone = not (sys.stdin.isatty() and sys.stderr.isatty())
    # In a session of its own it has no terminal to ask for a passphrase, so it cannot wait for one.
    environ = {**os.environ, **({"SSH_ASKPASS_REQUIRE": "never"} if alone else {})}
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", path]
    done = subprocess.run(  # noqa: S603 - the key is an argument of its own
        command,
        input=message,
        capture_output=True,
        env=environ,
        start_new_session=alone,
        check=False,
    )
    armored = done.stdout.decode("ascii", "replace").strip()
    if done.returncode or not (armored.startswith(_BEGIN) and armored.endswith(_END)):
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise RefusedError(
            f"ssh-keygen does not sign with {key!r}: {clip(clean(reason), 200)}",
            hint=f"add a key with a passphrase to ssh-agent: `ssh-add {clean(key)}`",
        )
    return "".join(armored[len(_BEGIN) : -len(_END)].split())
