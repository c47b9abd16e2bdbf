"""Plans every runbook in a folder as `waivern.yaml` there would have it; run as a script.

    python plan_blocks.py FOLDER

Prints {file: {"artifacts": [ids]} or {"problems": [texts]}} as JSON. In a process of its own: the
components that the folder declares stay known to the process that plans.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from waivern.diagnostics import InvalidError
from waivern.runs.locate import find_project
from waivern.runs.prepare import check
from waivern.store.opening import open_store


def main(folder: Path) -> None:
    store, project = open_store(folder / ".waivern"), find_project(str(folder))
    found: dict[str, dict[str, list[str]]] = {}
    for path in sorted(folder.glob("block-*.yaml")):
        try:
            plan = check(str(path), store, os.environ, project=project)
            found[path.name] = {"artifacts": list(plan.nodes)}
        except InvalidError as error:
            found[path.name] = {"problems": [str(problem) for problem in error.problems]}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
