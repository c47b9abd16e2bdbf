"""How commands speak: text made safe, tables, documents, errors, progress."""
