"""Grammars: schemas compiled to token masks, matchers over the masks, and audits of what a mask enforces."""

from structout.grammar.audit import Audit, audit
from structout.grammar.compile import Grammar, Level, compile  # noqa: A004
from structout.grammar.matcher import Matcher
from structout.grammar.vocabulary import Vocabulary

__all__ = ["Audit", "Grammar", "Level", "Matcher", "Vocabulary", "audit", "compile"]
