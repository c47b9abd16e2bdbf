"""Keys of an artifact that contradict each other, or need another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from waivern.diagnostics import Diagnostic
from waivern.language.artifact_spec import ArtifactSpec
from waivern.language.keys import keys
from waivern.language.validation_messages import Path, name
from waivern.message import Json
from waivern.yamldoc.document import YamlDocument
from waivern.yamldoc.runbook_codes import RunbookCode

KEYS = keys(ArtifactSpec)
ORIGINS = tuple(name for name, key in KEYS.items() if key.origin)
"""The keys that say where an artifact comes from."""


def together(at: Path, artifact: Mapping[str, Json], document: YamlDocument) -> list[Diagnostic]:
    """Return what is wrong with the keys of an artifact beside each other."""
    has = {key for key, value in artifact.items() if value is not None}
    found = [
        document.problem(code, f"{message} {name(at)}{rest}", (*at, *key), on="key", hint=hint)
        for code, message, rest, key, hint in _conflicts(has, artifact)
    ]
    if not has & set(ORIGINS) and artifact.keys() <= KEYS.keys():
        message = f"{name(at)} does not say where it comes from"
        each = ", ".join(ORIGINS).replace("inputs", "inputs (with or without process)")
        hint = f"give it one of {each}"
        found.append(document.problem(RunbookCode.MISSING, message, at, on="key", hint=hint))
    return found


_INSTEAD = {
    "gate": "remove it: no component is called",
    "child_runbook": "give it to the artifacts of the child",
}
"""The remedy for a key that has no meaning beside a key of origin."""
_Conflict: TypeAlias = tuple[RunbookCode, str, str, Path, str]


def _conflicts(has: set[str], artifact: Mapping[str, Json]) -> Iterator[_Conflict]:
    """Yield (code, message before and after the artifact's name, key, hint)."""
    origins = [key for key in artifact if key in ORIGINS and key in has]
    if "child_runbook" in origins and "inputs" in origins:  # what it takes, beside the mapping
        origins.remove("inputs")
    for key in origins[1:]:
        hint = "an artifact comes from one of source, inputs, reuse, child_runbook or gate"
        yield (
            RunbookCode.CONFLICT,
            f"{origins[0]!r} and {key!r} cannot be combined in",
            "",
            (key,),
            hint,
        )
    if "process" in has and origins and "inputs" not in origins:
        hint = "give the artifact 'inputs', or remove 'process'"
        yield (
            RunbookCode.CONFLICT,
            "'process' of",
            " has no 'inputs' to work on",
            ("process",),
            hint,
        )
    inputs = artifact.get("inputs")
    several = isinstance(inputs, list) and len(inputs) > 1
    if "merge" in has and ("process" in has or not several):
        hint = "it says how several inputs become one where there is no process"
        yield RunbookCode.CONFLICT, "'merge' of", " has no effect", ("merge",), hint
    if "repeat" in has and origins and not ("process" in has or "child_runbook" in has):
        hint = "only a processor or a child runbook can be applied to its own result"
        yield RunbookCode.CONFLICT, "'repeat' of", " cannot be repeated", ("repeat",), hint
    if "on_error" in has and artifact.get("optional") is True:
        hint = "'optional: true' is 'on_error: continue': keep one of the two"
        yield (
            RunbookCode.CONFLICT,
            "'optional' and 'on_error' both determine",
            "",
            ("on_error",),
            hint,
        )
    if "on_change" in has and artifact.get("keep") == "content":
        hint = "remove 'on_change': data that is stored is not read from the source again"
        yield RunbookCode.CONFLICT, "'on_change' of", " has no effect", ("on_change",), hint
    for key in sorted(has & KEYS.keys()):
        if origins and origins[0] in KEYS[key].excludes:
            hint = _INSTEAD.get(
                origins[0], "only a source can be kept: move it to one with 'source'"
            )
            yield (
                RunbookCode.CONFLICT,
                f"{key!r} of",
                f" cannot be combined with {origins[0]!r}",
                (key,),
                hint,
            )
