"""Run at scale."""

from structout.pipeline.extraction import DEFAULT_STRATEGY, extract, extract_many, preview

__all__ = ["DEFAULT_STRATEGY", "extract", "extract_many", "preview"]
