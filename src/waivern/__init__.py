"""Artifact-centric orchestration whose run folders cannot lie."""

__version__ = "0.1.0"
