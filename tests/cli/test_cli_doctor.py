"""`wct doctor`: what it finds wrong, with the remedy, and the exit code of the first fault."""

from __future__ import annotations

import json
import socket
from typing import Any

from wct_process import WCT, Done, Place, Wct


def checks(done: Done) -> dict[str, dict[str, Any]]:
    assert json.loads(done.out)["schema"] == "wct.doctor/1"
    return {each["check"]: each for each in json.loads(done.out)["data"]}


def test_a_sound_machine_has_no_fault_and_nothing_is_left_behind(place: Place, wct: Wct) -> None:
    before = sorted(each.name for each in place.path.iterdir())
    done = wct("doctor", "--json")
    assert done.code == 0
    found = checks(done)
    names = {"python", "waivern", "store", "locks", "durable writes", "space", "clock", "encoding"}
    assert names <= found.keys()
    assert found["locks"]["found"] == "a second process is kept out"
    assert [each for each in found.values() if each["verdict"] == "fault"] == []
    assert sorted(each.name for each in place.path.iterdir()) == before


def test_a_line_for_each_check_to_a_pipe(place: Place, wct: Wct) -> None:
    rows = wct("doctor").rows
    assert {row[0] for row in rows} <= {"ok", "warning"}
    assert all(len(row) == 4 for row in rows)


def test_a_component_that_cannot_be_loaded_is_named(place: Place, wct: Wct) -> None:
    home = place.path / "acme-1.0.dist-info"
    home.mkdir()
    (home / "METADATA").write_text("Name: acme\nVersion: 1.0\n")
    (home / "entry_points.txt").write_text("[waivern.connectors]\nbroken = acme_missing:Thing\n")
    done = place.quick("doctor", "--json", PYTHONPATH=str(place.path))
    broken = checks(done)["component"]
    assert broken["verdict"] == "warning"
    assert "acme" in broken["found"]
    assert broken["remedy"]
    assert done.code == 0


def test_a_wrong_project_file_is_a_fault(place: Place, wct: Wct) -> None:
    (place.path / "waivern.yaml").write_text("nonsense: 1\n")
    done = wct("doctor", "--json")
    assert done.code == 3
    assert checks(done)["project"]["verdict"] == "fault"


def test_a_store_that_cannot_be_reached_is_a_fault(place: Place, wct: Wct) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    done = wct("doctor", "--json", "--store", f"http://127.0.0.1:{port}")
    assert done.code == 74
    assert checks(done)["store"]["remedy"]


def test_a_folder_that_cannot_be_written_is_a_fault(place: Place) -> None:
    (place.path / "shut").mkdir(mode=0o500)
    done = place.held_back("doctor", "--json", "--store", "shut/.waivern")
    assert done.code == 74
    assert "cannot be written" in checks(done)["permissions"]["found"]


def test_limits_of_the_environment_are_warnings(place: Place) -> None:
    command = ["bash", "-c", f"ulimit -n 512 && exec {WCT} doctor --json"]
    found = checks(place.ended(place.launch(command, PYTHONIOENCODING="ascii")))
    for check, text in (("open files", "at most 512"), ("encoding", "replaced by ASCII")):
        assert found[check]["verdict"] == "warning"
        assert text in found[check]["found"]
