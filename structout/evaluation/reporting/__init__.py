"""The figures of an experiment as text, pages and pictures."""
