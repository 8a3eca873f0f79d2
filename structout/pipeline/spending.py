"""What the calls of a run were spent on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from structout.completion import Usage
from structout.pipeline.outcome import RowOutcome
from structout.prices import Prices

Kind = Literal[
    "first",  # first answers
    "reask",  # answers after an objection
    "vote",  # further samples of a prompt
    "verification",  # calls of verifiers
    "waste",  # calls whose answer was cut off or refused
    "other",  # calls behind no outcome: replaced by a later run, or not finished
    "shared",  # below zero: answers that several rows share, each of which counts its calls
]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
_WASTED = ("length", "refused", "stuck")


@dataclass
class Spent:
    """Calls, tokens and US dollars; `cost` is None if a price is unknown. `estimated` of the tokens are estimated,
    since nobody counted those of `uncounted` answers.
    """

    calls: int = 0
    tokens: int = 0
    cost: float | None = 0.0
    estimated: int = 0
    uncounted: int = 0

    def add(self, usage: Usage, cost: float | None) -> None:
        """Add a call."""
        self.calls += usage.calls
        self.tokens += usage.input_tokens + usage.output_tokens
        self.estimated += usage.estimated_tokens
        self.uncounted += usage.estimated_tokens > 0
        self.cost = None if cost is None or self.cost is None else self.cost + cost


@dataclass
class Spending:
    """The calls behind the outcomes of a run by kind and by tag (`team=x`).

    Each row counts its own calls, so an answer that several rows share counts for each of them.
    """

    by_kind: dict[str, Spent] = field(default_factory=dict)
    by_tag: dict[str, Spent] = field(default_factory=dict)

    def add(self, outcome: RowOutcome, prices: Prices) -> None:
        """Add the calls of an outcome."""
        for kind, call in kinds_of(outcome):
            usage = Usage(**call["usage"])
            cost = prices.cost([(call["model"], usage)])
            self.by_kind.setdefault(kind, Spent()).add(usage, cost)
            for name, value in outcome.tags.items():
                self.by_tag.setdefault(f"{name}={value}", Spent()).add(usage, cost)

    def kinds(self, paid: Usage, cost: float | None) -> dict[str, Spent]:
        """The sums by kind, in the order of `KINDS`. Together they are what was `paid`, at a `cost`."""
        found: dict[str, Spent] = {kind: self.by_kind[kind] for kind in KINDS if kind in self.by_kind}
        known = [one.cost for one in found.values() if one.cost is not None]
        rest = Spent(
            paid.calls - sum(one.calls for one in found.values()),
            paid.input_tokens + paid.output_tokens - sum(one.tokens for one in found.values()),
            None if cost is None or len(known) < len(found) else cost - sum(known),
        )
        is_even = (rest.calls, rest.tokens) == (0, 0)
        return found if is_even else {**found, "shared" if rest.tokens < 0 else "other": rest}

    def to_json(self, paid: Usage, cost: float | None) -> dict[str, Any]:
        """The sums as JSON, by kind (see `kinds`) and by tag."""
        kinds = {kind: vars(one) for kind, one in self.kinds(paid, cost).items()}
        return {"by_kind": kinds, "by_tag": {tag: vars(self.by_tag[tag]) for tag in sorted(self.by_tag)}}


def kinds_of(outcome: RowOutcome) -> Iterator[tuple[Kind, Mapping[str, Any]]]:
    """Each call of an outcome with its kind."""
    before: list[Any] = []  # the messages of earlier calls
    for call in outcome.attempts:
        yield _kind(call, before), call
        before.append(call["messages"])
    for call in outcome.checks:
        yield "waste" if call["finish_reason"] in _WASTED else "verification", call


def _kind(call: Mapping[str, Any], before: Sequence[Any]) -> Kind:
    if call["finish_reason"] in _WASTED:
        return "waste"
    messages = call["messages"]
    # An answer and an objection follow an earlier prompt. The answer may be a repaired one, which no call gave.
    if len(messages) > 2 and messages[-2][0] == "assistant" and messages[:-2] in before:
        return "reask"
    return "vote" if call["sample"] else "first"
