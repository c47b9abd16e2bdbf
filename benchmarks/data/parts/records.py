"""A connector whose records are written while they are produced."""

import json
from collections.abc import Iterator

from pydantic import BaseModel

from waivern.message import Json, SchemaRef
from waivern.plugins.context import Context

TEXT = "a record of some length that is like the others " * 4


class Records:
    """Numbered records of about 250 bytes, until they have `size` bytes."""

    name = "records"
    version = "1.0.0"
    produces = SchemaRef("json")

    class Config(BaseModel, extra="forbid"):
        """The properties of the records."""

        size: int

    def extract(self, config: Config, ctx: Context) -> Iterator[Json]:  # noqa: ARG002
        """Yield the records."""
        number, left = 0, config.size
        while left > 0:
            record = {"number": number, "text": TEXT, "half": number / 2}
            left -= len(json.dumps(record))
            number += 1
            yield record


connector = Records
