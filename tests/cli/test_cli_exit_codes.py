"""The table of exit codes: its precedence, and the help text that comes from it."""

from __future__ import annotations

import itertools

from waivern.cli.wct import wct
from waivern.errors import Exit, worst

ORDER = (9, 74, 130, 8, 1, 6, 7, 0)


def test_the_graver_code_is_reported() -> None:
    for grave, light in itertools.combinations(ORDER, 2):
        assert worst(light, grave) == worst(grave, light) == grave
    assert {worst(code, Exit.TIMEOUT) for code in (129, 130, 143, 137)} == {129, 130, 143, 137}
    assert [worst(Exit.OK, code) for code in Exit] == list(Exit)


def test_the_help_lists_every_code() -> None:
    for code in Exit:
        assert f"{code}  {code.meaning}" in (wct.epilog or "")
