"""Runs for the pages: failures, gates, fan-outs, many findings, and text of strangers."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

STEPS = """
import time


def value(n=1):
    return {"value": n}


def total(inputs):
    return {"count": len(inputs)}


def broken(inputs):
    print("read the archive")
    print("\\x1b[31mred\\x1b[0m \\u202ereversed <script>alert(1)</script>")
    raise ValueError("the archive is <b>not</b> \\x1b[31mreadable\\x1b[0m \\u202ehere")


def slow(seconds=1.0):
    time.sleep(seconds)
    return {"slept": seconds}
"""
BROKEN = """
name: Broken <i>archive</i>
description: "Fails \\u202e on purpose"
artifacts:
  first: {source: {type: python, properties: {call: "steps.py:value"}}}
  broken:
    inputs: first
    process: {type: python, properties: {call: "steps.py:broken"}}
  behind:
    inputs: broken
    process: {type: python, properties: {call: "steps.py:total"}}
    output: true
"""
GATE = """
name: Decision
artifacts:
  facts: {source: {type: python, properties: {call: "steps.py:value"}}}
  approval:
    gate: {question: "May the facts be filed?", show: [facts]}
  filed:
    after: approval
    inputs: facts
    process: {type: python, properties: {call: "steps.py:total"}}
    output: true
"""
FINDINGS = """
name: Many findings
artifacts:
  people: {source: {type: sqlite, properties: {path: people.db}}}
  findings:
    inputs: people
    process: {type: personal_data, properties: {types: [EMAIL_ADDRESS], field_names: false}}
    output: true
"""
HELD = """
name: Held content
artifacts:
  letters: {keep: content, source: {type: filesystem, properties: {path: letters}}}
  private: {inputs: letters, process: {type: python, properties: {call: "steps.py:total"}}}
  used:
    inputs: private
    child_runbook: {path: child.yaml, output: sum, input_mapping: {secret: private}}
  failing: {inputs: letters, process: {type: python, properties: {call: "steps.py:broken"}}}
  unused:
    inputs: failing
    child_runbook: {path: child.yaml, output: sum, input_mapping: {secret: failing}}
"""
CHILD = """
inputs: {secret: {input_schema: json, sensitive: true}}
outputs: {sum: {artifact: sum}}
artifacts:
  sum: {inputs: secret, process: {type: python, properties: {call: "steps.py:total"}}}
"""


def fan_out(width: int) -> str:
    """Return a runbook with `width` sources, a processor behind each, and one behind all."""
    names = [f"part_{n:03}" for n in range(width)]
    return f"""
name: Fan-out
artifacts:
  read:
    for_each: {json.dumps(names)}
    source: {{type: python, properties: {{call: "steps.py:value", args: {{n: 2}}}}}}
  search:
    for_each: {json.dumps(names)}
    inputs: read/${{each}}
    process: {{type: python, properties: {{call: "steps.py:total"}}}}
  all:
    inputs: search
    process: {{type: python, properties: {{call: "steps.py:total"}}}}
    output: true
"""


def slow(steps: int, seconds: float) -> str:
    """Return a runbook whose artifacts take a while, one after the other."""
    lines = ["name: Slow", "config: {cache: false}", "artifacts:"]
    for n in range(steps):
        after = f", after: step_{n - 1}" if n else ""
        call = f'call: "steps.py:slow", args: {{seconds: {seconds}}}'
        lines.append(f"  step_{n}: {{source: {{type: python, properties: {{{call}}}}}{after}}}")
    return "\n".join(lines) + "\n"


def write_runbooks(folder: Path, *, width: int = 150, findings: int = 120) -> None:
    """Write the runbooks, and what they read, to a folder."""
    (folder / "steps.py").write_text(STEPS)
    (folder / "broken.yaml").write_text(BROKEN)
    (folder / "gate.yaml").write_text(GATE)
    (folder / "held.yaml").write_text(HELD)
    (folder / "child.yaml").write_text(CHILD)
    (folder / "letters").mkdir()
    (folder / "letters/one.txt").write_text("Dear Ada Lovelace,\n")
    (folder / "fan.yaml").write_text(fan_out(width))
    (folder / "slow.yaml").write_text(slow(8, 0.5))
    (folder / "findings.yaml").write_text(FINDINGS)
    write_people(folder, findings)


def write_people(folder: Path, columns: int) -> None:
    """Write a database with an address in each of so many columns: each one is a finding."""
    path = folder / "people.db"
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database:
        for table in range(0, columns, 100):
            names = [f"column_{n}" for n in range(table, min(columns, table + 100))]
            values = [f"person{n}@firm{n}.org" for n in range(len(names))]
            database.execute(f"CREATE TABLE people_{table} ({', '.join(names)})")
            marks = ", ".join("?" * len(names))
            database.execute(f"INSERT INTO people_{table} VALUES ({marks})", values)
        database.commit()
