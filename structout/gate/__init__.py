"""A gate for documents that others produced."""
