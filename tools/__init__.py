"""What makes the documentation: the reference pages, the pictures, and the texts for language models."""
