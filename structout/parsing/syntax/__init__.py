"""Tolerant readers for JSON and YAML as models write them."""
