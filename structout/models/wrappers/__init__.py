"""Models that stand before another model."""
