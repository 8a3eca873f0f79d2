"""A job as names, to send to another machine that loads it there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from structout import defaults
from structout.completion import Sampling
from structout.models import LazyModel, load_model
from structout.pipeline.job import Job
from structout.prices import Prices
from structout.result import Example
from structout.schema import Schema
from structout.strategies import Strategy, load_strategy
from structout.strategies.given import asks_given


@dataclass(frozen=True)
class Recipe:
    """The parts of a `Job` before loading: the schema's source, the model's name, the strategy or its expression."""

    schema: Any
    model: Any
    strategy: Strategy | str
    examples: tuple[Example, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    prices: Mapping[str, Any] = field(default_factory=dict)
    max_errors: int = 10
    edition: int = defaults.EDITION
    tags: Mapping[str, str] = field(default_factory=dict)

    def job(self) -> Job:
        """Load the schema, the model and the strategy. A strategy that asks models of its own alone, by `On`, does not
        load the embedded model, which is the default.
        """
        strategy = load_strategy(self.strategy) if isinstance(self.strategy, str) else self.strategy
        model = LazyModel(self.model) if self.model == "embedded" and not asks_given(strategy) else self.model
        return Job(
            schema=Schema.of(self.schema),
            model=load_model(model) if isinstance(model, str) else model,
            strategy=strategy,
            examples=self.examples,
            sampling=self.sampling,
            prices=Prices(self.prices),
            max_errors=self.max_errors,
            edition=self.edition,
            tags=self.tags,
        )
