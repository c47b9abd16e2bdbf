"""The templates of the pages: every text is escaped twice, for people and for HTML.

`clean` makes control characters and invisible ones visible, so that the text of a foreign run
cannot reverse or hide what surrounds it; then Jinja escapes what HTML would interpret. Both happen
to each value that a template writes, so that no template can forget one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, Response

from waivern.message import Json
from waivern.pictures.graph_svg import style
from waivern.record.status import UNKNOWN, How, Look, looks
from waivern.record.text_forms import clean, clip, counted, duration, short, size

FOLDER = Path(str(files(__package__ or __name__)))
ASSETS = {"page.css": "text/css", "page.js": "text/javascript"}
"""The files that a page loads, with their media types."""
LONGEST = 2000
"""The characters of a text that a page shows."""
_LOOKS = looks()


def page(template: str, code: int = 200, **values: object) -> Response:
    """Return the page of a template, with the code of the response."""
    return HTMLResponse(_environment().get_template(template).render(values), code)


def asset(name: str) -> bytes:
    """Return the bytes of a file that a page loads; the colours and graphs have shared styles."""
    data = (FOLDER / "assets" / name).read_bytes()
    return (style("palette") + style("graph")).encode() + data if name == "page.css" else data


@cache
def asset_url(name: str) -> str:
    """Return the path of an asset; it changes with the content, so that browsers may retain it."""
    return f"/assets/{hashlib.sha256(asset(name)).hexdigest()[:12]}/{name}"


def run_url(run_id: str, *more: str, **query: Json) -> Markup:
    """Return the path of a run's page, or of one below it."""
    return page_url("/".join(("/runs", run_id, *more)), query)


def page_url(path: str, query: Mapping[str, Json]) -> Markup:
    """Return a path with those parameters that have a value; a list has several."""
    typed = {name: value for name, value in query.items() if value not in (None, "", [])}
    quoted = quote(path, safe="/")
    return Markup(escape(f"{quoted}?{urlencode(typed, doseq=True)}" if typed else quoted))  # noqa: S704 - escaped here


def utc(at: str | None) -> str:
    """Return a time for people; a text that is no time as it is."""
    text = at or ""
    if len(text) >= 20 and text[10] == "T" and text.endswith("Z"):
        return f"{text[:10]} {text[11:19]} UTC"
    return text


def look(status: str) -> Look:
    """Return the appearance of a status."""
    return _LOOKS.get(status, UNKNOWN)


def word(status: str) -> str:
    """Return a status in words."""
    return How(status).label if status in set(How) else status.replace("_", " ")


def component_name(component: str | None) -> str:
    """Return the type of a component without its kind."""
    return (component or "").partition(":")[2] or (component or "")


def _finalize(value: object) -> object:
    return value if isinstance(value, Markup) else clip(clean(str(value)), LONGEST)


def json_lines(value: Json) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        counted=counted,
        duration=duration,
        short=short,
        size=size,
        utc=utc,
        word=word,
        component=component_name,
        number=lambda value: f"{value:,}",
        json=json_lines,
    )
    environment.globals.update(
        asset_url=asset_url,
        run_url=run_url,
        page_url=page_url,
        look=look,
    )
    return environment
