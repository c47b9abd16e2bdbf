"""What every run imports, of which a mistake costs each start (docs/adr/0009)."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import waivern

PACKAGE = Path(waivern.__file__).parent
MOST = 20
"""Annotated fields of the named tuples of a module that may be compiled at every start."""
RUN = """
import sys
from waivern.cli.main import main
sys.argv = ["wct", "run", "-q", "one.yaml"]
main()
print(*(m.__file__ for n, m in sorted(sys.modules.items()) if n.startswith("waivern.")), sep="\\n")
"""


def test_named_tuples_of_every_run_have_no_deferred_annotations(tmp_path: Path) -> None:
    (tmp_path / "make.py").write_text("def make():\n    return 1\n")
    (tmp_path / "one.yaml").write_text(
        "artifacts:\n  a: {source: {type: python, properties: {call: 'make.py:make'}}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", RUN], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    imported = [Path(line) for line in done.stdout.splitlines() if line.startswith(str(PACKAGE))]
    assert len(imported) > 100
    texts = {str(path.relative_to(PACKAGE)): _deferred(path) for path in imported}
    assert not {path: count for path, count in texts.items() if count > MOST}


def _deferred(path: Path) -> int:
    """Return how many fields of named tuples are annotated with what Python keeps as a text."""
    text = path.read_text()
    if "from __future__ import annotations" not in text:
        return 0
    tuples = (
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == "NamedTuple" for base in node.bases)
    )
    return sum(isinstance(each, ast.AnnAssign) for one in tuples for each in one.body)
