"""Measures the exports of a run with many findings: processor time and the most memory held.

    python benchmarks/exports/many_findings.py 1000000 csv jsonl sarif

Each format is written by a process of its own, into a temporary file.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

STEPS = """
def many(count):
    for number in range(count):
        place = {"input": "rows", "table": f"t{number % 97}", "column": "mail", "row": number}
        yield {"id": f"{number:032x}", "type": "EMAIL_ADDRESS", "category": "contact",
               "kind": "value", "severity": ("low", "high", "medium")[number % 3], "field": "mail",
               "test_data": False, "total": 2, "locations": [place], "evidence": "a***@***.de",
               "special_category": False, "rule": {"id": "email.domain", "version": "1.0.0"},
               "confidence": 0.9, "validators": [], "terms": ["mail"], "articles": ["4(1)"]}
    return {"ruleset": {"name": "personal_data", "version": "1.0.0"}, "mask": "partial"}
"""
BOOK = """artifacts:
  found:
    source: {type: python, properties: {call: 'steps.py:many', args: {count: COUNT}}}
    output_schema: personal_data_findings/3.0.0
"""
EXPORT = """
import resource, sys, time
from pathlib import Path
from waivern.kinds import load
from waivern.runs.exporter import exported_run
from waivern.runs.file_replacement import replacing
from waivern.store import LocalFilesystemStore
name, folder = sys.argv[1:]
exporter = load("exporters", name)()
run = exported_run(LocalFilesystemStore(f"{folder}/store"), "r1")
path = Path(folder, "out")
with replacing(path) as out:
    exporter.export(run, exporter.Config(), out)
used = resource.getrusage(resource.RUSAGE_SELF)
print(f"{name:10} {used.ru_utime + used.ru_stime:8.1f} s  {used.ru_maxrss / 1024:7.0f} MiB"
      f"  {path.stat().st_size / 1e6:8.1f} MB")
"""


def main(count: str, *names: str) -> None:
    import waivern
    from waivern.store import LocalFilesystemStore

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "steps.py").write_text(STEPS)
        Path(folder, "book.yaml").write_text(BOOK.replace("COUNT", count))
        store = LocalFilesystemStore(f"{folder}/store")
        waivern.run(Path(folder, "book.yaml"), store=store, run_id="r1")
        print(f"{int(count):,} findings: processor time, most memory, size of the file", flush=True)
        for name in names:
            subprocess.run([sys.executable, "-c", EXPORT, name, folder], check=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
