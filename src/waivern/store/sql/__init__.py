"""Stores in a database: the backend port over two tables, for SQLite and PostgreSQL."""
