"""Coercion: fitting the spellings, types and nesting of a value to a schema."""
