"""The output of commands: safe text, tables, documents, errors and progress."""
