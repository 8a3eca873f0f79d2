"""The settings and steps of fine-tuning."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

from structout.errors import SpecError
from structout.prompts import Show
from structout.prompts.guidance import Guidance

Order = Literal["reading", "schema"]


@dataclass(frozen=True)
class Training:
    """The settings of fine-tuning. Raises `SpecError` for an invalid setting.

    Training makes at most `passes` passes over the demonstrations. Each pass ends with an evaluation on the share
    `held_out` of the records; the best pass is kept, and training stops after `patience` passes without improvement.
    `rank` is the rank of the LoRA adapter (arXiv:2106.09685) on all linear layers; 0 trains all weights. `batch`
    demonstrations make one step, with about `tokens_at_once` tokens in memory at a time. `show` is the form of the
    schema in the prompt. `vary` is the probability of replacing a text of a record by one of another record (see
    `Variation`). `order` is the order of the keys in answers: that of the schema, or the order in which records tend to
    name them (see `reading_order`). `instructions` are the user's own words in the prompt. `seed` makes training
    repeatable.
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
    instructions: str = ""

    def __post_init__(self) -> None:
        for name in ("passes", "batch", "patience", "tokens_at_once"):
            if getattr(self, name) < 1:
                raise SpecError(f"invalid {name}: got {getattr(self, name)}", hint="give 1 or more")
        if self.rank < 0:
            raise SpecError(f"invalid rank: got {self.rank}", hint="give 1 or more, or 0 to train all weights")
        if not 0 <= self.vary <= 1:
            raise SpecError(f"invalid vary: got {self.vary}", hint="give a probability from 0 to 1")
        if not 0 <= self.held_out < 1:
            raise SpecError(f"invalid held_out: got {self.held_out}", hint="give a share of at least 0 and below 1")
        if self.learning_rate is not None and self.learning_rate <= 0:
            problem = f"invalid learning_rate: got {self.learning_rate}"
            raise SpecError(problem, hint="give a number above 0, or leave it out")
        if self.order not in get_args(Order):
            raise SpecError(f"invalid order: got {self.order!r}", hint=f"give {' or '.join(get_args(Order))}")
        if self.show not in get_args(Show):
            raise SpecError(f"invalid show: got {self.show!r}", hint=f"give {', '.join(get_args(Show))}")

    def settings(self) -> dict[str, Any]:
        """All settings; without instructions if they are empty, as earlier versions wrote them."""
        return {name: value for name, value in asdict(self).items() if value or name != "instructions"}

    @property
    def guidance(self) -> Guidance:
        """The user's own words in the prompt."""
        return Guidance(self.instructions)

    @property
    def rate(self) -> float:
        """The peak learning rate."""
        return self.learning_rate or (1.5e-3 if self.rank else 2e-4)


class TrainingStep(NamedTuple):
    """The progress of training: `step` of `steps`, with the `loss` per token of this step."""

    step: int
    steps: int
    loss: float
