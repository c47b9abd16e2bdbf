"""The base of the options of the shipped exporters."""

from pydantic import BaseModel, ConfigDict


class ExportOptions(BaseModel):
    """Options of an exporter, of which there may be none."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
