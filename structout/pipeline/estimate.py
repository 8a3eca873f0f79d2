"""Estimates of a run's tokens, cost and time from a few of its rows."""

import math
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from statistics import mean, stdev
from typing import Any

from structout.completion import Completion, Prompt, Usage
from structout.errors import ModelError, StructoutWarning
from structout.models import Model
from structout.pipeline.chunks import interruptible
from structout.pipeline.job import Job
from structout.pipeline.journal.journal import Journal
from structout.pipeline.most import later_probe_of, most_of, probe_of
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.progress import clock
from structout.pipeline.run import Entry, Executor, entries, unknown
from structout.prices import dollars
from structout.result import Task
from structout.strategies.first_prompt import first_call
from structout.strategies.parts import with_models
from structout.strategies.refusals import Refusals
from structout.tables.output import Placing
from structout.tables.rows import Row

_CHUNK = 256  # rows per lookup
_CHARACTERS = 4  # per token, if the model cannot count tokens


@dataclass(frozen=True)
class Range:
    """The mean of one row and its standard error."""

    mean: float
    error: float = 0.0

    def of(self, rows: int) -> tuple[float, float]:
        """The bounds of an approximate 95 % interval for the sum over `rows`."""
        return max(0.0, self.mean - 2 * self.error) * rows, (self.mean + 2 * self.error) * rows


@dataclass(frozen=True)
class Estimate:
    """The expected tokens, cost and time of the rows that are still open, after `asked` rows were asked for the
    estimate. `cost` is None if a price is unknown, `seconds` if no row was ever asked.

    `blank` further rows have no text, and are not asked. The journal has `spent` tokens, and a budget that holds to the
    end is `budget_tokens`, or `budget_usd` (None: a price is unknown). `at_most`: the journal may have answers to rows
    that are asked again, which cost nothing, so the lower bounds are 0.
    """

    rows: int
    asked: int
    tokens: Range
    cost: Range | None
    seconds: float | None
    basis: str
    source: str = ""  # the list that the prices are from, "" for prices of the user
    blank: int = 0
    spent: int = 0
    budget_tokens: int = 0
    budget_usd: float | None = None
    at_most: bool = False

    def bounds(self, one: Range) -> tuple[float, float]:
        """The bounds for all rows."""
        low, high = one.of(self.rows)
        return (0.0 if self.at_most else low), high

    def to_json(self) -> dict[str, Any]:
        """The estimate for machines: bounds for all rows, tokens as integers, cost in US dollars."""
        return {
            "rows": self.rows,
            "asked": self.asked,
            "tokens": [round(bound) for bound in self.bounds(self.tokens)],
            "cost_usd": None if self.cost is None else list(self.bounds(self.cost)),
            "seconds": self.seconds,
            "basis": self.basis,
            "blank": self.blank,
            "spent_tokens": self.spent,
            "budget_tokens": self.budget_tokens,
            "budget_usd": self.budget_usd,
            **({"prices": self.source} if self.source else {}),
        }

    def lines(self) -> list[str]:
        """The estimate as lines for people."""
        low, high = self.bounds(self.tokens)
        cost = "unknown: give --price" if self.cost is None else " to ".join(map(dollars, self.bounds(self.cost)))
        if self.cost is not None and self.source:
            cost = f"{cost} (prices of {self.source})"
        time = "unknown until rows are asked" if self.seconds is None else f"about {clock(self.seconds)}"
        blank = f", and {self.blank:,} without a text, which are not asked" if self.blank else ""
        usd = "" if self.budget_usd is None else f", or --budget-usd to at least {self.budget_usd:.2f}"
        reused = ["less    where the journal has an answer to the same prompt, which is not asked again"]
        return [
            f"{self.rows:,} rows to ask{blank}; the estimate is from {self.basis}",
            f"tokens  {low:,.0f} to {high:,.0f}",
            f"cost    {cost}",
            f"time    {time}",
            *(reused if self.at_most and self.rows else []),
            *(
                [f"budget  set --budget-tokens to at least {self.budget_tokens:,}{usd} ({self.spent:,} tokens spent)"]
                if self.rows and self.spent
                else []
            ),
        ]

    def budgeted(self, job: Job, kept: Mapping[str, Usage], spent: Mapping[str, Usage], row: Row | None) -> "Estimate":
        """The estimate with the budget of the whole journal, which has `spent` usages, `kept` of them for other rows
        than those of the estimate. The last call must fit too: `row` shows the most that a call may use. So must a
        further probe of the server, if what a probe finds is not kept.
        """
        most, name = Usage(), ""
        if row is not None:
            task = Task(str(row.text), job.schema, job.examples, job.sampling)
            prompt, model = first_call(job.strategy, task, job.model)
            if model is not None:
                probe = Usage() if probe_of(model).calls else later_probe_of(model)
                most, name = most_of([prompt], model) + probe, model.name
        costs = (job.prices.cost(kept.items()), job.prices.cost([(name, most)] if name else []))
        usd = None
        if self.cost is not None and costs[0] is not None and costs[1] is not None:
            usd = math.ceil((costs[0] + costs[1] + self.cost.of(self.rows)[1]) * 100) / 100
        tokens = _tokens(kept.values()) + _tokens([most]) + math.ceil(self.tokens.of(self.rows)[1])
        return replace(self, spent=_tokens(spent.values()), budget_tokens=tokens, budget_usd=usd)


