"""A processor that searches files for patterns: a search whose cost its properties decide.

The patterns of the default take some 25 ms for a megabyte on one core. With a single simple pattern
the search costs little, so that a source of 10 GB is searched in minutes, and everything but the
detection is as in a scan.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel

from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context
from waivern.plugins.inputs import Input, InputItem

PATTERNS = (r"@[\w.]+", r"\d{3,5}[- ]\d{3,8}")


def counts(text: str, patterns: Sequence[str] = PATTERNS) -> list[int]:
    """Return how often each pattern occurs in a text."""
    return [len(re.findall(pattern, text)) for pattern in patterns]


class Patterns:
    """Counts the occurrences of the patterns in each file."""

    name = "patterns"
    version = "1.0.0"
    accepts = (SchemaRef("file_set"),)
    produces = SchemaRef("json")
    repeatable = True
    reads_streams = True
    streams = "files"

    class Config(BaseModel, extra="forbid"):
        """The patterns, and whether searching for them computes enough for worker processes."""

        patterns: tuple[str, ...] = PATTERNS
        computes: bool = True

    def computes(self, properties: Mapping[str, Json]) -> bool:
        """Return whether the search is worth a process."""
        return bool(properties.get("computes", True))

    def process(self, inputs: Sequence[Input], config: Config, ctx: Context) -> Iterator[Json]:
        """Yield the path of each file and the counts of its patterns."""

        def counted(item: InputItem) -> list[Json]:  # of a file, which is read in parts
            found = [counts(part["text"], config.patterns) for part in item.read()]
            return [{"path": item.name, "counts": [sum(each) for each in zip(*found, strict=True)]}]

        for one in inputs:
            for records in ctx.each_item(one.items("files"), counted):
                ctx.read(of=one.key)
                yield from records


processor = Patterns
