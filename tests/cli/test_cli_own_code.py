"""A user's own code, as `wct` finds it, lists it and reports what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from wct_process import Place, Wct

CLASS = '''
from pydantic import BaseModel
from waivern.message import ANY_JSON

class Mine:
    """Reads the ledger."""
    name = "mine"
    version = "2.5.0"
    produces = ANY_JSON
    accepts = None
    class Config(BaseModel): ...
    def extract(self, config, ctx):
        return 1
    def process(self, inputs, config, ctx):
        return 1
'''


@pytest.fixture
def parts(place: Place) -> Path:
    (place.path / "waivern.yaml").write_text("component_paths: [parts]\n")
    folder = place.path / "parts"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", ["connector", "processor"])
def test_components_of_the_project_are_listed_and_not_run(
    place: Place, parts: Path, wct: Wct, kind: str
) -> None:
    ran = place.path / "ran"
    touch = f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n"
    (parts / "mine.py").write_text(f"{touch}{CLASS}\n{kind} = Mine()\n")
    (parts / "helper.py").write_text(touch)
    listed = wct(f"{kind}s")
    assert ["mine", "2.5.0", "Reads the ledger."] in listed.rows
    assert "python" in [row[0] for row in listed.rows]
    assert "helper" not in listed.out + listed.err
    (found,) = [
        each for each in wct(f"{kind}s", "--json").data("components") if each["name"] == "mine"
    ]
    assert (found["version"], found["file"]) == ("2.5.0", str(parts / "mine.py"))
    assert wct("processors" if kind == "connector" else "connectors").out.find("mine") == -1
    assert not ran.exists()
    assert wct(f"{kind}s", "mine").code == 0
    assert ran.exists()


def test_a_component_of_an_installed_name_is_listed_as_refused(
    place: Place, parts: Path, wct: Wct
) -> None:
    (parts / "sqlite.py").write_text(CLASS + "connector = Mine\n")
    done = wct("connectors")
    assert "'sqlite' is offered by" in done.err
    assert str(parts / "sqlite.py") in done.err
    assert "sqlite" not in [row[0] for row in done.rows]


def own(place: Place, text: str) -> str:
    (place.path / "own.py").write_text(text)
    (place.path / "ledgers.py").write_text("")
    return place.runbook(
        "r.yaml", "  a: {source: {type: python, properties: {call: 'own.py:f'}}}\n"
    )


def test_a_missing_import_names_file_line_and_remedy(place: Place, wct: Wct) -> None:
    done = wct("run", own(place, "import json\nimport no_such_thing\ndef f(): ...\n"))
    assert done.code == 1
    said = " ".join((done.out + done.err).split())
    assert f"{place.path / 'own.py'}, line 2: ModuleNotFoundError" in said
    assert "No module named 'no_such_thing'" in said
    assert "put 'no_such_thing.py' beside 'own.py'" in said
    assert "path.py:function" not in said


def test_a_missing_import_of_a_neighbour_suggests_one(place: Place, wct: Wct) -> None:
    done = wct("run", own(place, "from ledger import x\ndef f(): ...\n"))
    assert "did you mean 'ledgers'?" in " ".join((done.out + done.err).split())


@pytest.mark.parametrize("word", ["def", "async def"])
def test_a_missing_import_in_a_function_names_file_and_line(
    place: Place, wct: Wct, word: str
) -> None:
    done = wct("run", own(place, f"{word} f():\n    import no_such_thing\n"))
    said = " ".join((done.out + done.err).split())
    assert f"{place.path / 'own.py'}, line 2: ModuleNotFoundError" in said
    assert "put 'no_such_thing.py' beside 'own.py'" in said


def test_a_missing_import_in_a_component_names_file_and_line(
    place: Place, parts: Path, wct: Wct
) -> None:
    (parts / "mine.py").write_text("import no_such_thing\nconnector = 1\n")
    runbook = place.runbook("r.yaml", "  a: {source: {type: mine}}\n")
    said = " ".join(wct("validate", runbook).err.split())
    assert f"{parts / 'mine.py'}, line 1: ModuleNotFoundError" in said
    assert "put 'no_such_thing.py' beside 'mine.py'" in said


def test_modules_are_called_as_their_files_call_them(place: Place, wct: Wct) -> None:
    (place.path / "ledgers.py").write_text("")
    code = "import logging\nlogging.getLogger(__name__).warning('look')\n"
    done = wct("run", own(place, f"{code}from ledgers import total\ndef f(): ...\n"))
    said = " ".join((done.out + done.err).split())
    assert "cannot import name 'total' from 'ledgers'" in said
    log = (place.path / ".waivern/latest/_system/logs/a.log").read_text()
    assert "WARNING own: look" in log
