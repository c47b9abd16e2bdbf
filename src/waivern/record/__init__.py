"""A run's memory: events, and the pure folds over them. Nothing here reads a clock or a disk."""
