"""Verifier of an audit bundle: needs Python 3.8 or newer; no package, no network and no `wct`.

It exits with 0 if the bundle is intact, otherwise with 1. "Intact" means that its parts fit each
other. Who made it is known only by comparing it with something that did not come with it: its
SHA-256 as the sender reported it, the journal's head as `wct run` printed it, or the signer's key.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import mmap
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any

STATEMENT, SUMS = "attestation.intoto.json", "SHA256SUMS"
TYPES = ["https://in-toto.io/Statement/v1", "urn:waivern:run:1", "application/vnd.in-toto+json"]
NAMESPACE = "wct-run"
MEMBER = re.compile(
    r"(README\.txt|verify\.py|runbook\.yaml|runbooks/[0-9a-f]{64}\.yaml|journal\.jsonl|digests\.txt"
    r"|decisions\.json|coverage\.json|report\.html|attestation\.intoto\.json|SHA256SUMS"
    r"|artifacts/([A-Za-z0-9_-][A-Za-z0-9._-]*/)*[A-Za-z0-9_-][A-Za-z0-9._-]*\.jsonl?)"
)
LINE = re.compile(
    rb'(\{"seq":(\d+),"synced":\d+,"prev":"([0-9a-f]{64})","event":(.*)),"hash":"([0-9a-f]{64})"\}'
)


class AlteredError(Exception):
    """A difference between the bundle and what it states of itself."""


def need(condition: object, fault: str) -> None:
    if not condition:
        raise AlteredError(fault)


def same(what: str, found: object, expected: object) -> None:
    equal = json.dumps(found, sort_keys=True) == json.dumps(expected, sort_keys=True)
    need(equal, f"{what} does not fit the rest of the bundle")


def sha256(data: Any) -> str:
    return hashlib.sha256(data).hexdigest()


def parsed(data: Any) -> Any:
    return json.loads(bytes(data).decode())


def read_zip(data: memoryview) -> dict[str, memoryview]:
    """Return the members of the zip file. It has one form only: no byte of it is free."""
    members: dict[str, memoryview] = {}
    names, directory, at = set(), [], 0
    while bytes(data[at : at + 4]) == b"PK\3\4":
        size, length = struct.unpack("<IH", data[at + 22 : at + 28])
        name = bytes(data[at + 30 : at + 30 + length]).decode("ascii", "replace")
        need(MEMBER.fullmatch(name), f"member {name!a} does not belong to a bundle")
        need(name.lower() not in names, f"member {name!a} is there twice")
        names.add(name.lower())
        content = data[at + 30 + length : at + 30 + length + size]
        crc = zlib.crc32(content)
        head = struct.pack("<5H3I2H", 20, 0, 0, 0, 33, crc, len(content), size, length, 0)
        need(data[at + 4 : at + 30] == head, f"member {name!a} is altered or cut off")
        entry = struct.pack("<6s26s6x2I", b"PK\1\2\x14\3", head, 0o600 << 16, at)
        directory.append(entry + name.encode())
        members[name], at = content, at + 30 + length + size
    count, size = len(directory), sum(map(len, directory))
    directory.append(struct.pack("<4s4x2H2I2x", b"PK\5\6", count, count, size, at))
    need(count and data[at:] == b"".join(directory), "the directory of the zip file is altered")
    return members


def read_journal(data: memoryview) -> tuple[list[Any], list[str]]:
    """Return the events of the journal and the hashes of its lines, which form a chain."""
    events, hashes = [], ["0" * 64]
    for number, line in enumerate(bytes(data).split(b"\n")[:-1], 1):
        found = LINE.fullmatch(line)
        body, event, *stated = found.group(1, 4, 2, 3, 5) if found else (b"", b"null")
        hashes.append(sha256(body))
        chain = [str(number), hashes[-2], hashes[-1]]
        fits = [each.decode() for each in stated] == chain
        need(fits, f"line {number} of the journal does not follow the line before it")
        events.append(parsed(event))
    return events, hashes[1:]


def fold(events: list[Any]) -> tuple[str, str, dict[str, Any]]:
    """Return the runbook of the last attempt, the status of the run, the completed artifacts."""
    runbook, status = "", ""
    done: dict[str, Any] = {}
    for event in events:
        kind, name = event["type"], event.get("artifact")
        if kind == "attempt_started":
            runbook, status, names = event["runbook_hash"], "interrupted", event.get("artifacts")
            gone = {key for key in done if names is not None and key not in names}
            for key in gone.union(event.get("invalidated", ())):
                done.pop(key, None)
        elif kind in ("attempt_ended", "run_cancelled"):
            status = event.get("status", "cancelled")
        elif kind == "artifact_completed":
            done[name] = event
        elif kind == "artifact_redacted":
            done[name] = dict(done[name], digest=event["digest"], redacted=event["destroyed"])
        elif name and kind not in ("artifact_retried", "gate_decided"):
            done.pop(name, None)  # it is started again, or it failed, is skipped or suspended
    return runbook, status, done


def check_files(members: dict[str, memoryview], events: list[Any]) -> None:
    """Check that the runbooks and the artifacts are those of the journal."""
    runbook, _, done = fold(events)
    ran = {event.get("runbook_hash") for event in events}
    ran |= {each["sha256"] for event in events for each in event.get("children") or ()}
    same("runbook.yaml", f"sha256:{sha256(members['runbook.yaml'])}", runbook)
    for name, content in members.items():
        folder, _, rest = name.partition("/")
        digest, fault = f"sha256:{sha256(content)}", f"{name} is not what the journal recorded"
        if folder == "runbooks":
            need(rest == f"{digest[7:]}.yaml" and digest in ran, fault)
        elif folder == "artifacts" and rest.endswith(".json"):
            need(done.get(rest[:-5], {}).get("digest") == digest, fault)
            records, found = parsed(content).get("records") or {}, members.get(f"{name}l")
            found_digest = None if found is None else f"sha256:{sha256(found)}"
            need(records.get("digest") == found_digest, f"the records of {fault}")
        elif folder == "artifacts":
            need(name[:-1] in members, fault)  # which has the digest


def check_derived(members: dict[str, memoryview], events: list[Any], head: str) -> Any:
    """Check what follows from the journal and the files; return the envelope of the statement."""
    _, status, done = fold(events)
    sums = {name: sha256(content) for name, content in members.items() if name != SUMS}
    listing = "".join(f"{digest}  {name}\n" for name, digest in sums.items())
    digests = "".join(f"{done[key]['digest'][7:]}  {key}.json\n" for key in sorted(done))
    gates = [dict(e, line=n) for n, e in enumerate(events, 1) if e["type"] == "gate_decided"]
    same(SUMS, bytes(members[SUMS]).decode(), listing)
    same("the order of the members", list(members), [*sums, SUMS])
    same("digests.txt", bytes(members["digests.txt"]).decode(), digests)
    same("decisions.json", parsed(members["decisions.json"]), gates)
    examined = {key: event.get("examined") for key, event in done.items()}
    same("coverage.json", parsed(members["coverage.json"])["examined"], examined)
    envelope = parsed(members[STATEMENT])
    statement = parsed(base64.b64decode(envelope["payload"], validate=True))
    del sums[STATEMENT]
    subject = [{"name": name, "digest": {"sha256": digest}} for name, digest in sums.items()]
    types = [statement["_type"], statement["predicateType"], envelope["payloadType"]]
    run, journal = statement["predicate"]["run"], statement["predicate"]["journal"]
    same("the type of the statement", types, TYPES)
    same("the subject of the statement", statement["subject"], subject)
    same("the run of the statement", [run["id"], run["status"]], [events[0]["run_id"], status])
    same("the journal of the statement", journal, {"lines": len(events), "head": head})
    return envelope


def check_signature(envelope: Any, signers: str | None) -> str:
    """Return what is known of the signature. It is checked if `ssh-keygen` is installed."""
    if not envelope["signatures"]:
        need(signers is None, "the bundle is not signed")
        return "none"
    if not shutil.which("ssh-keygen"):
        need(signers is None, "the signature was not checked: ssh-keygen is not installed")
        return "signature not checked: ssh-keygen is not installed"
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    with tempfile.TemporaryDirectory() as folder:
        path, text = Path(folder, "signature"), envelope["signatures"][0]["sig"]
        path.write_text(f"-----BEGIN SSH SIGNATURE-----\n{text}\n-----END SSH SIGNATURE-----\n")

        def ssh(*options: str) -> str:
            command = ["ssh-keygen", "-s", str(path), "-Y", *options]
            result = subprocess.run(command, input=message, capture_output=True, check=False)
            output = (result.stdout + result.stderr).decode("utf-8", "replace").strip()
            need(result.returncode == 0, f"the signature is not valid: {output!a}")
            return output

        if signers is None:
            good = ssh("check-novalidate", "-n", NAMESPACE)
            return f"{good!a}; whose key that is was not checked (--signers)"
        signer = ssh("find-principals", "-f", signers).split("\n")[0]
        return ascii(ssh("verify", "-f", signers, "-I", signer, "-n", NAMESPACE))


def verify(options: argparse.Namespace) -> str:
    """Check a bundle, and return what is known of it then."""
    with Path(options.bundle).open("rb") as file:
        data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    whole = sha256(data)
    need(options.sha256 in (None, whole), f"the SHA-256 of the file is {whole}")
    members = read_zip(data)
    events, hashes = read_journal(members["journal.jsonl"])
    need(options.head in (None, *hashes), f"the head of the journal is {hashes[-1]}")
    check_files(members, events)
    signature = check_signature(check_derived(members, events, hashes[-1]), options.signers)
    _, status, done = fold(events)
    held = sum(f"artifacts/{key}.json" in members for key in done)
    redacted = [key for key, event in sorted(done.items()) if "redacted" in event]
    coverage = parsed(members["coverage.json"])["coverage"]["summary"]
    return f"""\
intact     run {events[0]["run_id"]!a}: {status!a}
sha256     {whole}
journal    {len(hashes)} lines, head {hashes[-1]}
artifacts  {len(done)} completed: {held} in the bundle, the others as digests
redacted   {", ".join(redacted) or "none"}
coverage   {coverage!a}
signature  {signature}"""


def main() -> None:
    parser = argparse.ArgumentParser(description="Check an audit bundle of `wct` without `wct`.")
    parser.add_argument("bundle", help="the zip file")
    parser.add_argument("--sha256", type=str.lower, help="the SHA-256 that the sender reported")
    parser.add_argument("--head", type=str.lower, help="the journal's head that `wct run` printed")
    parser.add_argument("--signers", help="trusted keys: ALLOWED SIGNERS in ssh-keygen(1)")
    options = parser.parse_args()
    try:
        known = verify(options)
    except AlteredError as fault:
        sys.exit(f"ALTERED    {fault}")
    except Exception as error:  # whatever a file has in it that is no bundle
        sys.exit(f"ALTERED    it is not a bundle: {type(error).__name__}: {str(error)!a}")
    print(known)


if __name__ == "__main__":
    main()
