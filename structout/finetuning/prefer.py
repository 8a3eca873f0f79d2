"""Where `prefer` used to be."""

from structout.finetuning.preferring import prefer

__all__ = ["prefer"]
