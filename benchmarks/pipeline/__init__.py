"""The pipeline measured: see `python -m benchmarks.pipeline`."""
