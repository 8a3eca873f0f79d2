"""Run at scale."""

from structout.pipeline.extract import DEFAULT_STRATEGY, extract, extract_many, preview

__all__ = ["DEFAULT_STRATEGY", "extract", "extract_many", "preview"]