def waiting(rows: Iterator[Row], journal: Journal) -> Iterator[Row]:
    """The rows without an outcome in the journal."""
    while some := list(islice(rows, _CHUNK)):
        yield from unknown(some, journal)


def ask_some(
    rows: Sequence[Row],
    job: Job,
    journal: Journal,
    engine: Executor,
    total: int,
    *,
    known: Sequence[RowOutcome] = (),
    keep: bool = True,
    place: Placing | None = None,
) -> Estimate:
    """Estimate the `total` open rows that have a text by asking for a few open rows, and by the outcomes of rows that
    are `known`. The journal keeps the answers, so that no answer is paid twice, and with `keep` also the outcomes (see
    `entries`), so that their rows are open no more. Raises `ModelError` if the model fails on every row.
    """
    began, before = time.monotonic(), _calls(journal)
    found: list[RowOutcome] = []
    refusals = Refusals[Entry](job.max_errors)
    with interruptible(engine(rows, job, journal)) as answers:
        for done in answers:
            new = entries(done, place)
            refusals.told(outcome.refusals for _, _, outcome in new)
            passed = [kept for one in new for kept in refusals.passed(one, one[2].refusals)]
            if keep:
                journal.add_outcomes(passed)
            found += [outcome for _, _, outcome in new]
    if keep:
        journal.add_outcomes(refusals.rest())
    took = time.monotonic() - began
    fresh = [outcome for outcome in found if outcome.status != "error"]
    if found and not fresh:
        raise ModelError(
            f"the model failed on all of {len(found)} rows, last: {found[-1].issues[0].message}", hint="fix the cause"
        )
    fresh = [outcome for outcome in fresh if outcome.attempts]
    answered = [outcome.priced(job.prices) for outcome in (*known, *fresh)]
    left = total - len(fresh) if keep else total
    tokens = _range([float(o.usage.input_tokens + o.usage.output_tokens) for o in answered])
    guessed = any(o.usage.estimated_tokens for o in answered)
    costs = [o.cost for o in answered if o.cost is not None]
    pace = took / len(fresh) if fresh and _calls(journal) > before else _pace(answered, job)
    basis = f"{len(answered):,} rows" + (f", {len(known):,} of them asked before" if known else "")
    return Estimate(
        left,
        sum(row.is_asked for row in rows) if _calls(journal) > before else 0,
        tokens,
        _range(costs) if len(costs) == len(answered) else None,
        pace * left,
        basis + (", whose tokens are estimated at the most" if guessed else ""),
        source=_source(job),
        at_most=not keep and bool(rows),
    )


def _pace(answered: Sequence[RowOutcome], job: Job) -> float:
    """The seconds of a row by the seconds of its calls, if the server answers as many rows at once as it may."""
    return mean(outcome.usage.seconds for outcome in answered) / max(1, job.in_flight) if answered else 0.0


