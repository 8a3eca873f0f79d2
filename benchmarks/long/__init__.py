"""Long documents with known truth, and what `Windowed` makes of them."""
