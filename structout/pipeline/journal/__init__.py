"""The journal of a run."""

from structout.pipeline.journal.answers import answers_of
from structout.pipeline.journal.journal import Journal
from structout.pipeline.journal.ledger import settle

__all__ = ["Journal", "answers_of", "settle"]
