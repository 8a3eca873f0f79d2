"""Search for the document in an answer."""
