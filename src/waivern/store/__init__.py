"""The shelf: where runs, their artifacts and their journals are kept."""
