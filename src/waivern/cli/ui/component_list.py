"""The listing of the entries of a kind: `wct connectors`, `wct processors`."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

import click

from waivern.cli.ui.columns import Column, Records
from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import examples, json_option
from waivern.cli.ui.screen import Screen, stderr, stdout
from waivern.errors import Exit, WaivernError
from waivern.kinds import KINDS
from waivern.message import Json
from waivern.record.text_forms import clean

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue
    from waivern.plugins.component import Component


class ComponentProperty(NamedTuple):
    """One property that a runbook may set."""

    name: str
    type: str
    default: str | None
    """As Python shows it; None if the property is required."""
    description: str


PROPERTIES = Records[ComponentProperty](
    Column("name", lambda each: each.name, "NAME"),
    Column("type", lambda each: each.type, "TYPE"),
    Column("required", lambda each: each.default is None, piped=False),
    Column("default", lambda each: each.default, "DEFAULT"),
    Column("description", lambda each: each.description, "DESCRIPTION", flexible=True, whole=True),
)


class ListedComponent(NamedTuple):
    """An installed component, or the outline of one in a folder of the project.

    The project's own files are imported only if a component is named.
    """

    kind: str
    name: str
    version: str
    description: str
    component: Component | None = None
    file: str | None = None

    @property
    def properties(self) -> list[ComponentProperty] | None:
        """The properties in declared order; None for an outline."""
        return None if self.component is None else properties(self.component)

    @property
    def accepts(self) -> list[Json] | None:
        """The schemas of the inputs, if the component declares them."""
        return [str(schema) for schema in getattr(self.component, "accepts", None) or ()] or None

    @property
    def produces(self) -> str | None:
        """The schema of the result, if the component declares it."""
        schema = getattr(self.component, "produces", None)
        return str(schema) if schema else None


def _properties(each: ListedComponent) -> Json:
    found = each.properties
    return None if found is None else list(PROPERTIES.documents(found))


COMPONENTS = Records[ListedComponent](
    Column("kind", lambda each: each.kind, piped=False),
    Column("name", lambda each: each.name, "NAME"),
    Column("version", lambda each: each.version, "VERSION"),
    Column("description", lambda each: each.description, "DESCRIPTION", flexible=True, whole=True),
    Column("accepts", lambda each: each.accepts, piped=False),
    Column("produces", lambda each: each.produces, piped=False),
    Column("properties", _properties, piped=False),
    Column("file", lambda each: each.file, piped=False),
)


_EXAMPLES = {"connectors": "filesystem", "processors": "personal_data", "exporters": "csv"}


def command(kind: str) -> click.Command:
    """Return the command that lists the entries of a kind."""
    title = KINDS[kind].listing

    @click.command(
        kind,
        short_help=title,
        help=f"""{title}

        {COMPONENTS.pipe_help} With NAME: {PROPERTIES.names}; an empty default
        means that the property is required.
        """,
        epilog=examples(f"wct {kind}", f"wct {kind} {_EXAMPLES[kind]}"),
    )
    @click.argument("name", required=False)
    @click.option("-v", "--verbose", is_flag=True, help="Also show the properties.")
    @json_option
    def listing(name: str | None, verbose: bool, as_json: bool) -> int:
        return _show(kind, name, verbose, as_json)

    return listing


def _show(kind: str, name: str | None, verbose: bool, as_json: bool) -> int:
    from waivern.cli.ui.output_redirect import stdout_is_stderr
    from waivern.runs.locate import find_project
    from waivern.runs.prepare import catalogue_of

    catalogue, faults = catalogue_of(find_project()), dict[str, WaivernError]()
    with stdout_is_stderr():
        if name:  # a component that cannot be loaded is an error if it is named
            listed = [_listed(kind, name, catalogue.load(kind, name))]
        else:
            listed, faults = _all(catalogue, kind)
    out = stdout()
    if as_json:
        print_document("components", COMPONENTS.documents(listed))
    elif name and not out.tty:
        PROPERTIES.lines(out, listed[0].properties or ())
    elif out.tty and (verbose or name):
        _show_whole(out, listed)
    else:
        COMPONENTS.show(out, listed)
    for error in faults.values():
        err = stderr()
        err.print(f"{err.paint('warning:', 'yellow')} {clean(error.message)}")
        err.print(f"  = help: {clean(error.hint or 'reinstall it')}")
    return Exit.OK


def _listed(kind: str, name: str, component: Component) -> ListedComponent:
    return ListedComponent(
        KINDS[kind].singular, name, component.version, description(component), component
    )


def _all(catalogue: Catalogue, kind: str) -> tuple[list[ListedComponent], dict[str, WaivernError]]:
    """Return the components of a kind by name, and why others cannot be used."""
    outlines = catalogue.outlines(kind)
    listed: list[ListedComponent] = []
    faults: dict[str, WaivernError] = {}
    for name in sorted(catalogue.installed(kind) | outlines.keys()):
        try:
            catalogue.owner(kind, name)
            if name in outlines:
                version, text, file = outlines[name]
                listed.append(ListedComponent(KINDS[kind].singular, name, version, text, file=file))
            else:
                listed.append(_listed(kind, name, catalogue.load(kind, name)))
        except WaivernError as error:
            faults[name] = error
    return listed, faults


def _show_whole(out: Screen, listed: Sequence[ListedComponent]) -> None:
    """Write each component with its properties."""
    for number, each in enumerate(listed):
        if number:
            out.print()
        head = f"{clean(each.version)}  {clean(each.description)}"
        out.print(f"{out.paint(each.name, 'bold')} {head}")
        if each.component is None:
            out.print("  in a folder of this project: name it to see its properties")
        for one in each.properties or ():
            default = "required" if one.default is None else f"default {one.default}"
            out.print(f"  {out.paint(one.name, 'cyan')}  {one.type}, {default}")
            for line in textwrap.wrap(one.description, max(20, out.width - 6)):
                out.print(f"      {line}")


def description(component: Component) -> str:
    """Return the first line of a component's docstring."""
    return clean((inspect.getdoc(type(component)) or "").partition("\n")[0])


def properties(component: Component) -> list[ComponentProperty]:
    """Return the properties of a component, in declared order."""
    return [
        ComponentProperty(
            clean(field.alias or name),
            clean(_type(field.annotation)),
            None
            if field.is_required()
            else clean(repr(field.get_default(call_default_factory=True))),
            clean(" ".join((field.description or "").split())),
        )
        for name, field in component.Config.model_fields.items()
    ]


def _type(annotation: Any) -> str:
    """Return a type as one writes it, without the constraints of a validator."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(args[0])
    if origin in (Union, UnionType):
        return " | ".join(map(_type, args))
    if origin is Literal:
        return " | ".join(map(repr, args))
    if origin is tuple and args[-1:] == (...,):
        return f"list[{_type(args[0])}]"
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_type, args))}]"
    if getattr(annotation, "__name__", "") == "ByteSize":  # pydantic's
        return "size"
    return "None" if annotation is NoneType else getattr(annotation, "__name__", str(annotation))
