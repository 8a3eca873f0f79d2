"""What fine-tuning does for the small model: before and after, preferences on top, and what more labels buy."""
