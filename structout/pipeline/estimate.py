"""What a run will take, told from a few of its rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from structout.pipeline.extraction import preview
from structout.pipeline.job import Job
from structout.pipeline.journal import Journal
from structout.pipeline.progress import clock
from structout.pipeline.rows import Row
from structout.pipeline.run import Engine, process

_CHARACTERS = 4  # of a token, where the model does not count them itself


@dataclass(frozen=True)
class Range:
    """A mean for one row with its standard error."""

    mean: float
    error: float = 0.0

    def of(self, rows: int) -> tuple[float, float]:
        """The bounds of an about 95 % interval for the sum over `rows`."""
        return max(0.0, self.mean - 2 * self.error) * rows, (self.mean + 2 * self.error) * rows


@dataclass(frozen=True)
class Estimate:
    """What the whole run is expected to take; `seconds` and `cost` are None where they cannot be known."""

    rows: int
    asked: int
    tokens: Range
    cost: Range | None
    seconds: float | None
    basis: str

    def to_json(self) -> dict[str, Any]:
        tokens = self.tokens.of(self.rows)
        return {
            "rows": self.rows,
            "asked": self.asked,
            "tokens": [round(bound) for bound in tokens],
            "cost_usd": None if self.cost is None else list(self.cost.of(self.rows)),
            "seconds": self.seconds,
            "basis": self.basis,
        }

    def lines(self) -> list[str]:
        """For a person."""
        low, high = self.tokens.of(self.rows)
        cost = "unknown: give --price" if self.cost is None else "${:,.2f} to ${:,.2f}".format(*self.cost.of(self.rows))
        time = "unknown until rows are asked" if self.seconds is None else f"about {clock(self.seconds)}"
        return [
            f"{self.rows:,} rows, told from {self.basis}",
            f"tokens  {low:,.0f} to {high:,.0f}",
            f"cost    {cost}",
            f"time    {time}",
        ]


def ask_some(rows: Iterable[Row], job: Job, journal: Journal, engine: Engine, total: int) -> Estimate:
    """Ask for these few rows; the answers are kept, so that nothing is paid twice, and stand for all `total` rows."""
    tally = process(rows, job, journal, engine)
    found = [journal.outcome(place) for place in range(tally.done)]
    tokens = _range([float(o.usage.input_tokens + o.usage.output_tokens) for o in found])
    costs = [o.cost for o in found if o.cost is not None]
    wall = tally.seconds / tally.asked if tally.asked else mean(o.usage.seconds for o in found) if found else 0.0
    return Estimate(
        total,
        tally.asked,
        tokens,
        _range(costs) if len(costs) == len(found) else None,
        wall * total,
        f"{len(found)} rows",
    )


def ask_nothing(rows: Iterable[Row], job: Job, total: int) -> Estimate:
    """Compose the prompts of these few rows: what is read is counted, what is written is bounded by the token limit."""
    encode = getattr(job.model, "encode", None)
    price = job.prices.table.get(job.model.name)
    lengths: list[float] = []
    for row in rows:
        prompt = preview(str(row.text), job.schema, job.strategy, examples=job.examples, sampling=job.sampling)
        if encode is None:
            lengths.append(sum(len(message.content) for message in prompt.messages) / _CHARACTERS)
        elif isinstance(tokens := encode(prompt), list):  # else the model cannot take it, and it costs nothing
            lengths.append(len(tokens))
    read = _range(lengths)
    limit = job.sampling.max_tokens
    tokens_range = Range(read.mean + limit / 2, max(read.error, limit / 4))
    cost = None
    if price is not None:
        low, high = (price.input * read.mean / 1e6, (price.input * read.mean + price.output * limit) / 1e6)
        cost = Range((low + high) / 2, (high - low) / 4)
    counted = "tokens" if encode else f"characters, {_CHARACTERS} a token"
    basis = f"{len(lengths)} prompts ({counted}), one call a row, answers of nothing to {limit} tokens; none was asked"
    return Estimate(total, 0, tokens_range, cost, None, basis)


def _range(values: Sequence[float]) -> Range:
    if not values:
        return Range(0.0)
    return Range(mean(values), stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0)
