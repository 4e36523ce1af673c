"""From what the user wrote to pixels: sources, listings, tables, formats, one file at a time."""
