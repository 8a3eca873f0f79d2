"""How we make it reliable: strategies that wrap one another."""

from structout.strategies.abstain import Abstain
from structout.strategies.base import Strategy
from structout.strategies.cascade import Cascade, On
from structout.strategies.expression import load_strategy, spec
from structout.strategies.generate import Constrained, Prompted
from structout.strategies.reask import Reask
from structout.strategies.repair import Repair

__all__ = [
    "Abstain",
    "Cascade",
    "Constrained",
    "On",
    "Prompted",
    "Reask",
    "Repair",
    "Strategy",
    "load_strategy",
    "spec",
]
