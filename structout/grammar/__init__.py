"""Schema to token masks: what may come next, what must, and what the mask cannot promise."""

from structout.grammar.audit import Audit, audit
from structout.grammar.compile import Grammar, Level, compile  # noqa: A004
from structout.grammar.matcher import Matcher
from structout.grammar.vocabulary import Vocabulary

__all__ = ["Audit", "Grammar", "Level", "Matcher", "Vocabulary", "audit", "compile"]
