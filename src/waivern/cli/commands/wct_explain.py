"""`wct explain`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option
from waivern.cli.ui.screen import Screen, stdout
from waivern.errors import Exit, NotFoundError

if TYPE_CHECKING:
    from waivern.cli.ui.problem_explanations import ProblemExplanation


@click.command(
    "explain",
    short_help="Explain a code of a problem, or an exit code.",
    epilog=examples("wct explain WCT103", "wct explain 7", "wct explain"),
)
@click.argument("code", required=False)
@json_option
def command(code: str | None, as_json: bool) -> int:
    """Explain CODE: what it means, an example, and what to do.

    CODE is that of a problem, such as WCT103, or an exit code, such as 7. Without it, all codes are
    listed.

    To a pipe, a line of the list has these fields, separated by tabs: code, title.
    """
    from waivern.cli.ui.problem_explanations import EXPLANATIONS

    titles = {name: each.title for name, each in EXPLANATIONS.items()}
    titles |= {str(int(each)): each.meaning for each in Exit}
    if code is None:
        _list(titles, as_json)
        return Exit.OK
    wanted = code.strip().upper()
    if (found := EXPLANATIONS.get(wanted)) is not None:
        _problem(wanted, found, as_json)
    elif wanted in titles:
        _exit(Exit(int(wanted)), as_json)
    else:
        from waivern.diagnostics import did_you_mean, shown

        hint = did_you_mean(wanted, titles) or "`wct explain` lists all codes"
        raise NotFoundError(f"there is no code {shown(code)}", hint=hint)
    return Exit.OK


def _list(titles: dict[str, str], as_json: bool) -> None:
    if as_json:
        print_document("codes", [{"code": code, "title": text} for code, text in titles.items()])
        return
    out = stdout()
    for code, text in titles.items():
        out.print(f"{out.paint(code.ljust(6), 'bold')}  {text}" if out.tty else f"{code}\t{text}")


def _problem(code: str, found: ProblemExplanation, as_json: bool) -> None:
    if as_json:
        print_document("explain", {"code": code, **found._asdict()})
        return
    out = stdout()
    out.print(f"{out.paint(code, 'bold')}: {found.title}")
    _paragraph(out, found.meaning)
    if found.wrong:
        _example(out, "This has the problem:", found.wrong)
    _paragraph(out, found.remedy)
    if found.wrong and found.right:
        _example(out, "This has not:", found.right)


def _exit(code: Exit, as_json: bool) -> None:
    if as_json:
        document = {"code": str(int(code)), "title": code.meaning, "remedy": code.next_step}
        print_document("explain", document)
        return
    out = stdout()
    out.print(f"{out.paint(f'exit {int(code)}', 'bold')}: {code.meaning}")
    if code.next_step:
        _paragraph(out, f"Next: {code.next_step}.")


def _paragraph(out: Screen, text: str) -> None:
    out.print()
    for line in textwrap.wrap(text, max(20, min(out.width or 80, 100) - 2), break_on_hyphens=False):
        out.print(line)


def _example(out: Screen, title: str, text: str) -> None:
    out.print()
    out.print(title)
    out.print()
    for line in text.rstrip().splitlines():
        out.print(f"    {line}")
