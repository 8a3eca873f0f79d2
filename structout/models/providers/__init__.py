"""Models of hosted providers, asked through pydantic-ai."""
