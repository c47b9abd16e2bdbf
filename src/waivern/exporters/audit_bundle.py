"""The audit bundle of a run: one zip file that a short script checks offline, without `wct`.

The same run gives the same bytes: members in a fixed order, without compression and without times.
The members prove each other: the journal's chain names the digests of runbooks and artifacts, the
statement names those of all members, and `SHA256SUMS` repeats them for `sha256sum -c`. What ties
the whole to the world outside is one number that is sent another way, or a signature.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO

from pydantic import Field

from waivern import kinds
from waivern.errors import IntegrityError, RefusedError, WaivernError
from waivern.exporters import attestation, ssh_signature
from waivern.exporters.export_options import ExportOptions
from waivern.exporters.masked_artifacts import MaskedArtifact, choose, envelope, pieces
from waivern.exporters.stored_zip import StoredZip
from waivern.message import Json
from waivern.record.journal_events import ArtifactCompletedRecord
from waivern.runs.exporter import ExportedRun, Exporter
from waivern.runs.verify import verify
from waivern.store.store_values import Journal

STATEMENT, SUMS = "attestation.intoto.json", "SHA256SUMS"
REPORT = "html"
"""The format of the page for people in a bundle."""

Member = tuple[str, Iterable[bytes]]
"""The name of a member and its bytes, in pieces."""


class AuditBundleOptions(ExportOptions):
    """Options of the format `bundle`."""

    sign: str | None = Field(
        default=None,
        description="An SSH key to sign with, such as `~/.ssh/id_ed25519`; one with a passphrase "
        "is asked of ssh-agent, or on a terminal. Default: the bundle is not signed.",
    )


class AuditBundle:
    """An audit bundle: a zip file that `verify.py` in it checks offline, without `wct`."""

    name = "bundle"
    version = "1.0.0"
    file_name = "waivern-bundle.zip"
    Config = AuditBundleOptions

    def export(self, run: ExportedRun, config: AuditBundleOptions, out: IO[bytes]) -> Iterable[str]:
        """Write the bundle.

        Raises RunLockedError while the run is running, RefusedError if it has no journal, and
        IntegrityError if anything in it differs from its journal.
        """
        journal = _verified(run)
        sign = partial(ssh_signature.sign, key=config.sign) if config.sign is not None else None
        chosen, omitted = choose(run)
        with StoredZip(out) as bundle:
            members = _Members(run, journal, chosen, omitted)
            for name, content in members.all():
                bundle.add(name, content)
            payload = attestation.statement(bundle.sums, _predicate(run, journal))
            bundle.add(STATEMENT, [attestation.envelope(payload, sign)])
            sums = "".join(f"{digest}  {name}\n" for name, digest in bundle.sums.items())
            bundle.add(SUMS, [sums.encode()])
        yield from members.notes
        yield f"SHA-256 {_digest(out)}"
        yield "report the SHA-256 to the recipient another way than the file"


def _verified(run: ExportedRun) -> Journal:
    """Return the journal of a run that is as it was recorded."""
    found = verify(run.store, run.run_id)
    if run.journal is None or not found.vouched:
        raise RefusedError(
            f"run {run.run_id} has no journal: a bundle of it would prove nothing",
            hint="export it in another format, such as `--export json`",
        )
    if found.faults:
        raise IntegrityError(
            f"run {run.run_id} is not as its journal recorded it: {found.faults[0].path} "
            f"{found.faults[0].what}",
            hint=f"`wct runs verify {run.run_id}` lists all differences",
        )
    return run.journal


def _digest(out: IO[bytes]) -> str:
    out.seek(0)
    found = hashlib.sha256()
    while piece := out.read(1 << 20):
        found.update(piece)
    return found.hexdigest()


def _predicate(run: ExportedRun, journal: Journal) -> dict[str, Json]:
    """Return what the attestation states of a run."""
    metadata, covered = run.metadata, run.coverage.document(0)
    return {
        "run": {
            "id": run.run_id,
            "status": str(metadata.status),
            "started_at": metadata.started_at,
            "updated_at": metadata.updated_at,
        },
        "runbook": {"name": metadata.runbook_name, "version": metadata.runbook_version},
        "journal": {"lines": len(journal.lines), "head": journal.lines[-1].hash},
        "coverage": {"percent": covered["percent"], "summary": covered["summary"]},
        "waivern": [attempt.get("waivern") for attempt in metadata.attempts],
    }


class _Members:
    """The members of a bundle that its attestation is about."""

    def __init__(
        self,
        run: ExportedRun,
        journal: Journal,
        chosen: list[MaskedArtifact],
        omitted: dict[str, str],
    ) -> None:
        self.run, self.journal = run, journal
        self.chosen, self.omitted = chosen, omitted
        self.notes = [f"the findings of {n} are not in it: {why}" for n, why in omitted.items()]
        steps = sorted(run.record.steps.items())
        self.completed: dict[str, ArtifactCompletedRecord] = {
            name: step.completed for name, step in steps if step.completed
        }

    def all(self) -> Iterator[Member]:
        """Yield the members in their order."""
        yield "README.txt", [self._readme().encode()]
        yield "verify.py", [Path(__file__).with_name("bundle_verifier.py").read_bytes()]
        yield from self._runbooks()
        yield "journal.jsonl", [self._journal()]
        yield "digests.txt", [self._digests().encode()]
        yield "decisions.json", [_json(self._decisions())]
        yield "coverage.json", [_json(self._coverage())]
        for artifact in self.chosen:
            yield from pieces(self.run, artifact)
        if (report := self._report()) is not None:
            yield "report.html", [report]

    def _journal(self) -> bytes:
        """Return the bytes of the journal's lines. It may have grown, and its tail may be torn."""
        data = self.run.store.read_record(self.run.run_id, "journal")
        count = len(self.journal.lines)
        lines = data.split(b"\n", count)[:count]
        return b"".join(line + b"\n" for line in lines)

    def _runbooks(self) -> Iterator[Member]:
        """Yield the runbook of the last attempt; by digest, the earlier ones and the children."""
        run, store, run_id = self.run.metadata, self.run.store, self.run.run_id
        yield "runbook.yaml", [store.read_runbook(run_id, run.runbook_hash)]
        earlier = {str(each["runbook_hash"]) for each in run.attempts} - {run.runbook_hash}
        found = {digest: store.read_runbook(run_id, digest) for digest in earlier}
        for child in run.children:
            found[child["sha256"]] = store.read_child(run_id, child["path"], child["sha256"])
        for digest, data in sorted(found.items()):
            yield f"runbooks/{digest.removeprefix('sha256:')}.yaml", [data]

    def _digests(self) -> str:
        """Return the digests of all completed artifacts, for `sha256sum -c` in the run folder."""
        lines = ((done.digest.removeprefix("sha256:"), n) for n, done in self.completed.items())
        return "".join(f"{digest}  {name}.json\n" for digest, name in lines)

    def _decisions(self) -> list[dict[str, Json]]:
        """Return the decisions of people, as the journal has them, with the line of each."""
        return [
            line.record | {"line": line.seq}
            for line in self.journal.lines
            if line.record["type"] == "gate_decided"
        ]

    def _coverage(self) -> dict[str, Json]:
        """Return the computed coverage, the items that were not examined, and what was recorded."""
        skipped = {
            name: envelope(self.run, name).extensions.get("coverage", {}).get("items", [])
            for name, done in self.completed.items()
            if done.coverage and done.coverage.get("skipped")
        }
        return {
            "coverage": self.run.coverage.document(),
            "not_examined": skipped,
            "omitted": self.omitted,
            "examined": {name: done.examined for name, done in self.completed.items()},
        }

    def _readme(self) -> str:
        lines = [f"- {name}: {reason}\n" for name, reason in self.omitted.items()]
        omitted = ["\nFindings that are not in the bundle:\n", *lines] if lines else []
        status = self.run.metadata.status
        return README.format(run=self.run.run_id, status=status, omitted="".join(omitted))

    def _report(self) -> bytes | None:
        """Return the run as a page, if its exporter is installed."""
        page = io.BytesIO()
        try:
            exporter: Exporter = kinds.load("exporters", REPORT)()
            # without what does not belong to the run, and may be another thing tomorrow
            run = replace(self.run, baseline=None, reviews=None)
            for _ in exporter.export(run, exporter.Config(), page) or ():
                pass  # it may write while its notes are read
        except WaivernError as error:
            self.notes.append(f"report.html is not in it: {error.message}")
            return None
        return page.getvalue()


