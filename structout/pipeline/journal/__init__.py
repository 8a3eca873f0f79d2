"""The journal of a run."""

from structout.pipeline.journal.journal import Journal, answers_of

__all__ = ["Journal", "answers_of"]
