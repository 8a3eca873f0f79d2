"""What a run may cost."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from structout.completion import Usage
from structout.errors import BudgetError, SpecError
from structout.prices import Prices, dollars


@dataclass(frozen=True)
class Budget:
    """Limits on what is spent, earlier runs of the same journal included; `hours` are of this run alone.

    Raises `SpecError` for a limit below zero.
    """

    usd: float | None = None
    tokens: int | None = None
    hours: float | None = None
    began: float = field(default_factory=time.monotonic)
    _under_way: Counter[str | None] = field(default_factory=Counter, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)
    _first: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("usd", "tokens", "hours"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:  # which NaN is not
                raise SpecError(f"invalid budget: got {limit} {name}", hint="give 0 or more, or leave the limit out")

    @contextmanager
    def first(self, model: str | None, spent: Callable[[], Mapping[str, Usage]]) -> Iterator[bool]:
        """Whether what one call of this model (None: of any) takes is still unknown: then only one may go out
        meanwhile, to tell. Whoever else asks waits for it.
        """

        def unknown() -> bool:
            known = spent()
            return not known if model is None else model not in known

        if (self.usd is None and self.tokens is None) or not unknown():
            yield False
            return
        with self._first:
            yield unknown()

    @contextmanager
    def room(
        self, model: str | None, spent: Callable[[], Mapping[str, Usage]], prices: Prices, coming: int
    ) -> Iterator[None]:
        """While `coming` calls of a model (None: of any) are made and added to `spent`: others then find less room.

        Raises as `check` does, but each model's calls count at its own mean.
        """
        with self._lock:
            self._check(spent(), prices, self._under_way + Counter({model: coming}))
            self._under_way[model] += coming
        try:
            yield
        finally:
            with self._lock:
                self._under_way[model] -= coming

    def check(self, spent: Mapping[str, Usage], prices: Prices, coming: int) -> None:
        """Raise `BudgetError` where a limit is reached, or `coming` more calls would go beyond it, at the mean of the
        calls so far; `SpecError` where the price of one of them is unknown.
        """
        self._check(spent, prices, {None: coming})

    def _check(self, spent: Mapping[str, Usage], prices: Prices, coming: Mapping[str | None, int]) -> None:
        calls = sum(usage.calls for usage in spent.values())
        of_any = coming.get(None, 0) / calls if calls else 0.0
        expected = {
            model: _with_more(usage, coming.get(model, 0) + of_any * usage.calls) for model, usage in spent.items()
        }
        if self.tokens is not None:
            used, needed = (sum(one.input_tokens + one.output_tokens for one in x.values()) for x in (spent, expected))
            if used >= self.tokens or needed > self.tokens:
                raise _used_up(f"{self.tokens:,} tokens", "--budget-tokens", f"{needed:,}" if needed > used else "")
        if self.usd is not None:
            paid, bill = prices.cost(spent.items()), prices.cost(expected.items())
            if paid is None or bill is None:
                unknown = next(model for model in spent if model not in prices.table)
                raise SpecError(f"the price of {unknown} is unknown", hint="give --price, or list it in --prices")
            if paid >= self.usd or bill > self.usd:
                raise _used_up(dollars(self.usd), "--budget-usd", dollars(bill) if bill > paid else "")
        if self.hours is not None and (time.monotonic() - self.began) / 3600 >= self.hours:
            raise _used_up(f"{self.hours:g} hours", "--max-hours")


def _with_more(usage: Usage, calls: float) -> Usage:
    """Usage with so many calls more, at its own mean."""
    if not usage.calls:
        return usage
    share = 1 + calls / usage.calls
    return Usage(
        usage.calls, math.ceil(usage.input_tokens * share - 1e-6), math.ceil(usage.output_tokens * share - 1e-6)
    )


def _used_up(limit: str, option: str, needed: str = "") -> BudgetError:
    return BudgetError(
        f"the budget of {limit} is used up" + (f": the next calls would take it to {needed}" if needed else ""),
        hint=f"what was done is kept; the same command with a higher {option} goes on",
    )
