"""What a run says that it examined: counts, percentage, names, and the limit `--min-coverage`."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from wct_process import Done, Place, Wct

FILES = "  files: {source: {type: filesystem, properties: {path: data%s}}}\n"
SHOP = "  shop: {source: {type: sqlite, properties: {path: shop.db%s}}}\n"
SEARCH = "  %s: {inputs: %s, process: {type: personal_data}}\n"
FAILS = '  archive: {optional: true, source: {type: python, properties: {call: "steps.py:fail"}}}\n'


def folder(place: Place, texts: int = 9, binaries: int = 2) -> None:
    data = place.path / "data"
    data.mkdir()
    for n in range(texts):
        (data / f"{n}.txt").write_text("x" * 100)
    for n in range(binaries):
        (data / f"{n}.bin").write_bytes(b"\0" * 300)


def shop(place: Place, *, photo: bool = False, rows: int = 2500) -> None:
    with closing(sqlite3.connect(place.path / "shop.db")) as db:
        for table in ("customers", "orders"):
            db.execute(f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, mail TEXT, photo BLOB)")
            values = ((f"nothing {n}", b"\1" if photo else None) for n in range(rows))
            db.executemany(f"INSERT INTO {table} (mail, photo) VALUES (?, ?)", values)
        db.commit()


def run_json(place: Place) -> dict[str, Any]:
    found = json.loads((place.run_folder() / "_system" / "run.json").read_text())
    assert isinstance(found, dict)
    return found


def line(done: Done, word: str = "coverage") -> str:
    found = [each for each in done.out.splitlines() if each.strip().startswith(word)]
    return " ".join(found[0].split()) if found else ""


def said(place: Place, done: Done) -> str:
    """Return the line of the summary, which every other place must repeat."""
    text = line(done)
    data = place.wct("inspect", "@last", "--json").data("inspect")["coverage"]
    assert data == {**run_json(place)["coverage"], "sources": data["sources"]}
    assert data["summary"] in text
    assert text.startswith(f"coverage {data['percent']:g}".removesuffix(".0"))
    assert data["summary"] in place.on_a_terminal("inspect", "@last").out
    return text


def test_files_are_measured_in_bytes_and_tables_in_rows(place: Place, wct: Wct) -> None:
    folder(place)
    shop(place)
    book = place.runbook("x.yaml", FILES % "" + SHOP % "" + FAILS)
    done = wct("run", book)
    assert done.code == 0
    text = said(place, done)
    assert (
        "examined 9 of 11 files, 2,000 of 5,000 rows "
        "(customers 1,000 of 2,500, orders 1,000 of 2,500); 1 source failed: archive" in text
    )
    assert text.startswith("coverage 0.0 % (archive)")
    sources = run_json(place)["coverage"]["sources"]
    assert [(each["source"], each["percent"]) for each in sources] == [
        ("files", 60.0),  # 900 of 1,500 bytes
        ("shop", 40.0),
        ("archive", 0.0),
    ]
    assert sources[0]["units"] == {"bytes": {"examined": 900, "known": 1500}}
    assert sources[2]["why"] == "ValueError: it broke"


def test_the_default_limit_of_rows_is_not_the_whole_table(place: Place, wct: Wct) -> None:
    shop(place)
    done = wct("run", place.runbook("x.yaml", SHOP % ", tables: [customers]"))
    assert said(place, done) == (
        "coverage 40.0 % (shop, in rows): examined 1,000 of 2,500 rows (customers 1,000 of 2,500); "
        "left out on purpose: 1 table"
    )
    assert "the first 1,000 of 2,500 rows, not a random sample: no bound holds" in done.out
    assert "partly" in wct("inspect", "@last", "--json").out


def test_what_is_a_hair_short_of_everything_is_not_100(place: Place, wct: Wct) -> None:
    folder(place, 1, 0)
    (place.path / "data" / "huge.txt").write_text("x" * 10**6)
    (place.path / "data" / "tiny.bin").write_bytes(b"\0")
    book = place.runbook("x.yaml", FILES % "")
    assert line(wct("run", book)).startswith("coverage 99.9 %")
    assert wct("run", book, "--min-coverage", "99.9").code == 0
    assert wct("run", book, "--min-coverage", "99.99999").code == 6
    (place.path / "data" / "tiny.bin").write_bytes(b"")  # no text is in it, and no byte
    assert line(wct("run", book)).startswith("coverage 100 %")


def test_a_file_of_unknown_size_counts_as_a_file(place: Place, wct: Wct) -> None:
    folder(place, 3, 0)
    (place.path / "data" / "link.txt").symlink_to(place.path / "steps.py")
    done = wct("run", place.runbook("x.yaml", FILES % ""))
    assert line(done).startswith("coverage 75.0 % (files, in bytes): examined 3 of 4 files")


@pytest.mark.parametrize("pattern", ["*.csvv", "data/*.txt"])
def test_a_pattern_that_matches_nothing_is_named(place: Place, pattern: str, wct: Wct) -> None:
    folder(place)
    book = place.runbook("x.yaml", FILES % f', include: ["{pattern}"]')
    done = wct("run", book)
    assert done.code == 0
    assert said(place, done) == (
        "coverage 0.0 % (files, in bytes): examined 0 of 0 files; 1 source empty: files; "
        "left out on purpose: 11 files"
    )
    assert f"files: nothing matches the pattern '{pattern}'; 11 left out" in done.err
    assert wct("run", book, "--min-coverage", "1").code == 6


def test_one_of_several_patterns_is_named_as_well(place: Place, wct: Wct) -> None:
    folder(place)
    done = wct("run", place.runbook("x.yaml", FILES % ', include: ["*.txt", "*.csvv"]'))
    assert "'*.csvv'" in done.err
    assert "'*.txt'" not in done.err
    assert line(done).startswith("coverage 100 % (files, in bytes): examined 9 of 9 files")


@pytest.mark.parametrize("source", ["folder", "database", "tables"])
def test_an_empty_source_is_named_and_trips_the_limit(place: Place, source: str, wct: Wct) -> None:
    (place.path / "data").mkdir()
    sqlite3.connect(place.path / "shop.db").close()
    (place.path / "shop.db").touch()
    if source == "tables":
        shop(place, rows=0)
    book = place.runbook("x.yaml", FILES % "" if source == "folder" else SHOP % "")
    done = wct("run", book, "--min-coverage", "0.1")
    assert done.code == 6
    assert "0 of 0" in line(done)
    assert "the source is empty" in done.err


def test_a_source_that_reports_nothing_is_unknown(place: Place, wct: Wct) -> None:
    book = '  x: {source: {type: python, properties: {call: "steps.py:value"}}}\n'
    done = wct("run", place.runbook("x.yaml", book), "--min-coverage", "1")
    assert done.code == 6
    assert line(done) == "coverage 0.0 % (x): 1 source without a report: x"


def test_a_function_with_a_parameter_ctx_reports_what_it_examined(place: Place, wct: Wct) -> None:
    with (place.path / "steps.py").open("a") as steps:
        steps.write(
            "def mails(ctx, folder):\n"
            "    ctx.read(3)\n"
            "    ctx.skipped('b.eml', 'encrypted')\n"
            "    return {'mails': folder}\n"
        )
    book = (
        '  x: {source: {type: python, properties: {call: "steps.py:mails", args: {folder: in}}}}\n'
    )
    done = wct("run", place.runbook("x.yaml", book))
    assert said(place, done) == "coverage 75.0 % (x, in items): examined 3 of 4 items"


def test_a_table_of_unknown_length_makes_its_source_unknown(place: Place, wct: Wct) -> None:
    with (place.path / "steps.py").open("a") as steps:
        steps.write("def feed(ctx):\n    ctx.read()\n    ctx.sampled('feed', 10, None)\n")
    book = '  x: {source: {type: python, properties: {call: "steps.py:feed"}}}\n'
    done = wct("run", place.runbook("x.yaml", book))
    assert line(done).startswith("coverage 0.0 % (x, in rows): examined ")
    assert "(feed 10 of ?); 1 source without a report: x" in line(done)


def test_a_source_that_a_failure_skips_counts_and_one_that_a_condition_skips_does_not(
    place: Place, wct: Wct
) -> None:
    folder(place)
    book = FAILS.replace("optional: true, ", "") + (
        "  late: {after: archive, source: {type: filesystem, properties: {path: data}}}\n"
        '  never: {when: "params.all", source: {type: filesystem, properties: {path: data}}}\n'
    )
    head = "params: {all: {type: boolean, default: false}}"
    text = line(wct("run", place.runbook("x.yaml", book, head)))
    assert "1 source failed: archive; 1 source skipped: late" in text
    assert "left out on purpose: 1 source by condition (never)" in text
    assert "of 11 files" not in text


def test_what_is_not_selected_is_not_examined(place: Place, wct: Wct) -> None:
    folder(place, 2, 0)
    shop(place)
    book = place.runbook("x.yaml", FILES % "" + SHOP % "")
    done = wct("run", book, "--select", "files", "--min-coverage", "50")
    assert done.code == 6
    assert "examined 2 of 2 files; 1 source not started: shop" in line(done)


def test_values_that_a_detector_does_not_examine_count(place: Place, wct: Wct) -> None:
    shop(place, photo=True, rows=10)
    book = place.runbook("x.yaml", SHOP % "" + SEARCH % ("found", "shop"))
    done = wct("run", book)
    # two tables of ten rows, each with an id, a text and a BLOB
    assert said(place, done) == (
        "coverage 66.6 % (shop, in rows): examined 20 of 20 rows; "
        "found examined 40 of 60 values (2 binary)"
    )


def test_a_detector_that_fails_has_examined_nothing(place: Place, wct: Wct) -> None:
    folder(place)
    broken = (
        "  found: {optional: true, inputs: files, process: "
        '{type: python, properties: {call: "steps.py:fail"}}}\n'
    )
    done = wct("run", place.runbook("x.yaml", FILES % "" + broken))
    assert done.code == 0
    assert line(done).startswith("coverage 0.0 %")
    assert "found failed and examined nothing" in line(done)


def test_a_report_that_fails_does_not_undo_what_a_detector_examined(place: Place, wct: Wct) -> None:
    folder(place, 3, 0)
    report = (
        "  report: {optional: true, inputs: found, process: "
        '{type: python, properties: {call: "steps.py:fail"}}}\n'
    )
    book = FILES % "" + SEARCH % ("found", "files") + report
    assert line(wct("run", place.runbook("x.yaml", book))).startswith("coverage 100 %")


def test_a_sample_says_what_it_proves(place: Place, wct: Wct) -> None:
    shop(place, rows=4100)
    with closing(sqlite3.connect(place.path / "shop.db")) as db:
        db.execute("UPDATE orders SET mail = 'ada' || id || '@corp.io' WHERE id % 50 = 0")
        db.commit()
    properties = ", sample: random, max_rows: 1000, seed: 7"
    book = place.runbook("x.yaml", SHOP % properties + SEARCH % ("found", "shop"))
    done = wct("run", book)
    clean, hit = (each for each in done.out.splitlines() if each.strip().startswith("sample"))
    assert clean.split("sample", 1)[1].strip() == (
        "shop: customers, by found: 0 findings in 1,000 of 4,100 rows: at most 0.3 % of rows "
        "at 95 % confidence"
    )
    assert "rows with findings among 1,000 of 4,100 rows: at most " in hit
    assert "hypergeometric" in done.out
    assert "assumes a detector that misses nothing" in done.out
    samples = wct("inspect", "@last", "--json").data("inspect")["coverage"]["samples"]
    assert [(each["item"], each["seed"], each["random"]) for each in samples] == [
        ("customers", 7, True),
        ("orders", 7, True),
    ]
    true = 4100 // 50
    assert samples[0]["at_most"] < true <= samples[1]["at_most"]
    (found,) = [
        each
        for each in json.loads((place.run_folder() / "found.json").read_text())["content"][
            "findings"
        ]
        if each["kind"] == "value"
    ]
    # what a location names is a row of the table, not of the sample
    assert max(each["row"] for each in found["locations"]) > 1000


def test_each_detector_has_a_bound_of_its_own(place: Place, wct: Wct) -> None:
    shop(place, rows=4100)
    with closing(sqlite3.connect(place.path / "shop.db")) as db:
        db.execute("UPDATE customers SET mail = 'ada' || id || '@corp.io' WHERE id % 9 = 0")
        db.commit()
    ip = "  ip: {inputs: shop, process: {type: personal_data, properties: {types: [IP_ADDRESS]}}}\n"
    properties = ", sample: random, tables: [customers]"
    book = place.runbook("x.yaml", SHOP % properties + SEARCH % ("found", "shop") + ip)
    data = wct("run", book, "--json").data("run")
    some, none = data["coverage"]["samples"]
    assert (some["detector"], none["detector"]) == ("found", "ip")
    assert some["at_most"] > 4100 // 9 > none["at_most"]
    assert none["found"] == 0


def test_a_sample_is_cached_until_its_seed_changes(place: Place, wct: Wct) -> None:
    shop(place)
    book = SHOP % ", sample: random, max_rows: 100%s"
    wct("run", place.runbook("x.yaml", book % ""))
    again = wct("run", "x.yaml", "--json").data("run")
    assert [step["how"] for step in again["steps"]] == ["cached"]
    (first, _) = again["coverage"]["samples"]
    assert first["seed"] is not None
    other = wct("run", place.runbook("x.yaml", book % ", seed: 1"), "--json").data("run")
    assert [step["how"] for step in other["steps"]] == ["produced"]


def test_the_coverage_of_a_cached_artifact_is_of_this_run(place: Place, wct: Wct) -> None:
    folder(place, 2, 0)
    (place.path / "data" / "old.log").write_text("log")
    book = place.runbook("x.yaml", FILES % ', exclude: ["*.log"]')
    wct("run", book)
    (place.path / "data" / "old.log").unlink()
    for n in range(3):
        (place.path / "data" / f"new{n}.log").write_text("log")
    data = wct("run", book, "--json").data("run")
    assert [step["how"] for step in data["steps"]] == ["cached"]
    assert data["coverage"]["sources"][0]["left_out"] == 3
    shown = wct("inspect", f"{data['run_id']}/files", "--json").data("inspect")
    names = [each["item"] for each in shown["extensions"]["coverage"]["items"]]
    assert names == ["new0.log", "new1.log", "new2.log"]


def test_a_copied_source_and_a_copied_result_keep_their_coverage(place: Place, wct: Wct) -> None:
    folder(place)
    wct("run", place.runbook("x.yaml", FILES % "" + SEARCH % ("found", "files")))
    for artifact in ("files", "found"):
        book = f"  copy: {{reuse: {{from_run: x@last, artifact: {artifact}}}}}\n"
        text = line(wct("run", place.runbook(f"{artifact}.yaml", book)))
        assert text.startswith("coverage 60.0 % (copy"), artifact
        again = f"  copy: {{reuse: {{from_run: {artifact}@last, artifact: copy}}}}\n"
        text = line(wct("run", place.runbook(f"{artifact}2.yaml", again)))
        assert text.startswith("coverage 60.0 % (copy"), artifact


def test_sources_of_children_and_of_each_item_count(place: Place, wct: Wct) -> None:
    folder(place)
    place.runbook("child.yaml", FILES % "", "outputs: {all: {artifact: files}}")
    book = (
        "  inner: {child_runbook: {path: child.yaml, output: all}}\n"
        "  each:\n"
        "    for_each: [data, nowhere]\n"
        "    optional: true\n"
        "    source: {type: filesystem, properties: {path: '${each}'}}\n"
    )
    text = line(wct("run", place.runbook("x.yaml", book)))
    assert "examined 18 of 22 files; 1 source failed: " in text
    assert "nowhere" in text


def test_the_limit_of_the_runbook_holds_and_an_option_overrides_it(place: Place, wct: Wct) -> None:
    folder(place)
    book = place.runbook("x.yaml", FILES % "", "config: {min_coverage: 60.1}")
    done = wct("run", book)
    assert done.code == 6
    assert "coverage 60.0 % (files, in bytes) is less than 60.1 %" in done.out
    assert wct("run", book, "--min-coverage", "60").code == 0
    assert wct("run", book, "--resume", "@last").code == 6  # nothing to do, and too little
    for value in ("101", "-1", "high", "nan"):
        assert wct("run", book, "--min-coverage", value).code == 2
    for value in ("101", ".nan", "true", "high"):
        bad = place.runbook("bad.yaml", FILES % "", f"config: {{min_coverage: {value}}}")
        assert wct("validate", bad).code == 3


def test_the_limit_holds_after_an_approval(place: Place, wct: Wct) -> None:
    folder(place, 1, 0)
    gate = "  agreed: {gate: {question: All?, show: files}}\n"
    late = (
        "  late: {after: agreed, optional: true, source: {type: sqlite, properties: {path: x}}}\n"
    )
    book = place.runbook("x.yaml", FILES % "" + gate + late, "config: {min_coverage: 50}")
    assert wct("run", book).code == 7  # `late` may still be examined
    done = wct("runs", "approve", "@last/agreed", "--by", "ann")
    assert done.code == 6
    assert "1 source failed: late" in line(done)
    folder_of = place.path / "data"
    (folder_of / "more.bin").write_bytes(b"\0" * 900)
    assert wct("run", book).code == 6  # what is settled is too little already


@pytest.mark.sweep
def test_ten_thousand_sources_are_counted_in_one_pass(place: Place, wct: Wct) -> None:
    items = ", ".join(f"{'none/' * (n % 2)}f{n}" for n in range(2000))
    book = (
        "  each:\n"
        f"    for_each: [{items}]\n"
        "    optional: true\n"
        "    source: {type: filesystem, properties: {path: '${each}'}}\n"
        "  all: {inputs: each, process: {type: merge}}\n"
    )
    for n in range(0, 2000, 2):
        (place.path / f"f{n}").write_text("x")
    data = wct("run", place.runbook("x.yaml", book), "--json").data("run")
    assert data["coverage"]["count"] == 2000
    assert "examined 1,000 of 1,000 files; 1,000 sources failed: " in data["coverage"]["summary"]
    assert " and 992 more" in data["coverage"]["summary"]
    assert run_json(place)["coverage"]["sources"] is None  # too many to list in the head of a run


def test_secrets_are_redacted_in_all_that_a_component_reports(place: Place) -> None:
    secret = "s3cr3t-canary-4711"
    components = place.path / "components"
    components.mkdir()
    (components / "leaky.py").write_text(
        """
