"""Whether a strategy asks the model that it is given, or models of its own alone."""

from typing import Any

from structout.strategies.cascade import Cascade, On
from structout.strategies.continued import Continued
from structout.strategies.ensemble import Ensemble
from structout.strategies.missed import Missed
from structout.strategies.parts import models_of
from structout.strategies.reask import Reask
from structout.strategies.repair import Repair
from structout.strategies.verify import Verify
from structout.strategies.windowed import Windowed
from structout.verifiers import AllOf, AnyOf, Confident, Grounded, Learned, Rule


def asks_given(part: Any) -> bool:
    """Whether a strategy or a verifier may ask the model that it is given: an `On` asks its own model in its place."""
    if isinstance(part, On | Confident | Grounded | Learned | Rule):
        return False
    if isinstance(part, Verify):
        return asks_given(part.inner) or asks_given(part.verifier)
    if isinstance(part, Continued | Missed | Reask | Repair | Windowed):
        return asks_given(part.inner)
    if isinstance(part, Cascade | Ensemble):
        return any(map(asks_given, part.stages if isinstance(part, Cascade) else part.members))
    return any(map(asks_given, part.verifiers)) if isinstance(part, AllOf | AnyOf) else True


def priced_models(strategy: Any, given: str) -> list[str]:
    """The names of the models that a price without a name is for: the `given` one, or, if a strategy does not ask it,
    the models that the strategy names.
    """
    return [given] if asks_given(strategy) else list(dict.fromkeys(one.name for one in models_of(strategy)))
