"""The listing of the entries of a kind: `wct connectors`, `wct processors`."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

import click

from waivern.cli.ui.json_output import print_document
from waivern.cli.ui.options import json_option
from waivern.cli.ui.screen import Screen, stderr, stdout, tab_separated, table
from waivern.cli.ui.text import clean
from waivern.errors import Exit, WaivernError
from waivern.kinds import KINDS
from waivern.message import Json

if TYPE_CHECKING:
    from waivern.plugins.catalogue import Catalogue
    from waivern.plugins.component import Component
    from waivern.plugins.component_folders import ComponentOutline


@dataclass(frozen=True, slots=True)
class ComponentProperty:
    """One property that a runbook may give a component."""

    name: str
    type: str
    default: str | None
    """As JSON, or as Python shows it; None if the property is required."""
    description: str

    def document(self) -> dict[str, Json]:
        required = self.default is None
        return {
            "name": self.name,
            "type": self.type,
            "required": required,
            "default": self.default,
            "description": self.description,
        }


def command(kind: str) -> click.Command:
    """Return the command that lists the entries of a kind."""

    @click.command(
        kind,
        help=f"{KINDS[kind].listing}\n\nTo a pipe, a line is: name, version, description; with"
        " NAME: property, type, default (empty if it is required), description; between tabs.",
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

    catalogue = catalogue_of(find_project())
    if name:
        with stdout_is_stderr():
            found = {name: catalogue.load(kind, name)}  # a broken one is an error if it is named
        faults: dict[str, WaivernError] = {}
        outlines: dict[str, ComponentOutline] = {}
    else:
        outlines = catalogue.outlines(kind)
        with stdout_is_stderr():
            found, faults = _loaded(catalogue, kind, outlines)
        outlines = {each: outlines[each] for each in outlines if each not in faults}
    out = stdout()
    if as_json:
        documents = [_document(kind, component) for component in found.values()]
        documents += [_outlined(kind, name, each) for name, each in outlines.items()]
        print_document("components", documents)
    elif name and not out.tty:
        tab_separated(out, [_fields(each) for each in properties(found[name])])
    elif out.tty:
        _for_people(out, found, outlines, whole=verbose or name is not None)
    else:
        rows = [(n, clean(c.version), description(c)) for n, c in found.items()]
        rows += [(n, clean(o.version), clean(o.description)) for n, o in outlines.items()]
        tab_separated(out, sorted(rows))
    for error in faults.values():
        err = stderr()
        err.print(f"{err.paint('warning:', 'yellow')} {clean(error.message)}")
        err.print(f"  = help: {clean(error.hint or 'reinstall it')}")
    return Exit.OK


def _loaded(
    catalogue: Catalogue,
    kind: str,
    outlines: Mapping[str, ComponentOutline],
) -> tuple[dict[str, Component], dict[str, WaivernError]]:
    found: dict[str, Component] = {}
    faults: dict[str, WaivernError] = {}
    for each in sorted(catalogue.installed(kind) | outlines.keys()):
        try:
            catalogue.owner(kind, each)
            if each not in outlines:  # the project's own files are run only if they are named
                found[each] = catalogue.load(kind, each)
        except WaivernError as error:
            faults[each] = error
    return found, faults


def _for_people(
    out: Screen,
    found: dict[str, Component],
    outlines: Mapping[str, ComponentOutline],
    *,
    whole: bool,
) -> None:
    own = [[n, clean(o.version), clean(o.description)] for n, o in outlines.items()]
    if not whole:
        rows = [[n, clean(c.version), description(c)] for n, c in found.items()]
        table(out, ("NAME", "VERSION", "DESCRIPTION"), sorted(rows + own), flex=2)
        return
    for number, (name, component) in enumerate(found.items()):
        if number:
            out.print()
        out.print(f"{out.paint(name, 'bold')} {clean(component.version)}  {description(component)}")
        for each in properties(component):
            default = "required" if each.default is None else f"default {each.default}"
            out.print(f"  {out.paint(each.name, 'cyan')}  {each.type}, {default}")
            if each.description:
                out.print(f"      {each.description}")
    for own_name, version, text in own:  # their files are run only if they are named
        out.print()
        out.print(f"{out.paint(own_name, 'bold')} {version}  {text}")
        out.print("  in a folder of this project: name it to see its properties")


def description(component: Component) -> str:
    """Return the first line of what a component says of itself."""
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
    """Return a type as one writes it, without what only a validator understands."""
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


def _fields(each: ComponentProperty) -> list[str]:
    return [each.name, each.type, each.default or "", each.description]


def _outlined(kind: str, name: str, outline: ComponentOutline) -> dict[str, Json]:
    return {
        "kind": KINDS[kind].singular,
        "name": name,
        "version": outline.version,
        "description": outline.description,
        "accepts": None,
        "produces": None,
        "properties": None,
        "file": outline.path,
    }


def _document(kind: str, component: Component) -> dict[str, Json]:
    accepts = getattr(component, "accepts", None)
    return {
        "kind": KINDS[kind].singular,
        "name": component.name,
        "version": component.version,
        "description": description(component),
        "accepts": [str(schema) for schema in accepts] if accepts else None,
        "produces": str(produces) if (produces := getattr(component, "produces", None)) else None,
        "properties": [each.document() for each in properties(component)],
    }
