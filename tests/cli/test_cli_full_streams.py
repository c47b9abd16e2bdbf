"""Standard streams that take nothing: the answer and the exit code are right all the same."""

from __future__ import annotations

import json
import subprocess

import pytest
from wct_process import WCT, Place


@pytest.mark.parametrize("quiet", [(), ("-q",)])
def test_messages_that_nobody_takes(place: Place, quiet: tuple[str, ...]) -> None:
    (place.path / "warns.py").write_text(
        "import threading, time\n"
        "def work():\n"
        "    while True:\n"
        "        time.sleep(0.01)\n"
        "def warns():\n"
        "    threading.Thread(target=work, daemon=True).start()\n"
    )
    source = '{type: python, properties: {call: "warns.py:warns"}}'
    runbook = place.runbook("w.yaml", f"  a: {{source: {source}}}")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [WCT, "run", runbook, "--json", *quiet],
            cwd=place.path, env=place.environ(), stdout=subprocess.PIPE, stderr=full, check=False,
        )  # fmt: skip
    assert done.returncode == 0
    data = json.loads(done.stdout)["data"]
    assert (data["status"], len(data["warnings"])) == ("completed", 1)


def test_the_hint_trusts_the_store_and_not_a_part_of_it(place: Place) -> None:
    source = '{type: python, properties: {call: "steps.py:value"}}'
    assert place.wct("run", place.runbook("a.yaml", f"  a: {{source: {source}}}")).code == 0
    (place.path / ".waivern/runs").chmod(0o777)
    refused = place.wct("runs")
    assert refused.code == 5
    assert refused.err.rstrip().endswith(f"set WAIVERN_TRUST_STORE={place.path}/.waivern")
    assert place.wct("runs", WAIVERN_TRUST_STORE=f"{place.path}/.waivern").code == 0


@pytest.mark.parametrize("words", [("config",), ("runs", "--json"), ("run", "--help")])
def test_a_full_stdout_is_not_blamed_on_the_store(place: Place, words: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [WCT, *words],
            cwd=place.path, env=place.environ(), stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert done.returncode == 74
    assert b"cannot write to stdout: No space left on device" in done.stderr
    assert done.stderr.rstrip().endswith(b"check the file or device that stdout leads to")
