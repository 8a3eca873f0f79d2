"""Do the promises hold? `python -m benchmarks.trust` tries to break them, one module a promise."""
