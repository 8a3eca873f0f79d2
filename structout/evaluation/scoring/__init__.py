"""Comparison of documents with expected documents, and their scores."""
