from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from plugin_kit import GOOD, install

from waivern.errors import NotFoundError, RefusedError, WaivernError
from waivern.message import Message
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component import Connector, Processor


def test_shipped_components_are_found_and_have_the_shape() -> None:
    assert {"command", "filesystem", "python", "sqlite"} <= set(Catalogue().names("connectors"))
    assert {"command", "merge", "python"} <= set(Catalogue().names("processors"))
    versions = {"command": "1.0.0", "filesystem": "2.1.0", "python": "1.0.0", "sqlite": "2.0.0"}
    for name, version in versions.items():
        connector = Catalogue().load("connectors", name)
        assert isinstance(connector, Connector)
        assert (connector.name, connector.version) == (name, version)
    for name in ("command", "merge", "python"):
        assert isinstance(Catalogue().load("processors", name), Processor)


@pytest.mark.parametrize(
    ("kind", "name"),
    [("connectors", n) for n in ("command", "filesystem", "python", "sqlite")]
    + [("processors", n) for n in ("command", "merge", "python")],
)
def test_shipped_components_describe_themselves(kind: str, name: str) -> None:
    component = Catalogue().load(kind, name)
    first = (type(component).__doc__ or "").splitlines()[0]
    assert first.endswith((".", ":")) or len(first) > 20
    model = component.Config
    assert model.model_config["frozen"] is True
    assert model.model_config["extra"] == "forbid"
    assert model.model_config["hide_input_in_errors"] is True
    assert all(field.description for field in model.model_fields.values())
    model.model_json_schema()


def test_names_imports_no_component() -> None:
    code = (
        "import sys; from waivern.plugins.catalogue import Catalogue; "
        "assert Catalogue().names('connectors') and Catalogue().names('processors'); "
        "print([m for m in sys.modules if m.startswith('waivern.builtin')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_load_gives_the_same_instance() -> None:
    catalogue = Catalogue()
    assert catalogue.load("processors", "merge") is catalogue.load("processors", "merge")


def test_unknown_name_suggests_and_lists() -> None:
    with pytest.raises(NotFoundError, match="no connector 'sqlit'") as caught:
        Catalogue().load("connectors", "sqlit")
    assert "did you mean 'sqlite'?" in (caught.value.hint or "")
    assert "filesystem" in (caught.value.hint or "")


def test_name_of_the_other_kind_is_told() -> None:
    with pytest.raises(NotFoundError) as caught:
        Catalogue().load("connectors", "merge")
    assert "'merge' is a processor" in (caught.value.hint or "")


def test_installed_plugin_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "good_plugin", GOOD, "thing = good_plugin:Thing")
    monkeypatch.syspath_prepend(tmp_path)
    assert "thing" in Catalogue().names("connectors")
    assert Catalogue().load("connectors", "thing").name == "thing"


@pytest.mark.parametrize(
    "code",
    [
        "import no_such_module_at_all",
        "raise RuntimeError('no')",
        "import sys; sys.exit(3)",
        "def broken(:",
        "x = 1",
        "class Thing:\n    def __init__(self, needed): ...",
    ],
)
def test_broken_plugin_fails_only_who_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    install(tmp_path, "broken_plugin", code, "broken = broken_plugin:Thing")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_plugin", raising=False)
    assert "broken" in Catalogue().names("connectors")
    assert Catalogue().load("connectors", "sqlite").name == "sqlite"
    with pytest.raises(WaivernError, match=r"broken_plugin 1\.2 cannot be loaded") as caught:
        Catalogue().load("connectors", "broken")
    assert "broken_plugin:Thing" in (caught.value.hint or "")


def test_wrong_shape_names_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = (
        GOOD.replace("version =", "release =")
        .replace("ANY_JSON\n\n", "ANY_JSON\n\n")
        .replace("produces = ANY_JSON", "produces = 'json'")
    )
    install(tmp_path, "odd_plugin", code, "odd = odd_plugin:Thing")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WaivernError, match=r"odd_plugin 1\.2 is not a connector") as caught:
        Catalogue().load("connectors", "odd")
    assert "'version' is missing" in caught.value.message
    assert "'produces' is not a SchemaRef" in caught.value.message


def test_processor_missing_everything_lists_every_attribute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        tmp_path, "bare_plugin", "class Bare: ...", "bare = bare_plugin:Bare", kind="processors"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(WaivernError) as caught:
        Catalogue().load("processors", "bare")
    for attribute in ("name", "version", "Config", "accepts", "produces", "process"):
        assert f"'{attribute}' is missing" in caught.value.message


def test_two_distributions_with_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "first_plugin", GOOD, "twice = first_plugin:Thing")
    install(tmp_path, "second_plugin", GOOD, "twice = second_plugin:Thing")
    monkeypatch.syspath_prepend(tmp_path)
    assert Catalogue().names("connectors").count("twice") == 1
    with pytest.raises(RefusedError, match=r"first_plugin 1\.2 and second_plugin 1\.2"):
        Catalogue().load("connectors", "twice")


def test_an_instance_may_stand_in_for_its_class(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "made_plugin", GOOD + "\nmade = Thing()\n", "made = made_plugin:made")
    monkeypatch.syspath_prepend(tmp_path)
    made = Catalogue().load("connectors", "made")
    assert made.produces == Message("x", None).schema


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("outputs = 'high'", "'outputs' is not a tuple of texts"),
        ("outputs = ('high', 3)", "'outputs' is not a tuple of texts"),
        ("retry = {'times': 3}", "'retry' is not a mapping of 'max'"),
        ("retry = {'max': 3, 'delay': 'soon'}", "'retry' is not a mapping of 'max'"),
        ("retry = 3", "'retry' is not a mapping of 'max'"),
        ("@property\n    def retry(self): return 1 / 0", "'retry' raises ZeroDivisionError"),
        ("@property\n    def Config(self): raise KeyError('c')", "'Config' raises KeyError: 'c'"),
    ],
)
def test_what_a_component_says_of_itself_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    code = GOOD.replace("    def extract", f"    {line}\n    def extract")
    install(tmp_path, "loud_plugin", code, "loud = loud_plugin:Thing")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "loud_plugin", raising=False)
    with pytest.raises(WaivernError, match=r"loud_plugin 1\.2 is not a connector") as caught:
        Catalogue().load("connectors", "loud")
    assert said in caught.value.message


def test_terms_of_a_component_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terms = "retry = {'max': 3, 'on': 'OSError', 'delay': 0.5, 'max_delay': 60}"
    code = GOOD.replace("    def extract", f"    {terms}; outputs = ['a', 'b']\n    def extract")
    install(tmp_path, "terms_plugin", code, "terms = terms_plugin:Thing")
    monkeypatch.syspath_prepend(tmp_path)
    assert Catalogue().load("connectors", "terms").name == "thing"