def _json(document: Json) -> bytes:
    return json.dumps(document, indent=2).encode() + b"\n"


README = """\
Audit bundle of the run {run} ({status}), made by `wct export`.

To check it, without `wct` and offline, with Python 3.8 or newer:

    python3 -m zipfile -e BUNDLE.zip bundle
    python3 bundle/verify.py BUNDLE.zip --sha256 DIGEST

DIGEST is the SHA-256 of the file, which the sender reported another way. `--head` compares the
head of the journal with one that was recorded when the run ended, and `--signers FILE` the key of
the signature with those that you trust. The script came with the bundle, and a person who alters
the one can alter the other: it is the same in every bundle of a version of `wct`, so compare it.

runbook.yaml               the runbook, byte for byte as it ran
runbooks/                  child runbooks, and those of earlier attempts, by their SHA-256
journal.jsonl              every event of the run; each line has the hash of the line before it
digests.txt                SHA-256 of the file of each completed artifact
decisions.json             who approved or rejected what, on which content
coverage.json              what was examined, and what was not, with the reasons
artifacts/                 the findings; values are masked
report.html                the run as a page, if there is one
attestation.intoto.json    in-toto statement about all of these files, in a DSSE envelope
SHA256SUMS                 for `sha256sum -c SHA256SUMS` in a folder with the unpacked files
{omitted}"""
