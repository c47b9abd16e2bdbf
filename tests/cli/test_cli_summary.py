"""The summary after a run: what was found, what was not examined, what failed and why."""

from __future__ import annotations

from wct_process import Place, Wct

SCAN = """
  files: {source: {type: filesystem, properties: {path: data}}}
  found: {inputs: files, process: {type: personal_data}}
"""


def scanned(place: Place) -> str:
    (place.path / "data").mkdir()
    (place.path / "data" / "people.csv").write_text(
        "email,blood_type\nann@mueller-bau.de,A+\nbob@mueller-bau.de,0-\n"
    )
    (place.path / "data" / "note.txt").write_text("call bob@mueller-bau.de\n")
    (place.path / "data" / "picture").write_bytes(b"\0\1\2" * 100)
    return place.runbook("scan.yaml", SCAN)


def test_what_was_found_special_categories_first_and_what_was_not_examined(
    place: Place, wct: Wct
) -> None:
    done = wct("run", scanned(place))
    lines = done.out.splitlines()
    assert done.code == 0
    assert len(lines) <= 25
    [head] = [n for n, line in enumerate(lines) if line.startswith("  found ")]
    assert "1 of special categories" in lines[head]
    assert lines[head + 1].split()[:4] == ["!", "health", "1", "blood_type"]
    assert lines[head + 1].endswith("(special category)")
    assert lines[head + 2].split()[:3] == ["contact", "3", "EMAIL_ADDRESS"]
    assert any(line.startswith("  most in    people.csv ") for line in lines)
    assert "  unexamined files: 1 binary" in lines
    assert "mueller" not in done.out
    assert lines[-1].startswith("  next:  wct inspect ")
    assert lines[-1].endswith("/found")


def test_found_is_in_the_document_and_cached_is_counted(place: Place, wct: Wct) -> None:
    book = scanned(place)
    found = wct("run", book, "--json").data("run")["found"]
    assert found["special_category"] == 1
    assert found["by_category"][0]["name"] == "health"
    assert "2 completed (2 cached)" in wct("run", book).out


def test_nothing_is_said_of_findings_where_nothing_was_searched(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "b.yaml", '  a: {source: {type: python, properties: {call: "steps.py:value"}}}'
    )
    assert "  found " not in wct("run", book).out
    assert wct("run", book, "--json").data("run")["found"] is None


def test_a_failure_has_its_cause_its_line_and_the_end_of_its_log(place: Place, wct: Wct) -> None:
    (place.path / "own.py").write_text(
        "def broken():\n"
        "    print('opening the \\x1b[31mdatabase')\n"
        "    raise ValueError('no route')\n"
    )
    book = place.runbook(
        "b.yaml", '  a: {source: {type: python, properties: {call: "own.py:broken"}}}\n'
    )
    done = wct("run", book)
    assert done.code == 1
    assert "a  python  ValueError: no route" in done.out
    assert "      at: b.yaml:3" in done.out
    assert "      |     raise ValueError('no route')" in done.out
    assert "      log: " in done.out
    assert "\x1b" not in done.out


def test_many_artifacts_are_counted_and_only_what_failed_is_listed(place: Place, wct: Wct) -> None:
    book = place.runbook(
        "b.yaml",
        "".join(
            f'  a{n}: {{source: {{type: python, properties: {{call: "steps.py:value"}}}}}}\n'
            for n in range(12)
        )
        + '  b: {source: {type: python, properties: {call: "steps.py:fail"}}}\n',
    )
    done = wct("run", book)
    assert "13:  12 completed, 1 failed" in done.out
    assert "✔" not in done.out
    assert "it broke" in done.out
