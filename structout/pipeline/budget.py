"""What a run may cost, and what it has cost."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from structout.completion import Usage
from structout.errors import BudgetError, DataError, SpecError

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million tokens read, and for a million written."""

    input: float
    output: float

    def of(self, usage: Usage) -> float:
        return (usage.input_tokens * self.input + usage.output_tokens * self.output) / _MILLION


@dataclass(frozen=True)
class Prices:
    """Prices by model name. What is not listed is unknown, which is never nought."""

    table: Mapping[str, Price] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> "Prices":
        """Read a JSON file of `{"model name": [input, output]}`. Raises `DataError`."""
        try:
            rows = json.loads(Path(path).read_text(encoding="utf-8"))
            return cls({name: Price(float(price[0]), float(price[1])) for name, price in rows.items()})
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise DataError(f"{path} is no price list: {error}", hint='write {"MODEL": [input, output]}') from error

    def cost(self, spent: Iterable[tuple[str, Usage]]) -> float | None:
        """What this usage costs in US dollars, by model; None if one of the prices is unknown."""
        total = 0.0
        for model, usage in spent:
            if not (usage.calls or usage.input_tokens or usage.output_tokens):
                continue
            price = self.table.get(model)
            if price is None:
                return None
            total += price.of(usage)
        return total


def price_named(text: str) -> Price:
    """Read `INPUT,OUTPUT` in US dollars a million tokens. Raises `SpecError`."""
    try:
        read, written = map(float, text.split(","))
    except ValueError as error:
        raise SpecError(f"no price is {text!r}", hint="write INPUT,OUTPUT in US dollars a million tokens") from error
    return Price(read, written)


@dataclass(frozen=True)
class Budget:
    """Limits on what is spent, earlier runs of the same journal included; `hours` are of this run alone."""

    usd: float | None = None
    tokens: int | None = None
    hours: float | None = None
    began: float = field(default_factory=time.monotonic)
    _under_way: list[int] = field(default_factory=list, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    @contextmanager
    def room(self, spent: Callable[[], Mapping[str, Usage]], prices: Prices, coming: int) -> Iterator[None]:
        """While `coming` calls are made and added to `spent`: others then find less room. Raises as `check` does."""
        with self._lock:
            self.check(spent(), prices, coming + sum(self._under_way))
            self._under_way.append(coming)
        try:
            yield
        finally:
            with self._lock:
                self._under_way.remove(coming)

    def check(self, spent: Mapping[str, Usage], prices: Prices, coming: int) -> None:
        """Raise `BudgetError` if `coming` more calls would go beyond a limit, at the mean of the calls so far."""
        total = sum(spent.values(), Usage())
        ahead = 1 + coming / total.calls if total.calls else 1.0
        tokens = (total.input_tokens + total.output_tokens) * ahead
        if self.tokens is not None and tokens > self.tokens:
            raise _used_up(f"{self.tokens:,} tokens", "--budget-tokens", f"{tokens:,.0f}")
        if self.usd is not None:
            cost = prices.cost(spent.items())
            if cost is None:
                unknown = next(model for model in spent if model not in prices.table)
                raise SpecError(f"the price of {unknown} is unknown", hint="give --price, or list it in --prices")
            if cost * ahead > self.usd:
                raise _used_up(f"${self.usd:,.2f}", "--budget-usd", f"${cost * ahead:,.4f}")
        if self.hours is not None and (time.monotonic() - self.began) / 3600 >= self.hours:
            raise _used_up(f"{self.hours:g} hours", "--max-hours")


def _used_up(limit: str, option: str, needed: str = "") -> BudgetError:
    return BudgetError(
        f"the budget of {limit} is used up" + (f": the next calls would take it to {needed}" if needed else ""),
        hint=f"what was done is kept; the same command with a higher {option} goes on",
    )
