"""How each client asks each emulated provider for documents of 75 Pydantic types."""
