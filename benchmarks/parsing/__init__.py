"""How much is recovered, how much of it is wrong, and how fast: `python -m benchmarks.parsing`."""
