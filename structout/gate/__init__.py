"""A gate for documents from any producer."""
