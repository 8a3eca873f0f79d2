"""Text to values: JSON and YAML as models write them."""
