"""How a model is fine-tuned: the settings."""

from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from structout.errors import SpecError
from structout.prompts import Show

Order = Literal["reading", "schema"]


@dataclass(frozen=True)
class Training:
    """How to fine-tune.

    `passes` over the demonstrations at most; after each the `held_out` share is judged, the best is kept, and training
    stops when `patience` passes brought nothing better. `rank` is that of the LoRA adapter (arXiv:2106.09685) on all
    linear layers, 0 to train all weights. `batch` demonstrations make one step; at most about `tokens_at_once` of their
    tokens are in memory at a time. `show` is the form of the prompt. At the probability `vary` a text of a record is
    exchanged for another record's (see `Variation`). Keys are answered in the `order` of the schema, or in the one in
    which records tend to name them (see `reading_order`). `seed` makes it all repeatable. Raises `SpecError`.
    """

    passes: int = 6
    rank: int = 16
    learning_rate: float | None = None
    batch: int = 4
    show: Show = "brief"
    seed: int = 0
    held_out: float = 0.05
    patience: int = 2
    tokens_at_once: int = 2048
    vary: float = 0.5
    order: Order = "schema"

    def __post_init__(self) -> None:
        for name in ("passes", "batch", "patience", "tokens_at_once"):
            if getattr(self, name) < 1:
                raise SpecError(f"{name} is {getattr(self, name)}", hint="give 1 or more")
        if self.rank < 0:
            raise SpecError(f"rank is {self.rank}", hint="give 1 or more, or 0 to train all weights")
        if not 0 <= self.vary <= 1:
            raise SpecError(f"vary is {self.vary}", hint="give a probability")
        if not 0 <= self.held_out < 1:
            raise SpecError(f"held_out is {self.held_out}", hint="give a share from 0 to below 1")
        if self.learning_rate is not None and self.learning_rate <= 0:
            raise SpecError(f"learning_rate is {self.learning_rate}", hint="give a number above 0, or leave it out")
        if self.order not in get_args(Order):
            raise SpecError(f"no order is called {self.order!r}", hint=f"give {' or '.join(get_args(Order))}")
        if self.show not in get_args(Show):
            raise SpecError(f"a schema cannot be shown as {self.show!r}", hint=f"give {', '.join(get_args(Show))}")

    @property
    def rate(self) -> float:
        """The learning rate at its peak."""
        return self.learning_rate or (1.5e-3 if self.rank else 2e-4)


class TrainingStep(NamedTuple):
    """Where training is: `step` of `steps`, with the `loss` per token of the last step."""

    step: int
    steps: int
    loss: float
