"""Names and postal addresses of people, found by structure: no model, no network.

`names` decides which words have the form of a name, `name_fields` which fields hold one. `persons`
and `addresses` find them in a text, `name_columns` in the columns of a table.
"""
