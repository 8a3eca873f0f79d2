"""Rows, records and documents in files, tables and queries."""
