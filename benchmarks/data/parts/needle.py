"""A processor that searches files for a fixed pattern: a search that costs little per byte.

With it a source of 10 GB is searched in minutes. Everything but the detection is as in a scan.
"""

import re
from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input, InputItem

ADDRESS = re.compile(r"@[\w.]+")


class Needle:
    """Counts the e-mail addresses of each file."""

    name = "needle"
    version = "1.0.0"
    accepts = (SchemaRef("file_set"),)
    produces = SchemaRef("json")
    repeatable = True
    reads_streams = True
    streams = "files"

    class Config(BaseModel, extra="forbid"):
        """No properties."""

    def process(self, inputs: Sequence[Input], config: Config, ctx: Context) -> Iterator[Json]:  # noqa: ARG002
        """Yield the path of each file and the number of addresses in it."""
        for one in inputs:
            for records in ctx.each_item(one.items("files"), counted):
                ctx.read(of=one.key)
                yield from records


def counted(item: InputItem) -> list[Json]:
    """Return one record: how often the pattern occurs in the parts of a file."""
    found = sum(len(ADDRESS.findall(part["text"])) for part in item.read())
    return [{"path": item.name, "addresses": found}]


processor = Needle
