"""A generator that yields on after its run has ended, in a process that lives on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import waivern

COMPONENT = """
import time
from pathlib import Path
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Slow:
    name, version, produces = "slow", "1.0.0", ANY_JSON
    class Config(BaseModel):
        pass
    {how} extract(self, config, ctx):
        try:
            for n in range(5_000):
                yield {{"number": n, "mail": f"qzxv.{{n}}@example.org"}}
            Path("begun").touch()
            while not Path("go").exists():
                time.sleep(0.01)
            for n in range(50_000):
                yield {{"number": n, "mail": f"qzxv.{{n}}@example.org"}}
        finally:
            Path("ended").touch()

connector = Slow
"""
BOOK = """
artifacts:
  records: {source: {type: slow}, timeout: 2s}
"""


@pytest.mark.parametrize("how", ["def", "async def"])
def test_nothing_of_it_reaches_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "components").mkdir()
    (tmp_path / "components" / "slow.py").write_text(COMPONENT.format(how=how))
    (tmp_path / "waivern.yaml").write_text("component_paths: [components]\n")
    (tmp_path / "book.yaml").write_text(BOOK)
    result = waivern.run("book.yaml", run_id="one")
    assert result.status == "failed"
    assert (tmp_path / "begun").exists(), "it had not written anything: the test shows nothing"
    assert holding(tmp_path / ".waivern") == []
    (tmp_path / "go").touch()
    until = time.monotonic() + 20
    while not (tmp_path / "ended").exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert (tmp_path / "ended").exists(), "it was left suspended for ever"
    assert holding(tmp_path / ".waivern") == []
    assert not list((tmp_path / ".waivern").glob("runs/one/_system/staged/*"))


def holding(store: Path) -> list[str]:
    """Return the files of a store with anything of a record."""
    paths = [path for path in store.rglob("*") if path.is_file() and not path.is_symlink()]
    return [str(path.relative_to(store)) for path in paths if b"qzxv" in path.read_bytes()]
