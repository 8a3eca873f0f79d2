"""The local token loop."""
