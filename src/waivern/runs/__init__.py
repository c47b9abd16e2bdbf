"""The use cases, each short: `act` changes runs, `read` only looks."""
