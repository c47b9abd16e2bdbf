"""YAML text as a tree of plain values whose positions are known."""
