"""`wct graph`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from waivern.cli.ui.options import (
    examples,
    opened,
    params_options,
    store_option,
    supplied_params,
)
from waivern.cli.ui.screen import stderr, stdout
from waivern.errors import RefusedError

if TYPE_CHECKING:
    from waivern.pictures.artifact_graph import ArtifactGraph

FORMATS = ("text", "mermaid", "dot", "svg")
MOST_BOXES = 2_000
"""The boxes of a drawn picture; of a larger graph, only the languages of other programs are
written."""


class _Wanted(NamedTuple):
    """The reference with the options that concern it, as typed."""

    reference: str
    params: tuple[str, ...]
    params_file: str | None
    store: str | None


@click.command(
    "graph",
    short_help="Draw the graph of a runbook or a run.",
    help="""Draw the artifacts of a runbook or a run, and what each is produced from.

    RUNBOOK is a file, RUN names a run. The artifacts of a run have their outcome, in words and as
    a colour. Artifacts in equal positions, as those of a for_each, are drawn as one, with their
    number.

    Formats: text for a terminal; mermaid, for Markdown on GitHub and GitLab; dot, for Graphviz;
    svg, a picture for light and dark pages.
    """,
    epilog=examples(
        "wct graph analysis.yaml",
        "wct graph @last --format svg > run.svg",
    ),
)
@click.argument("reference", metavar="RUNBOOK|RUN")
@click.option(
    "--format",
    "drawing",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    metavar="FORMAT",
    help=f"Write {', '.join(FORMATS[:-1])} or {FORMATS[-1]}.",
)
@click.option(
    "--expand",
    metavar="ARTIFACT",
    multiple=True,
    help="Draw the artifacts that are folded with ARTIFACT one by one.  [default: none]",
)
@params_options
@store_option
def command(
    reference: str,
    drawing: str,
    expand: tuple[str, ...],
    params: tuple[str, ...],
    params_file: str | None,
    store: str | None,
) -> None:
    """Draw the graph of a runbook or a run."""
    graph = _graph(_Wanted(reference, params, params_file, store))
    _refuse_unknown(graph, expand)
    if not graph.nodes:
        stderr().print("the runbook has no artifacts")
        return
    _write(graph, drawing, expand)


def _graph(wanted: _Wanted) -> ArtifactGraph:
    """Return the graph of the runbook in a file, or that of a run."""
    from waivern.pictures.artifact_graph import graph_of_plan, graph_of_run

    if _is_runbook(wanted.reference):
        from waivern.cli.ui.output_redirect import stdout_is_stderr
        from waivern.runs.locate import find_project
        from waivern.runs.prepare import check

        where = opened(wanted.store, recorded=False)
        typed = wanted.params or wanted.params_file is not None
        values = supplied_params(wanted.params, wanted.params_file).bound if typed else None
        with stdout_is_stderr():
            plan = check(
                wanted.reference, where, os.environ, bind_params=values, project=find_project()
            )
        return graph_of_plan(plan)
    from waivern.runs import queries
    from waivern.runs.run_references import find

    if wanted.params or wanted.params_file is not None:
        raise click.UsageError("parameters belong to a runbook; a run has recorded its own")
    where = opened(wanted.store)
    return graph_of_run(queries.load(where, find(where, wanted.reference)))


def _is_runbook(reference: str) -> bool:
    """Return whether a reference is the path of a file, and does not name a run."""
    from waivern.language.loader import SUFFIXES

    return "@" not in reference and reference.endswith(tuple(SUFFIXES))


def _refuse_unknown(graph: ArtifactGraph, expand: tuple[str, ...]) -> None:
    from waivern.diagnostics import did_you_mean
    from waivern.errors import ArtifactNotFoundError

    for name in expand:
        if name not in graph.nodes:
            raise ArtifactNotFoundError(
                f"there is no artifact {name[:200]!r} in the graph",
                hint=did_you_mean(name, list(graph.nodes)) or "`wct graph` without --expand",
            )


def _write(graph: ArtifactGraph, form: str, expand: tuple[str, ...]) -> None:
    drawn = graph.drawn(expand)
    if form in ("mermaid", "dot"):
        from waivern.pictures import graph_markup

        sys.stdout.write(graph_markup.dot(drawn) if form == "dot" else graph_markup.mermaid(drawn))
        return
    if len(drawn.boxes) > MOST_BOXES:
        raise RefusedError(
            f"the graph has {len(drawn.boxes):,} boxes; at most {MOST_BOXES:,} are drawn",
            hint="`--format dot` writes it for Graphviz, which draws any size",
        )
    if form == "svg":
        from waivern.pictures.graph_svg import graph_svg_file

        sys.stdout.write(graph_svg_file(drawn))
        return
    from waivern.pictures.graph_text import Style, graph_text

    out = stdout()
    for line in graph_text(drawn, out.width if out.tty else None, Style(out.paint, out.unicode)):
        out.print(line)
