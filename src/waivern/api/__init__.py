"""The Python API: the verbs of `wct` as functions."""
