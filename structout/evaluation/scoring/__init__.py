"""Whether a document is right, and what follows for a strategy."""
