"""The command line: one file a command, and `ui` for how things look."""
