"""What verifying, selecting and drafting buy, and what they cost."""
