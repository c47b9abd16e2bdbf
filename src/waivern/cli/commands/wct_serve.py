"""`wct serve`."""

from __future__ import annotations

import sys

import click

from waivern.cli.ui.options import TRUST, examples, opened, store_option
from waivern.cli.ui.screen import stderr, stdout
from waivern.cli.ui.user import user_name
from waivern.errors import RefusedError


@click.command(
    "serve",
    short_help="Serve the runs over HTTP, with an API and pages.",
    help="""Serve the runs of the store over HTTP until Ctrl-C: a JSON API, and pages for a browser.

    Programs on this computer only can reach it, unless --host says otherwise; a token is then
    required. The first line of stdout is the address.

    A line of the token file is a token of at least 16 characters, or a name and a token: the name
    is recorded with the decisions of its holder.
    """,
    epilog=examples("wct serve", "wct serve --port 8080 --token-file tokens"),
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Listen on ADDRESS."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="N",
    help="Listen on port N.  [default: 0, a free one]",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="Accept requests that are addressed to HOST, too.",
)
@click.option(
    "--token-file", metavar="FILE", help="Require a token of FILE.  [default: none is required]"
)
@click.option("--read-only", is_flag=True, help="Refuse all requests that change something.")
@click.option(
    "--runbooks",
    "runbook_folder",
    metavar="DIR",
    help="Allow runbooks below DIR to be started.  [default: none]",
)
@store_option
def command(
    host: str,
    port: int,
    names: tuple[str, ...],
    token_file: str | None,
    read_only: bool,
    runbook_folder: str | None,
    store: str | None,
) -> int:
    """Serve the runs over HTTP."""
    from waivern.server.extra import require_extra

    require_extra()
    from waivern.server.connection_protocol import can_name_users
    from waivern.server.listening import serve
    from waivern.server.server_options import ServerOptions
    from waivern.server.token_file import read_tokens

    options = ServerOptions(
        host,
        read_tokens(token_file) if token_file else (),
        read_only,
        runbook_folder,
        names,
        bool(click.get_current_context().meta.get(TRUST)),
        user_name(),
    )
    if not options.is_local and not options.tokens:
        raise RefusedError(
            f"other computers can reach {host}: a token is required",
            hint="add --token-file FILE, or listen on 127.0.0.1 only",
        )
    where = opened(store)

    def started(address: str) -> None:
        stdout().print(address)
        sys.stdout.flush()
        if not options.tokens and not can_name_users():
            stderr().print("warning: other users of this computer can use the server")
            stderr().print("  = help: require a token with --token-file")
        if options.tokens:
            stderr().print("a token is required: each request needs one of those in the token file")

    serve(where, options, port, started)
    return 0
