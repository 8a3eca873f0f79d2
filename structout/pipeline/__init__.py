"""Extraction at scale."""

from structout.pipeline.extraction import extract, extract_many

__all__ = ["extract", "extract_many"]
