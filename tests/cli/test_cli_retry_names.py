"""`retry.on`: names that can never come are refused, the others match as the page says."""

from __future__ import annotations

import pytest
from wct_process import Place, Wct

ERRORS = """
import os
from waivern.errors import ComponentError

class OwnError(ConnectionResetError):
    pass

def fail(name):
    with open("tries", "a") as out:
        out.write("x")
    raise {"own": OwnError, "component": ComponentError}[name]("no")
"""


def _book(place: Place, on: str, name: str = "own") -> str:
    (place.path / "e.py").write_text(ERRORS)
    return place.runbook(
        "b.yaml",
        "  a:\n"
        f'    source: {{type: python, properties: {{call: "e.py:fail", args: {{name: {name}}}}}}}\n'
        f"    retry:\n      max: 1\n      delay: 0.001\n      on: {on}\n",
    )


@pytest.mark.parametrize(
    ("on", "said", "hint", "at"),
    [
        ("TimeoutErrr", "names no error that is known", "did you mean 'TimeoutError'?", 11),
        ("[OSError, ConectionErorr]", "names no error", "'ConnectionError'", 21),
        ("ComponentErr", "names no error that is known", "'ComponentError'", 11),
        ("Timeout", "names no error that is known", "did you mean 'timeout'?", 11),
        ("waivern.errors.ComponentEror", "names no error of waivern.errors", "ComponentError", 11),
        ("KeyboardInterrupt", "an interruption is never tried again", "leave it out", 11),
        ("waivern.errors.StoreError", "the store is never tried again", "leave it out", 11),
        ("connection refused", "is not the name of a class", "such as ConnectionError", 11),
    ],
)
def test_a_name_that_never_comes_is_refused(
    place: Place, on: str, said: str, hint: str, at: int, wct: Wct
) -> None:
    done = wct("validate", _book(place, on))
    assert done.code == 3
    assert said in done.err
    assert hint in done.err
    assert f"b.yaml:8:{at}" in done.err


@pytest.mark.parametrize(
    ("on", "name", "tries"),
    [
        ("OSError", "own", 2),
        ("[ValueError, ConnectionError]", "own", 2),
        ("OwnError", "own", 2),
        ("builtins.ConnectionResetError", "own", 2),
        ("ValueError", "own", 1),
        ("elsewhere.OwnError", "own", 1),
        ("ComponentError", "component", 2),
        ("waivern.ComponentError", "component", 2),
        ("WaivernError", "component", 2),
    ],
)
def test_a_name_stands_for_what_derives_from_it(
    place: Place, on: str, name: str, tries: int, wct: Wct
) -> None:
    assert wct("run", _book(place, on, name), "-q").code == 1
    assert (place.path / "tries").read_text() == "x" * tries


@pytest.mark.parametrize(("on", "warned"), [("[OSError, Unheard]", 1), ("e.OwnError", 0)])
def test_a_name_that_no_known_error_has_is_a_warning(
    place: Place, on: str, warned: int, wct: Wct
) -> None:
    done = wct("validate", _book(place, on))
    assert done.code == 0
    assert done.err.count("no known error is called 'Unheard'") == warned
    assert done.err.count("mymodule.Unheard") == warned