def _calls(journal: Journal) -> int:
    return sum(usage.calls for usage in journal.spent().values())


def ask_nothing(rows: Sequence[Row], job: Job, total: int) -> Estimate:
    """Estimate the `total` rows that have a text from the prompts of a few, without asking. A row takes one call at
    least, and at most as many as it takes if no answer is accepted. The token limit bounds the answers.
    """
    limit, table = job.sampling.max_tokens, job.prices.table
    calls: set[int] = set()
    tokens: list[Range] = []
    costs: list[Range] = []
    is_counted = False
    for row in rows:
        stands = _StandIns()
        task = Task(str(row.text), job.schema, job.examples, job.sampling)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", StructoutWarning)  # the run itself will warn
            with_models(job.strategy, stands.of).run([task], stands.of(job.model))
        read = [(model, _length(prompt, model), prompt.sampling.max_tokens) for model, prompt in stands.prompts]
        calls.add(len(read))
        is_counted = is_counted or any(hasattr(model, "encode") for model, _, _ in read)
        if read:
            tokens.append(_between(read[0][1], sum(length + most for _, length, most in read)))
            priced = [(price, length, most) for model, length, most in read if (price := table.get(model.name))]
            if len(priced) == len(read):
                bill = sum(price.input * length + price.output * most for price, length, most in priced)
                costs.append(_between(priced[0][0].input * priced[0][1] / 1e6, bill / 1e6))
    counted = "tokens" if is_counted else f"{_CHARACTERS} characters per token"
    most = max(calls, default=1)
    many = "one call" if most == 1 else f"1 to {most} calls"
    basis = f"{len(rows)} rows ({counted}), {many} per row, answers of 0 to {limit} tokens; no model was asked"
    cost = _mean(costs) if len(costs) == len(tokens) else None
    return Estimate(total, 0, _mean(tokens), cost, None, basis, source=_source(job))


class _StandIns:
    """Models that answer nothing, in place of real models, and the prompts that they get, each once."""

    def __init__(self) -> None:
        self._known: dict[str, _StandIn] = {}

    def of(self, model: Model) -> Model:
        """The stand-in for a model."""
        return self._known.setdefault(model.name, _StandIn(model))

    @property
    def prompts(self) -> list[tuple[Model, Prompt]]:
        """Each prompt with the model that it is for."""
        return [(one.inner, prompt) for one in self._known.values() for prompt in one.asked.values()]


class _StandIn:
    def __init__(self, inner: Model) -> None:
        self.inner, self.name = inner, inner.name
        self.asked: dict[str, Prompt] = {}

    @property
    def tuning(self) -> Any:
        """The tuning of the real model, which is only loaded if a strategy asks it."""
        return getattr(self.inner, "tuning", None)

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        self.asked |= {prompt.key(): prompt for prompt in prompts}
        return [Completion("", Usage(calls=1)) for _ in prompts]


def _length(prompt: Prompt, model: Model) -> float:
    """The tokens of a prompt, 0 if the model refuses the prompt at no cost."""
    if (encode := getattr(model, "encode", None)) is None:
        return sum(len(message.content) for message in prompt.messages) / _CHARACTERS
    return len(tokens) if isinstance(tokens := encode(prompt), list) else 0


def _between(low: float, high: float) -> Range:
    return Range((low + high) / 2, (high - low) / 4)


def _mean(ranges: Sequence[Range]) -> Range:
    """The mean of ranges that are wrong together."""
    if not ranges:
        return Range(0.0)
    return Range(mean(one.mean for one in ranges), mean(one.error for one in ranges))


def _tokens(usages: Iterable[Usage]) -> int:
    return sum(usage.input_tokens + usage.output_tokens for usage in usages)


def _source(job: Job) -> str:
    return ", ".join(dict.fromkeys(price.source for price in job.prices.table.values() if price.source))


def _range(values: Sequence[float]) -> Range:
    if not values:
        return Range(0.0)
    return Range(mean(values), stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0)
