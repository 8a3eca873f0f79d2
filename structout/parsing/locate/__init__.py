"""Where in an answer the document stands."""
