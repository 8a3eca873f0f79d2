"""Rows and records in files, tables and queries."""
