"""`wct connectors`."""

from __future__ import annotations

from waivern.cli.ui.components import components_command

command = components_command("connectors", "What can produce an artifact from outside.")
