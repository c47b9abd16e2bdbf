"""The explanation of one finding: why it is reported, without the value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.screen import stdout
from waivern.diagnostics import did_you_mean
from waivern.errors import Exit, NotFoundError, RefusedError, UsageError
from waivern.message import Json, Message
from waivern.record.fold import RunRecord
from waivern.record.step_record import StepRecord
from waivern.record.text_forms import clean
from waivern.record.wording import redacted
from waivern.runs.recorded_artifacts import ArtifactList

SHORTEST = 4
"""Characters of the beginning of an id that is long enough to name a finding."""
PLACES = 5
_LABELS = {
    "field": "the name of the column or field",
    "key": "the key right before it",
    "words": "the words of the same clause",
    "remark": "what is said behind it",
    "neighbours": "the type of most values in its column, which has no name,",
}
_STANCES = {
    "for": "names the type",
    "hint": "hints at the type",
    "against": "names something else",
    "foreign": "names nothing that is known",
}


def show_finding(
    record: RunRecord, step: StepRecord, message: Message | None, wanted: str, *, as_json: bool
) -> int:
    """Explain the finding whose id is, or begins with, `wanted`.

    Raises NotFoundError, naming the nearest ids, and UsageError if several ids begin so.
    """
    finding = _finding(record, step, message, wanted)
    if as_json:
        print_document("finding", _document(record, step, finding))
        return Exit.OK
    out = stdout()
    for key, text in _facts(finding):
        line = clean(text)
        out.print(f"{out.paint(f'{key:10}', 'dim')}  {line}" if out.tty else f"{key}\t{line}")
    return Exit.OK


def _finding(
    record: RunRecord, step: StepRecord, message: Message | None, wanted: str
) -> Mapping[str, Json]:
    run, artifact = record.metadata.run_id, step.artifact
    found = None if message is None else ArtifactList.of(message)
    if found is None or found.name != "findings":
        why = redacted(step.redacted) if step.redacted else "it has no list of findings"
        raise RefusedError(f"artifact '{artifact}' of run {run}: {why}")
    if len(wanted) < SHORTEST:
        raise UsageError(f"{wanted!r} is too short", hint=f"type {SHORTEST} characters of the id")
    ids: list[str] = []
    matching: list[Mapping[str, Json]] = []
    for each in found.elements:
        if isinstance(each, dict) and isinstance(each.get("id"), str):
            ids.append(each["id"])
            if each["id"] == wanted:
                return each
            matching += [each] if each["id"].startswith(wanted) else []
    if not matching:
        hint = did_you_mean(wanted, ids) or f"`wct inspect {run}/{artifact} --head 10` shows some"
        raise NotFoundError(f"artifact '{artifact}' has no finding {wanted!r}", hint=hint)
    if len({each["id"] for each in matching}) > 1:
        named = ", ".join(str(each["id"]) for each in matching[:5])
        raise UsageError(f"{len(matching):,} findings begin with {wanted!r}", hint=f"say {named}")
    return matching[0]


def _document(record: RunRecord, step: StepRecord, finding: Mapping[str, Json]) -> dict[str, Json]:
    shown = {key: part for key, part in finding.items() if key not in ("evidence", "locations")}
    places = [
        {key: part for key, part in place.items() if key != "evidence"}
        for place in finding.get("locations", ())
    ]
    about = {"run_id": record.metadata.run_id, "artifact": step.artifact}
    return {**about, **shown, "locations": places, "explanation": dict(_facts(finding))}


def _facts(finding: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    rule, total = finding.get("rule"), finding.get("total", 1)
    yield "finding", str(finding["id"])
    yield "type", f"{finding.get('type')} ({finding.get('category')}, {finding.get('severity')})"
    if isinstance(rule, dict):  # components of users may have findings of another form
        yield "rule", f"{rule.get('id')}, version {rule.get('version')}"
    if finding.get("kind") == "field_name":
        yield (
            "reason",
            f"the field is called by a term of {finding.get('category')}: {_terms(finding)}",
        )
    else:
        yield "form", _form(finding)
        yield "label", _label(finding)
        yield "confidence", _confidence(finding)
    yield "test data", "yes: it is reserved or published" if finding.get("test_data") else "no"
    if field := finding.get("field"):
        yield "field", str(field)
    yield "found", f"{total:,} time{'' if total == 1 else 's'}"
    for place in finding.get("locations", ())[:PLACES]:
        yield "place", _place(place)


def _terms(finding: Mapping[str, Json]) -> str:
    return ", ".join(f"'{each}'" for each in finding.get("terms", ()))


def _form(finding: Mapping[str, Json]) -> str:
    checks = ", ".join(map(str, finding.get("validators", ())))
    held = f"checks that hold: {checks}" if checks else "no check"
    return f"it has the form of the type; {held}"


def _label(finding: Mapping[str, Json]) -> str:
    why = finding.get("why") or {}
    if not why:
        return "not recorded: an earlier version searched"
    stance = str(why.get("stance"))
    if stance not in _STANCES:
        return "none"
    place = _LABELS.get(str(why.get("place")), str(why.get("place")))
    term, words = why.get("term"), why.get("words")
    said = f"'{term}' in {place}" if term else place
    far = f", {words} word{'' if words == 1 else 's'} away" if words else ""
    effect = "" if why.get("label") else ", which has no effect here"
    return f"{said}{far} {_STANCES[stance]}{effect}"


def _confidence(finding: Mapping[str, Json]) -> str:
    why, confidence = finding.get("why") or {}, finding.get("confidence", 0)
    if not why:
        return f"{confidence:g}"
    parts = [f"{why.get('form', 0):g} for the form"]
    parts += [f"{why['label']:+g} for the label"] if why.get("label") else []
    parts += (
        [f"{why['alone']:+g} because the text is nothing but values"] if why.get("alone") else []
    )
    total = sum(why.get(part, 0) for part in ("form", "label", "alone"))
    most = f" ({total:.4g}, at most {confidence:g})" if total - confidence > 0.001 else ""
    return (
        f"{confidence:g}: {', '.join(parts)}{most}; at least {why.get('threshold', 0):g} is needed"
    )


def _place(place: Mapping[str, Json]) -> str:
    name = place.get("file") or place.get("table") or place.get("path") or place.get("input")
    at = [f"{word} {place[word]}" for word in ("line", "row", "column") if word in place]
    read = f"written with {', '.join(place['escapes'])}" if place.get("escapes") else None
    return ", ".join(filter(None, [str(name), *at, read]))
