"""The budget of a run."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TypeVar

from structout.completion import Usage
from structout.errors import BudgetError, SmallBudgetError, SpecError
from structout.halt import current
from structout.prices import Prices, dollars

T = TypeVar("T")
R = TypeVar("R")

Spending = tuple[str, Usage]  # a model's name, and its usage


@dataclass(frozen=True)
class Budget:
    """Limits on spending: `usd` in US dollars, `tokens` read and written, and `hours` since the budget was made. None
    sets no limit. Money and tokens include what earlier runs of the same journal spent.

    Nothing is sent that could exceed a limit: a call reserves the most that it may use, until its usage is known. Only
    a server that bills more than it was allowed to use exceeds the limit. An hour of a model's time, if it has a price,
    is counted at its mean so far. Raises `SpecError` for a limit below zero.

    >>> Budget(usd=5.0, hours=2).tokens is None
    True
    """

    usd: float | None = None
    tokens: int | None = None
    hours: float | None = None
    began: float = field(default_factory=time.monotonic)
    _under_way: list[Spending] = field(default_factory=list, init=False, repr=False, compare=False)
    _changed: threading.Condition = field(default_factory=threading.Condition, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("usd", "tokens", "hours"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:  # also rejects NaN
                raise SpecError(f"invalid budget: got {limit} {name}", hint="give 0 or more, or omit the limit")

    @property
    def is_limited(self) -> bool:
        """Whether there is any limit."""
        return (self.usd, self.tokens, self.hours) != (None, None, None)

    @contextmanager
    def room(
        self,
        model: str,
        spent: Callable[[], Mapping[str, Usage]],
        prices: Prices,
        most: Usage,
        submitted: Usage | None = None,
        probe: Usage | None = None,
    ) -> Iterator[None]:
        """Reserve `most`, what coming calls of a model may use, until they are made and added to `spent`. What is
        already `submitted` is reserved too, whatever the limits. `probe` is the part of `most` that the model's own
        probe may use.

        Waits while calls under way leave too little room. Raises `BudgetError` if the room is too little without them,
        and `SpecError` if a price is unknown.
        """
        with self._changed:
            while most.calls and (problem := self._problem(spent(), prices, (model, most), probe)) is not None:
                if not self._under_way:
                    raise problem
                current().pause(self._changed)
            mine = (model, most + (submitted or Usage()))
            self._under_way.append(mine)
        try:
            yield
        finally:
            with self._changed:
                self._under_way.remove(mine)
                self._changed.notify_all()

    def _problem(
        self, spent: Mapping[str, Usage], prices: Prices, coming: Spending, probe: Usage | None
    ) -> BudgetError | None:
        """Why the coming calls may not be made; None if there is room for them."""
        reserved = [*self._under_way, coming]
        if self.tokens is not None:
            used = _tokens(list(spent.items()))
            if used + _tokens(reserved) > self.tokens:
                told = f"{used:,} of {self.tokens:,} tokens are spent, {max(0, self.tokens - used):,} are left"
                return _used_up(told, _parts(coming[1], probe or Usage()), "--budget-tokens")
        if self.usd is not None:
            paid = prices.cost(spent.items())
            bill, needed_usd = (_dearest(prices, one, spent) for one in (reserved, [coming]))
            if paid is None or bill is None or needed_usd is None:
                unknown = next(name for name in (*spent, *(name for name, _ in reserved)) if name not in prices.table)
                hint = "give --price, or list the model in --prices"
                raise SpecError(f"the price of {unknown} is unknown", hint=hint)
            if paid + bill > self.usd:
                left = dollars(max(0.0, self.usd - paid))
                told = f"{dollars(paid)} of {dollars(self.usd)} is spent, {left} is left"
                return _used_up(told, dollars(needed_usd), "--budget-usd")
        if self.hours is not None and (time.monotonic() - self.began) / 3600 >= self.hours:
            hint = "run the same command again: it has as many hours again; finished rows are kept"
            return BudgetError(f"the time limit of {self.hours:g} hours is used up", hint=hint)
        return None


def within_budget(ask: Callable[[list[T]], list[R]], stopped: list[BudgetError]) -> Callable[[list[T]], list[R]]:
    """A function that asks for as many of some rows as the budget allows, from the first on: at the end of the budget,
    rows are halved to spend the rest on as many as possible. The last error is then added to `stopped`.
    """

    def reach(new: list[T]) -> list[R]:
        try:
            found = ask(new) if new else []
        except BudgetError as error:
            if len(new) == 1:
                stopped.append(error)
                return []
            half = len(new) // 2
            found = reach(new[:half])
            if len(found) < half:
                return found
        return found + reach(new[len(found) :]) if new else []

    return reach


def used_up(stopped: Sequence[BudgetError], spent: Mapping[str, Usage]) -> BudgetError:
    """The error to raise at the end of a budget: `SmallBudgetError` if it is too small for the first row."""
    if spent:
        return stopped[0]
    problem = f"the budget is too small for one row: {stopped[0].message}"
    hint = "raise the budget, lower --max-tokens, or name the dialect of a server, which then needs no probe"
    return SmallBudgetError(problem, hint=f"{hint}: MODEL#json_schema")


def _tokens(spendings: Sequence[Spending]) -> int:
    return sum(usage.input_tokens + usage.output_tokens for _, usage in spendings)


def _parts(most: Usage, probe: Usage) -> str:
    """What a call may use, by what the tokens are for."""
    read, wrote = most.input_tokens - probe.input_tokens, most.output_tokens - probe.output_tokens
    probed = probe.input_tokens + probe.output_tokens
    parts = f"{read:,} to read, {wrote:,} to write" + (f", {probed:,} for the probe of the server" if probed else "")
    return f"{read + wrote + probed:,} tokens: {parts}"


def _dearest(prices: Prices, reserved: Sequence[Spending], spent: Mapping[str, Usage]) -> float | None:
    """The highest price of reserved calls: their input may be written to a cache, which may cost more."""
    total = 0.0
    for model, usage in reserved:
        before = spent.get(model, Usage())
        timed = replace(usage, seconds=before.seconds / before.calls * usage.calls if before.calls else 0.0)
        costs = [prices.cost([(model, one)]) for one in (timed, replace(timed, stored_tokens=usage.input_tokens))]
        if costs[0] is None or costs[1] is None:
            return None
        total += max(costs[0], costs[1])
    return total


def _used_up(told: str, needed: str, option: str) -> BudgetError:
    hint = f"raise {option} above what is spent, dry runs included, and run the command again; finished rows are kept"
    return BudgetError(f"{told}; the next call may use up to {needed}", hint=hint)
