"""The language of runbooks: from positioned YAML to a frozen Runbook, or to all that is wrong."""
