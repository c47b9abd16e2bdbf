"""The drawing room: a runbook becomes an immutable plan, or a list of all that is wrong."""
