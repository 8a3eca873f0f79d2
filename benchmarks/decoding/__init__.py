"""How fast is constrained decoding, against plain generation and against its peers: `python -m benchmarks.decoding`."""