import os
from pydantic import BaseModel
from waivern.message import SchemaRef

class Leaky:
    '''A source that reports a secret wherever it can.'''
    name = "leaky"
    version = "1.0.0"
    produces = SchemaRef("json")
    repeatable = True

    class Config(BaseModel, extra="forbid"):
        url: str
        fails: bool = False

    def fingerprint(self, config, ctx):
        return {f"db at {config.url}": config.url}

    def extract(self, config, ctx):
        ctx.read()
        ctx.skipped(f"t {config.url}", f"no permission at {config.url}")
        ctx.left_out(f"u {config.url}", f"excluded by {config.url}")
        ctx.sampled(f"v {config.url}", 1, 2)
        ctx.unmatched(f"w {config.url}")
        if config.fails:
            raise type(f"Error{config.url}", (Exception,), {})(config.url)
        return {"x": 1}

connector = Leaky
"""
    )
    (place.path / "waivern.yaml").write_text("component_paths: [components]\n")
    properties = "{url: '${THE_URL}'%s}"
    book = (
        f"  ok: {{source: {{type: leaky, properties: {properties % ''}}}}}\n"
        f"  bad: {{source: {{type: leaky, properties: {properties % ', fails: true'}}}}}\n"
    )
    done = place.wct("run", place.runbook("x.yaml", book), THE_URL=secret)
    assert done.code == 1
    assert "t ${THE_URL}" in (place.run_folder() / "ok.json").read_text()
    assert "Error${THE_URL}" in done.out
    files = [each for each in (place.path / ".waivern").rglob("*") if each.is_file()]
    assert not [each for each in files if secret.encode() in each.read_bytes()]
    shown = place.wct("inspect", "@last", "--json", "--full")
    assert secret not in done.out + done.err + shown.out
