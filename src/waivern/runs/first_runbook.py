"""The first runbook of a folder: a commented text that reads what a survey has found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from waivern.record.text_forms import counted
from waivern.runs.folder_survey import FolderSurvey

MOST_DATABASES = 20
"""Databases that get an artifact each; a comment names the number of the others."""


def first_runbook(found: FolderSurvey, name: str, file: str) -> str:
    """Return the text of the runbook; `file` is the name that it gets."""
    return "\n".join(_lines(found, name, file)) + "\n"


def _lines(found: FolderSurvey, name: str, file: str) -> Iterator[str]:
    yield f"# Run it:        wct run {file}"
    yield "# See results:   wct inspect @last"
    yield f"# Check an edit: wct validate {file}"
    yield ""
    yield f"name: {_quoted(f'Personal data in {name}')}"
    yield ""
    yield "# Each artifact is a file in .waivern/runs/<run id>/ after a run. Those that do not"
    yield "# depend on each other run in parallel; their order in this file does not matter."
    yield "artifacts:"
    searched = []
    if found.text or found.empty:
        searched.append("files")
        yield from _files(found, file)
    if found.source:
        searched.append("code")
        yield from _code(found)
    taken = {"files", "code", "findings", *(f"{each}_findings" for each in ("files", "code"))}
    for path in found.databases[:MOST_DATABASES]:
        id_ = _id(path, taken)
        searched.append(id_)
        yield from _database(id_, path)
    if left := max(0, len(found.databases) - MOST_DATABASES):
        yield f"  # {counted(left, 'more database')} can be added in the same way."
        yield ""
    yield from _findings(searched, file)


def _files(found: FolderSurvey, file: str) -> Iterator[str]:
    about = [counted(found.text, "text file")]
    if found.tables:
        about.append(f"{found.tables} of them tables (CSV, TSV)")
    yield f"  # {', '.join(about)}. The run stores a list of them, and no copy."
    yield "  files:"
    yield "    source:"
    yield "      type: filesystem"
    yield "      properties:"
    yield "        path: .                        # relative to this file"
    yield "        # Patterns are those of .gitignore. What is left out here is part of the report."
    yield "        exclude:"
    yield f"          - {_quoted('/' + _escaped(file))}"
    for tree, what in found.trees.items():
        yield f"          - {_quoted(f'{tree}/'):<28} # {what}"
    for ending in sorted(found.source):
        yield f"          - {_quoted(f'*{ending}'):<28} # searched as code, below"
    for path in found.databases:
        yield f"          - {_quoted('/' + _escaped(path))}"
    yield ""
    if found.unread:
        kinds = ", ".join(f"{ending} ({count})" for ending, count in found.unread.most_common(8))
        yield f"  # No text, so that the run names them as not examined: {_plain(kinds)}"
        yield ""


def _code(found: FolderSurvey) -> Iterator[str]:
    patterns = ", ".join(_quoted(f"*{ending}") for ending in sorted(found.source))
    files = counted(found.source.total(), "file")
    yield f"  # {files} of source code, which may hold secrets and name fields with personal data."
    yield "  code:"
    yield "    source:"
    yield "      type: filesystem"
    yield "      properties:"
    yield "        path: ."
    yield f"        include: [{patterns}]"
    if found.trees:
        yield f"        exclude: [{', '.join(_quoted(f'{tree}/') for tree in found.trees)}]"
    yield ""


def _database(id_: str, path: str) -> Iterator[str]:
    yield f"  {id_}:"
    yield "    source:"
    yield "      type: sqlite"
    yield "      properties:"
    yield f"        path: {_quoted(path)}"
    yield "        max_rows: 10000                # of each table; the rest is named as not read"
    yield ""


def _findings(searched: list[str], file: str) -> Iterator[str]:
    yield "  # The search. `wct processors personal_data` lists its properties, such as masks."
    for id_ in searched:
        yield f"  {id_}_findings:"
        yield f"    inputs: {id_}"
        yield "    process: {type: personal_data}"
        yield ""
    yield f"  # All findings in one artifact. `wct run {file} -o results` copies it to a folder."
    yield "  findings:"
    yield f"    inputs: [{', '.join(f'{id_}_findings' for id_ in searched)}]"
    yield "    process: {type: merge}"
    yield "    output: true"


def _id(path: str, taken: set[str]) -> str:
    """Return an id of an artifact for a database, unlike all others."""
    stem = PurePosixPath(path).name.partition(".")[0].lower()
    base = re.sub(r"[^a-z0-9]+", "_", stem).strip("_")[:40] or "database"
    id_, number = base, 1
    while id_ in taken or f"{id_}_findings" in taken:
        number += 1
        id_ = f"{base}_{number}"
    taken |= {id_, f"{id_}_findings"}
    return id_


def _escaped(path: str) -> str:
    """Return a path as a pattern that fits nothing else."""
    return re.sub(r"([\\*?\[\]!#])", r"\\\1", path)


def _quoted(text: str) -> str:
    """Return a text for YAML, in which nothing is a reference."""
    if re.fullmatch(r"[A-Za-z_][\w /.-]*(?<! )", text) and ": " not in text:
        return text
    return json.dumps(text.replace("${", "$${"), ensure_ascii=not text.isprintable())


def _plain(text: str) -> str:
    """Return a text for a comment."""
    return "".join(char if char.isprintable() else "?" for char in text)
