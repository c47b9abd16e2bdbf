"""Kinds of entries: one lookup for all of them, and what a new kind gets from its row."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from plugin_kit import GOOD, install

from waivern.diagnostics import InvalidError
from waivern.errors import ComponentError, NotFoundError, RefusedError, WaivernError
from waivern.kinds import KINDS, Kind, entry
from waivern.language.loader import parse
from waivern.planning.planner import plan_at_once
from waivern.planning.resolver import LocalResolver
from waivern.plugins.catalogue import Catalogue
from waivern.plugins.component_shape import CHECKS
from waivern.plugins.context import Context

NO_RESOLVER: Any = None  # no artifact of these runbooks is looked up elsewhere


def test_rows_name_checks_that_exist() -> None:
    assert {check for kind in KINDS.values() for check in kind.shape.values()} <= CHECKS.keys()
    assert all(kind.name == name for name, kind in KINDS.items())


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_name_of_any_kind_lists_the_known_ones(kind: str) -> None:
    singular = KINDS[kind].singular
    with pytest.raises(NotFoundError, match=f"no {singular} 'none-such'") as raised:
        entry(kind, "none-such")
    assert f"{kind} installed here: " in (raised.value.hint or "")
    with pytest.raises(NotFoundError, match=f"no {singular} 'none-such'"):
        Catalogue().load(kind, "none-such")


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_of_any_kind_is_found_and_two_are_refused(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, f"first_{kind}", "thing = object()", f"x = first_{kind}:thing", kind=kind)
    assert entry(kind, "x").owner == f"first_{kind} 1.2"
    assert type(entry(kind, "x").load()) is object
    install(tmp_path, f"second_{kind}", "thing = object()", f"x = second_{kind}:thing", kind=kind)
    with pytest.raises(RefusedError, match=f"'x' is offered by first_{kind} 1.2 and second_"):
        entry(kind, "x")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(
        tmp_path,
        "with_extra",
        "import no_such_module",
        "acme = with_extra:Acme [object]",
        kind="stores",
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        WaivernError, match="'acme' needs the extra 'object' of with_extra"
    ) as raised:
        entry("stores", "acme").load()
    assert "pip install 'with_extra[object]'" in (raised.value.hint or "")


def test_metadata_is_read_only_for_a_lookup() -> None:
    code = "import sys, waivern.kinds; sys.exit('importlib.metadata' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def _requiring(folder: Path, service: str) -> Catalogue:
    (folder / "asking.py").write_text(
        GOOD.replace("    produces", f"    requires = ({service!r},)\n    produces", 1)
        + "\nconnector = Thing\n"
    )
    return Catalogue([folder], within=folder)


def test_a_missing_service_is_a_problem_of_the_plan(tmp_path: Path) -> None:
    catalogue = _requiring(tmp_path, "none-such")
    text = b"artifacts:\n  a:\n    source:\n      type: asking\n"
    runbook = parse(text, path="book.yaml", folder=tmp_path, environ={})
    with pytest.raises(InvalidError) as raised:
        plan_at_once(runbook, LocalResolver(NO_RESOLVER), {}, catalogue=catalogue)
    (problem,) = raised.value.problems
    assert problem.code == "WCT215"
    assert "requires the service 'none-such': no service 'none-such'" in problem.message
    assert problem.position is not None
    assert problem.position.line == 4


def test_an_installed_service_reaches_the_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "a_service", "class Llm: ...", "llm = a_service:Llm", kind="services")
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = _requiring(tmp_path / "a_service-1.2.dist-info", "llm")
    text = b"artifacts:\n  a:\n    source:\n      type: asking\n"
    runbook = parse(text, path="book.yaml", folder=tmp_path, environ={})
    plan_at_once(runbook, LocalResolver(NO_RESOLVER), {}, catalogue=catalogue)
    first = Context("a", tmp_path, service=lambda name: catalogue.load("services", name))
    second = Context("b", tmp_path, service=lambda name: catalogue.load("services", name))
    assert first.service("llm") is second.service("llm")
    with pytest.raises(ComponentError, match="'llm' is not available"):
        Context("a", tmp_path).service("llm")


def test_a_new_kind_is_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = Kind("notifiers", "notifier", {"name": "text", "notify": "method"}, "a protocol")
    monkeypatch.setitem(cast(dict[str, Kind], KINDS), "notifiers", row)
    code = "class Mail:\n    name = 'mail'\n    def notify(self, inputs): ...\nclass Odd: ..."
    install(
        tmp_path, "a_notifier", code, "mail = a_notifier:Mail\nodd = a_notifier:Odd", "notifiers"
    )
    monkeypatch.syspath_prepend(tmp_path)
    catalogue = Catalogue()
    assert catalogue.names("notifiers") == ["mail", "odd"]
    assert catalogue.load("notifiers", "mail").name == "mail"
    with pytest.raises(WaivernError, match=r"is not a notifier: 'name' is missing, 'notify' is"):
        catalogue.load("notifiers", "odd")
    with pytest.raises(NotFoundError) as raised:
        catalogue.load("connectors", "mail")
    assert "'mail' is a notifier" in (raised.value.hint or "")
