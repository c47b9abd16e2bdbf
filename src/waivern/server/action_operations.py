"""Operations of the API that change something: start, resume, decide, cancel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from waivern.ids import PROJECT, new_run_id
from waivern.language.loader import SUFFIXES
from waivern.message import Json
from waivern.record.journal_events import ArtifactSuspendedRecord
from waivern.runs.decisions import gate_of
from waivern.server.api_operations import TEXT, ApiCall, Operation, Schema
from waivern.server.error_documents import RequestError
from waivern.server.operation_parameters import RUN, record_of
from waivern.server.server_context import ServerContext, context_of, user_of
from waivern.store.base import RunStore

RUNBOOKS = 1000
"""The most runbooks that are listed."""
_NOTE: Schema = TEXT | {"type": ["string", "null"], "maxLength": 10_000}
_TAG: Schema = TEXT | {"minLength": 1, "maxLength": 200}
_DIGEST: Schema = TEXT | {"maxLength": 100}


def action_operations(context: ServerContext) -> Iterator[Operation]:
    """Yield the operations that change something."""

    async def start_run(call: ApiCall) -> dict[str, Json]:
        """Start a runbook."""
        return await context.carry_out(_start, context, call.body)

    async def resume_run(call: ApiCall) -> dict[str, Json]:
        """Resume a run."""
        return await context.carry_out(resume_recorded, context, call.values["run"])

    async def decide(call: ApiCall) -> dict[str, Json]:
        """Record a decision at a gate, then resume the run."""
        asked = (call.values["run"], call.body, user_of(call.request))
        return await context.carry_out(decide_at_gate, context, *asked)

    async def cancel_run(call: ApiCall) -> dict[str, Json]:
        """Cancel a run."""
        asked = (call.values["run"], call.body, user_of(call.request))
        return await context.carry_out(cancel_live, context, *asked)

    async def annotate_run(call: ApiCall) -> dict[str, Json]:
        """Change the name, the tags, the note and the pairs of a run."""
        asked = (call.values["run"], call.body, user_of(call.request))
        return await context.carry_out(annotate_recorded, context, *asked)

    yield Operation(
        "GET",
        "/api/v1/runbooks",
        "List the runbooks that may be started.",
        list_runbooks,
        returns="`runbooks`, each with its `path` below the folder of --runbooks.",
    )
    yield Operation(
        "POST",
        "/api/v1/runs",
        "Start a runbook of the folder of --runbooks.",
        start_run,
        body=_object(
            ["runbook"],
            runbook=TEXT | {"minLength": 1, "maxLength": 1000},
            params={"type": "object"},
            name=TEXT | {"type": ["string", "null"], "maxLength": 200},
            note=_NOTE,
            tags={"type": "array", "items": _TAG, "maxItems": 50},
        ),
        returns="`run_id` of the new run and the `pid` of its process.",
        status=202,
    )
    yield Operation(
        "POST",
        "/api/v1/runs/{run}/resume",
        "Resume a run with the runbook that it recorded.",
        resume_run,
        (RUN,),
        body=_object([]),
        returns="`run_id`, and the `pid` of the process that resumes it.",
        status=202,
    )
    yield Operation(
        "POST",
        "/api/v1/runs/{run}/decisions",
        "Approve or reject at a gate, for the artifacts that were shown; then resume the run.",
        decide,
        (RUN,),
        body=_object(
            ["gate", "approved", "shown"],
            gate=TEXT | {"minLength": 1, "maxLength": 4000},
            approved={"type": "boolean"},
            shown={"type": "object", "additionalProperties": _DIGEST},
            note=_NOTE,
            data={"type": "object"},
        ),
        returns="The decision as it was recorded, how many more are `missing`, and `resumed`.",
        status=202,
    )
    yield Operation(
        "POST",
        "/api/v1/runs/{run}/cancel",
        "Cancel a run: it ends when its running artifacts have finished.",
        cancel_run,
        (RUN,),
        body=_object([], note=_NOTE),
        returns="`run_id` and `status`, which is `running` until it has ended.",
        status=202,
    )
    yield Operation(
        "POST",
        "/api/v1/runs/{run}/annotations",
        "Change the annotations of a run, also of a live one.",
        annotate_run,
        (RUN,),
        body=_object(
            [],
            name=TEXT | {"type": ["string", "null"], "maxLength": 200},
            note=_NOTE,
            add={"type": "array", "items": _TAG, "maxItems": 50},
            remove={"type": "array", "items": _TAG, "maxItems": 50},
            meta={"type": "object", "additionalProperties": TEXT | {"maxLength": 500}},
        ),
        returns="`run_id`, and `metadata`, the annotations as the journal has them now.",
    )


def _object(required: list[str], **properties: Schema) -> Schema:
    found: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": required} if required else {})


async def list_runbooks(call: ApiCall) -> dict[str, Json]:
    """Return the runbooks that may be started."""
    context = context_of(call.request)
    return await context.read(_runbooks, context.options.runbooks)


def _runbooks(folder: str | None) -> dict[str, Json]:
    root = Path(folder) if folder else None
    paths = islice(_below(root, root.resolve()), RUNBOOKS) if root else ()
    return {"runbooks": [{"path": str(path.relative_to(root))} for path in paths if root]}


def _below(folder: Path, root: Path) -> Iterator[Path]:
    """Yield the runbooks below a folder, in order."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and path.name[0] != ".":
            yield from _below(path, root)
        elif _is_runbook(path, root):
            yield path


