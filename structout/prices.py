"""Prices of models: US dollars for tokens and for hours, by model name."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from structout.completion import Usage
from structout.document import load_json
from structout.errors import DataError, SpecError

_MILLION = 1_000_000
FORM = "[MODEL=]INPUT,OUTPUT[,HOUR]"  # the form of a price on a command line
_LIST = 'write {"MODEL": [INPUT, OUTPUT]} with numbers'
_HINT = "US dollars for a million input tokens, for a million output tokens, and for an hour"


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million input tokens, for a million output tokens, and for an hour of the model's time.

    Raises `SpecError` for an amount that is negative or not a number.
    """

    input: float = 0.0
    output: float = 0.0
    hour: float = 0.0

    def __post_init__(self) -> None:
        for name, dollars in (("input", self.input), ("output", self.output), ("hour", self.hour)):
            if isinstance(dollars, bool) or not isinstance(dollars, int | float) or not 0 <= dollars < math.inf:
                raise SpecError(f"invalid price: {name} is {dollars!r}", hint="give US dollars, 0 or more")

    def of(self, usage: Usage) -> float:
        """The price of a usage in US dollars."""
        tokens = usage.input_tokens * self.input + usage.output_tokens * self.output
        return tokens / _MILLION + self.hour * usage.seconds / 3600


@dataclass(frozen=True)
class Prices:
    """Prices by model name. The price of an unlisted model is unknown, and never counts as zero."""

    table: Mapping[str, Price] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> "Prices":
        """Read a JSON file of `{"MODEL": [input, output]}`, or `[input, output, hour]`. Raises `DataError`."""
        try:
            rows = load_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
        except ValueError as error:
            raise DataError(f"cannot read {path}: not JSON: {error}", hint=_LIST) from error
        if not isinstance(rows, dict):
            raise DataError(f"invalid price list {path}: expected a JSON object", hint=_LIST)
        return cls({name: _listed(name, price, path) for name, price in rows.items()})

    def cost(self, spent: Iterable[tuple[str, Usage]]) -> float | None:
        """The price of all usages in US dollars; None if the price of a used model is unknown."""
        total = 0.0
        for model, usage in spent:
            if not (usage.calls or usage.input_tokens or usage.output_tokens):
                continue
            price = self.table.get(model)
            if price is None:
                return None
            total += price.of(usage)
        return total


def _listed(name: str, price: Any, path: str | Path) -> Price:
    if not isinstance(price, list) or len(price) not in (2, 3):
        raise DataError(f"invalid price of {name!r} in {path}: got {price!r:.60}", hint=_LIST)
    try:
        return Price(*price)
    except SpecError as error:
        raise DataError(f"invalid price of {name!r} in {path}: got {price!r:.60}", hint=_LIST) from error


def read_price(text: str) -> tuple[str, Price]:
    """Read a price from a command line: the model's name, "" if the text has none, and the price.

    Slashes may separate the numbers instead of commas. Raises `SpecError`.

    >>> read_price("openai:gpt=0.15,0.6")
    ('openai:gpt', Price(input=0.15, output=0.6, hour=0.0))
    """
    model, _, numbers = text.rpartition("=")
    try:
        given = [float(number) for number in numbers.replace("/", ",").split(",")]
    except ValueError:
        given = []
    if len(given) not in (2, 3):
        raise SpecError(f"invalid price: got {text!r}, expected {FORM}", hint=_HINT)
    return model, Price(*given)


def read_prices(texts: Iterable[str]) -> dict[str, Price]:
    """Read several prices by model name; the name is "" for a price without a model. Raises `SpecError`."""
    return dict(map(read_price, texts))


def named(prices: Mapping[str, Price], models: Sequence[str]) -> dict[str, Price]:
    """Prices by model name. A price without a name applies to the only model; raises `SpecError` for several models."""
    if "" in prices and len(models) != 1:
        hint = f"name the model: {', '.join(models) or 'embedded'}"
        raise SpecError("invalid price: got INPUT,OUTPUT for several models, expected MODEL=INPUT,OUTPUT", hint=hint)
    return {name or models[0]: price for name, price in prices.items()}


def dollars(amount: float) -> str:
    """An amount of US dollars as text: in cents, or with more digits if cents would hide a part of the amount."""
    if round(amount, 2) == amount:
        return f"${amount:,.2f}"
    return f"${amount:,.4f}" if amount >= 0.1 else f"${amount:.3g}"
