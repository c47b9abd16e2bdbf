"""The store behind a server: the backend port over HTTP."""