def _is_runbook(path: Path, root: Path) -> bool:
    odd = path.name[0] == "." or path.name == PROJECT or path.suffix not in SUFFIXES
    return not odd and path.is_file() and path.resolve().is_relative_to(root)


def allowed_runbook(folder: str | None, wanted: str) -> Path:
    """Return the path of a runbook that may be started. Raises RequestError for any other."""
    if folder is None:
        raise RequestError(
            403, "no runbook may be started here", "start `wct serve` with --runbooks DIR"
        )
    parts = PurePosixPath(wanted)
    path = Path(folder, parts)
    leads_out = parts.is_absolute() or ".." in parts.parts or not parts.name
    if leads_out or not _is_runbook(path, Path(folder).resolve()):
        raise RequestError(404, f"there is no runbook {wanted[:200]!r} that may be started")
    return path


def _start(context: ServerContext, body: Any) -> dict[str, Json]:
    path = allowed_runbook(context.options.runbooks, body["runbook"])
    run_id = new_run_id()
    words = ["run", "-q", f"--run-id={run_id}"]
    words += [f"--{key}={body[key]}" for key in ("name", "note") if body.get(key)]
    words += [f"--tag={tag}" for tag in body.get("tags", ())]
    begun = partial(_is_held, context.store, run_id)
    pid = context.commands.begin(words, str(path), begun, body.get("params"))
    return {"run_id": run_id, "pid": pid}


def resume_recorded(context: ServerContext, run: str) -> dict[str, Json]:
    """Resume a run in a process of its own. Raises RequestError if it is refused."""
    record = record_of(context.records, run)
    run_id = record.metadata.run_id
    begun = partial(_has_resumed, context.store, run_id, record.count)
    return {
        "run_id": run_id,
        "pid": context.commands.begin(["runs", "resume", "-q"], run_id, begun),
    }


def _has_resumed(store: RunStore, run_id: str, count: int, pid: int) -> bool:
    """Return whether a process has begun an attempt: it holds a run also to refuse one."""
    if not _is_held(store, run_id, pid):
        return False
    news = store.read_journal(run_id, count).lines
    return any(line.record.get("type") == "attempt_started" for line in news)


def _is_held(store: RunStore, run_id: str, pid: int) -> bool:
    """Return whether a process is at work on a run."""
    if run_id not in store.runs():
        return False
    owner = store.owner(run_id)
    return owner is not None and owner.pid == pid


def decide_at_gate(context: ServerContext, run: str, body: Any, user: str) -> dict[str, Json]:
    """Record a decision on what was shown, and resume the run. Raises RequestError."""
    record = record_of(context.records, run)
    run_id, gate = record.metadata.run_id, gate_of(record, body["gate"])
    asked = [each for each in record.decisions[gate] if isinstance(each, ArtifactSuspendedRecord)]
    if body["shown"] != asked[-1].shown:
        raise RequestError(
            409,
            f"'{gate}' shows something else than what this decision is on",
            "look at it again, and send the digests that it shows now",
        )
    words = ["runs", "approve", "-q", "--no-resume", f"--by={user}"]
    words += [] if body["approved"] else ["--reject"]
    words += [f"--note={body['note']}"] if body.get("note") else []
    words += [f"--data={key}={json.dumps(value)}" for key, value in body.get("data", {}).items()]
    words += [f"--shown={name}={digest}" for name, digest in body["shown"].items()]
    decided = context.commands.carry_out(words, f"{run_id}/{gate}")
    resumed = not decided.get("missing")
    if resumed:
        resume_recorded(context, run_id)
    return decided | {"resumed": resumed}


def cancel_live(context: ServerContext, run: str, body: Any, user: str) -> dict[str, Json]:
    """Cancel a run. Raises RequestError if it is refused."""
    run_id = record_of(context.records, run).metadata.run_id
    words = ["runs", "cancel", "--wait=0", f"--by={user}"]
    words += [f"--note={body['note']}"] if body.get("note") else []
    return context.commands.carry_out(words, run_id)


def annotate_recorded(context: ServerContext, run: str, body: Any, user: str) -> dict[str, Json]:
    """Change the annotations of a run. Raises RequestError if it is refused."""
    run_id = record_of(context.records, run).metadata.run_id
    words = ["runs", "tag", f"--by={user}"]
    words += [f"--{key}={body[key]}" for key in ("name", "note") if body.get(key) is not None]
    words += [f"--remove={tag}" for tag in body.get("remove", ())]
    words += [f"--meta={key}={value}" for key, value in body.get("meta", {}).items()]
    return context.commands.carry_out(words, run_id, *body.get("add", ()))
