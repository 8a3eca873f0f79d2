"""A value fitted to a schema: spellings, types and nestings."""
