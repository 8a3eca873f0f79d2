"""Strategies that turn tasks into results and wrap one another."""

from structout.strategies.base import Strategy
from structout.strategies.cascade import Cascade, On
from structout.strategies.continued import Continued
from structout.strategies.draft import Draft, Think
from structout.strategies.ensemble import Ensemble
from structout.strategies.expression import instructed, load_strategy, spec, strategy_of
from structout.strategies.first_prompt import preview
from structout.strategies.generate import Constrained, Prompted
from structout.strategies.missed import Missed
from structout.strategies.parts import with_models
from structout.strategies.reask import Reask
from structout.strategies.repair import Repair
from structout.strategies.select import BestOf, Vote
from structout.strategies.verify import Verify
from structout.strategies.windowed import Windowed

__all__ = [
    "BestOf", "Cascade", "Constrained", "Continued", "Draft", "Ensemble", "Missed", "On", "Prompted", "Reask", "Repair",
    "Strategy", "Think", "Verify", "Vote", "Windowed", "instructed", "load_strategy", "preview", "spec", "strategy_of",
    "with_models",
]  # fmt: skip
