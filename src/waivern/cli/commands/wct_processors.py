"""`wct processors`."""

from __future__ import annotations

from waivern.cli.ui.component_list import components_command

command = components_command(
    "processors", "List the components that produce artifacts from others."
)
