"""The budget of a run."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from structout.completion import Usage
from structout.errors import BudgetError, SpecError
from structout.prices import Prices, dollars


@dataclass(frozen=True)
class Budget:
    """Limits on spending, including earlier runs of the same journal. `hours` counts this run alone.

    Raises `SpecError` for a limit below zero.
    """

    usd: float | None = None
    tokens: int | None = None
    hours: float | None = None
    began: float = field(default_factory=time.monotonic)
    _under_way: Counter[str | None] = field(default_factory=Counter, init=False, repr=False, compare=False)
    _guesses: list[tuple[str | None, Usage]] = field(default_factory=list, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)
    _first: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("usd", "tokens", "hours"):
            limit = getattr(self, name)
            if limit is not None and not limit >= 0:  # also rejects NaN
                raise SpecError(f"invalid budget: got {limit} {name}", hint="give 0 or more, or omit the limit")

    @contextmanager
    def first(self, model: str | None, spent: Callable[[], Mapping[str, Usage]]) -> Iterator[bool]:
        """Yield whether the usage of a call of this model (None: of any model) is still unknown. If it is, the caller
        makes a single call to learn it, and other callers wait.
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
        self,
        model: str | None,
        spent: Callable[[], Mapping[str, Usage]],
        prices: Prices,
        coming: int,
        *,
        submitted: int = 0,
        guess: Usage | None = None,
    ) -> Iterator[None]:
        """Reserve room for `coming` calls of a model (None: of any model) until they are made and added to `spent`.
        Calls that are already `submitted` are reserved too, whatever the limits. `guess` is the usage of all of them
        for a model without usage so far.

        Raises as `check` does, but counts the calls of each model at that model's own mean.
        """
        guessed = [(model, guess)] if guess is not None else []
        calls = Counter({model: coming + submitted})
        with self._lock:
            if coming:
                self._check(spent(), prices, self._under_way + calls, [*self._guesses, *guessed])
            self._under_way[model] += coming + submitted
            self._guesses.extend(guessed)
        try:
            yield
        finally:
            with self._lock:
                self._under_way[model] -= coming + submitted
                for one in guessed:
                    self._guesses.remove(one)

    def check(self, spent: Mapping[str, Usage], prices: Prices, coming: int) -> None:
        """Raise `BudgetError` if a limit is reached, or if `coming` more calls at the mean usage so far would exceed
        it. Raise `SpecError` if a price is unknown.
        """
        self._check(spent, prices, {None: coming})

    def _check(
        self,
        spent: Mapping[str, Usage],
        prices: Prices,
        coming: Mapping[str | None, int],
        guesses: Sequence[tuple[str | None, Usage]] = (),
    ) -> None:
        calls = sum(usage.calls for usage in spent.values())
        of_any = coming.get(None, 0) / calls if calls else 0.0
        expected = {
            model: _with_more(usage, coming.get(model, 0) + of_any * usage.calls) for model, usage in spent.items()
        }
        for model, guess in guesses:
            if model is not None and model not in spent:
                expected[model] = expected.get(model, Usage()) + guess
        if self.tokens is not None:
            used, needed = (sum(one.input_tokens + one.output_tokens for one in x.values()) for x in (spent, expected))
            if used >= self.tokens or needed > self.tokens:
                problem = f"{used:,} of {self.tokens:,} tokens are spent"
                raise _used_up(problem, "--budget-tokens", f"{needed:,}" if needed > used else "")
        if self.usd is not None:
            paid, bill = prices.cost(spent.items()), prices.cost(expected.items())
            if paid is None or bill is None:
                unknown = next(model for model in expected if model not in prices.table)
                raise SpecError(
                    f"the price of {unknown} is unknown", hint="give --price, or list the model in --prices"
                )
            if paid >= self.usd or bill > self.usd:
                problem = f"{dollars(paid)} of {dollars(self.usd)} is spent"
                raise _used_up(problem, "--budget-usd", dollars(bill) if bill > paid else "")
        if self.hours is not None and (time.monotonic() - self.began) / 3600 >= self.hours:
            raise _used_up(f"the time limit of {self.hours:g} hours is used up", "--max-hours")


def _with_more(usage: Usage, calls: float) -> Usage:
    """The usage after so many more calls at its own mean."""
    if not usage.calls:
        return usage
    share = 1 + calls / usage.calls
    return Usage(
        usage.calls, math.ceil(usage.input_tokens * share - 1e-6), math.ceil(usage.output_tokens * share - 1e-6)
    )


def _used_up(problem: str, option: str, needed: str = "") -> BudgetError:
    return BudgetError(
        problem + (f"; the next calls would make it {needed}" if needed else ""),
        hint=f"raise {option} and run the same command again; finished rows are kept",
    )
