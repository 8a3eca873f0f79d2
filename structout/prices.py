"""Prices of models: US dollars for tokens and for hours, by model name."""

import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from structout.completion import Usage
from structout.document import load_json
from structout.errors import DataError, SpecError

_MILLION = 1_000_000
FORM = "[MODEL=]INPUT,OUTPUT[,HOUR][,cached=C][,stored=S]"  # the form of a price on a command line
_LIST = 'write {"MODEL": [INPUT, OUTPUT]} or {"MODEL": {"input": INPUT, "output": OUTPUT, "cached": C}} with numbers'
_HINT = (
    "US dollars for a million input tokens, for a million output tokens, and for an hour; cached and stored: for a "
    "million input tokens that are read from and written to a cache"
)
_AMOUNTS = ("input", "output", "hour", "cached", "stored")
_NAMED = re.compile(r"[,/](cached|stored)=([^,/=]*)$")
# genai-prices' names of providers, where they differ from those of models
_PROVIDERS = {
    "openai-chat": "openai", "openai-responses": "openai", "azure-responses": "azure", "bedrock": "aws",
    "google-cloud": "google", "xai": "x-ai",
}  # fmt: skip
_NO_PROVIDER = ("hf", "path", "py", "scripted", "")
_USUAL_TIERS = {"auto", "default", "standard", "standard_only"}  # of a provider's service


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars for a million input tokens, for a million output tokens, and for an hour of the model's time.

    `cached` and `stored` are for a million input tokens that are read from a provider's cache and written to it; None
    stands for the price of input. `source` names the list that the price is from, "" for a price of the user. Raises
    `SpecError` for an amount that is negative or not a number.
    """

    input: float = 0.0
    output: float = 0.0
    hour: float = 0.0
    cached: float | None = None
    stored: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        for name in _AMOUNTS:
            dollars = getattr(self, name)
            if dollars is None and name in ("cached", "stored"):
                continue
            if isinstance(dollars, bool) or not isinstance(dollars, int | float) or not 0 <= dollars < math.inf:
                raise SpecError(f"invalid price: {name} is {dollars!r}", hint="give US dollars, 0 or more")

    def of(self, usage: Usage) -> float:
        """The price of a usage in US dollars."""
        reused, stored = usage.reused_tokens, usage.stored_tokens
        tokens = (
            max(0, usage.input_tokens - reused - stored) * self.input
            + reused * (self.input if self.cached is None else self.cached)
            + stored * (self.input if self.stored is None else self.stored)
            + usage.output_tokens * self.output
        )
        return tokens / _MILLION + self.hour * usage.seconds / 3600


@dataclass(frozen=True)
class Prices:
    """Prices by model name. The price of an unlisted model is unknown, and never counts as zero."""

    table: Mapping[str, Price] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> "Prices":
        """Read a JSON file of `{"MODEL": [input, output]}`, `[input, output, hour]`, or an object with the fields of
        `Price`. Raises `DataError`.
        """
        try:
            rows = load_json(Path(path).read_text(encoding="utf-8"))
        except OSError as error:
            raise DataError(f"cannot read {path}: {error.strerror}", hint="check the path") from error
        except ValueError as error:
            raise DataError(f"cannot read {path}: not JSON: {error}", hint=_LIST) from error
        if not isinstance(rows, dict):
            raise DataError(f"invalid price list {path}: expected a JSON object", hint=_LIST)
        return cls({name: _listed(name, price, path) for name, price in rows.items()})

    @classmethod
    def of(cls, given: "Prices | Mapping[str, Price | Sequence[float]]") -> "Prices":
        """Prices from a mapping of models' names to a `Price` or to US dollars for a million tokens, `(input, output)`
        or `(input, output, hour)`. Raises `SpecError`.

        >>> Prices.of({"openai:gpt-5": (1.25, 10)}).table["openai:gpt-5"].output
        10
        """
        if isinstance(given, Prices):
            return given
        if not isinstance(given, Mapping):
            raise SpecError(f"invalid prices: got {given!r:.60}", hint="give {MODEL: (INPUT, OUTPUT)} or Prices")
        table = {}
        for name, price in given.items():
            if isinstance(price, Price):
                table[name] = price
            elif isinstance(price, list | tuple) and len(price) in (2, 3):
                table[name] = Price(*price)
            else:
                raise SpecError(f"invalid price of {name!r}: got {price!r:.60}", hint="give (INPUT, OUTPUT)")
        return cls(table)

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
    is_list = isinstance(price, list) and len(price) in (2, 3)
    is_object = isinstance(price, dict) and {"input", "output"} <= price.keys() <= set(_AMOUNTS)
    if not is_list and not is_object:
        raise DataError(f"invalid price of {name!r} in {path}: got {price!r:.60}", hint=_LIST)
    try:
        return Price(**price) if is_object else Price(*price)
    except SpecError as error:
        raise DataError(f"invalid price of {name!r} in {path}: got {price!r:.60}", hint=_LIST) from error


def read_price(text: str) -> tuple[str, Price]:
    """Read a price from a command line: the model's name, "" if the text has none, and the price.

    Slashes may separate the numbers instead of commas. Raises `SpecError`.

    >>> read_price("anthropic:claude=3,15,cached=0.3") == ("anthropic:claude", Price(3, 15, cached=0.3))
    True
    """
    rest = text
    named: dict[str, str] = {}
    while (found := _NAMED.search(rest)) and found[1] not in named:
        named[found[1]] = found[2]
        rest = rest[: found.start()]
    model, _, numbers = rest.rpartition("=")
    try:
        given = [float(number) for number in numbers.replace("/", ",").split(",")]
        extra = {name: float(number) for name, number in named.items()}
    except ValueError:
        given, extra = [], {}
    if len(given) not in (2, 3):
        raise SpecError(f"invalid price: got {text!r}, expected {FORM}", hint=_HINT)
    hour = given[2] if len(given) == 3 else 0.0
    return model, Price(given[0], given[1], hour, extra.get("cached"), extra.get("stored"))


def read_prices(texts: Iterable[str]) -> dict[str, Price]:
    """Read several prices by model name; the name is "" for a price without a model. Raises `SpecError`."""
    return dict(map(read_price, texts))


def named(prices: Mapping[str, Price], models: Sequence[str]) -> dict[str, Price]:
    """Prices by model name. A price without a name applies to the only model, whatever its options.

    Raises `SpecError` for several models.
    """
    if "" in prices and len(set(map(without_options, models))) != 1:
        hint = f"name the model: {', '.join(models) or 'embedded'}"
        raise SpecError("invalid price: got INPUT,OUTPUT for several models, expected MODEL=INPUT,OUTPUT", hint=hint)
    return {one: price for name, price in prices.items() for one in ([name] if name else models)}


def with_known(prices: Mapping[str, Price], models: Iterable[str]) -> dict[str, Price]:
    """Prices by model name. An unlisted model has the price of its name without options, or else the price that
    genai-prices knows.
    """
    found = {name: prices.get(without_options(name)) or known_price(name) for name in models if name not in prices}
    return {**{name: price for name, price in found.items() if price is not None}, **prices}


def without_options(model: str) -> str:
    """A model's name without its options; only the option `batch` stays, as batches have another price."""
    name, _, options = model.partition("#")
    return f"{name}#batch" if "batch" in options.split(",") else name


def known_price(model: str) -> Price | None:
    """The price of a hosted provider's model in genai-prices, such as `anthropic:claude-sonnet-4-5`.

    None if the model is unknown, is asked at an unknown address or in another service tier, or if genai-prices is not
    installed. The price is that
    of the lowest tier; a name with the option `batch` gets the price of batches.
    """
    place, _, options = model.removeprefix("pydantic-ai:").partition("#")
    provider, _, rest = place.partition(":")
    provider = provider.rpartition("/")[2]  # after gateway/
    name, at, server = rest.partition("@http")
    if provider in _NO_PROVIDER or not name:
        return None
    if not at and provider == "openai" and os.environ.get("OPENAI_BASE_URL"):
        return None  # a server of the user's own
    tiers = [
        value.strip('"')
        for key, _, value in (one.partition("=") for one in options.split(","))
        if key.endswith("service_tier")
    ]
    if not set(tiers) <= _USUAL_TIERS:
        return None
    who = None if at else _PROVIDERS.get(provider, provider)
    return _listed_price(who, f"http{server}" if at else None, name, "batch" in options.split(","))


@cache
def _listed_price(provider: str | None, address: str | None, model: str, is_batch: bool) -> Price | None:
    try:
        from genai_prices.data_snapshot import get_snapshot
    except ModuleNotFoundError:
        return None
    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, address)
        listed = found.get_prices(datetime.now(UTC), {"processing": "batch"} if is_batch else None)
    except LookupError:
        return None
    amounts = [
        _base(getattr(listed, f"{name}_mtok", None)) for name in ("input", "output", "cache_read", "cache_write")
    ]
    read, wrote, cached, stored = amounts
    if read is None or wrote is None:
        return None
    return Price(read, wrote, cached=cached, stored=stored, source=_source())


def _base(price: Any) -> float | None:
    """A price of genai-prices in dollars; of several tiers, the lowest."""
    return None if price is None else float(getattr(price, "base", price))


@cache
def _source() -> str:
    """The version of genai-prices, and the date of the newest price that it holds."""
    from genai_prices import __version__
    from genai_prices.data_snapshot import get_snapshot

    conditional = (
        getattr(one.constraint, "start_date", None)
        for provider in get_snapshot().providers
        for model in provider.models
        for one in (model.prices if isinstance(model.prices, list) else ())
    )
    today = datetime.now(UTC).date()
    newest = max((date for date in conditional if date is not None and date <= today), default=None)
    return f"genai-prices {__version__}" + (f" with prices up to {newest}" if newest else "")


def dollars(amount: float) -> str:
    """An amount of US dollars as text: in cents, or with more digits if cents would hide a part of the amount.

    >>> [dollars(one) for one in (12, 1.5, 0.0012, 0.0000123456)]
    ['$12.00', '$1.50', '$0.0012', '$0.0000123']
    """
    if round(amount, 2) == amount or amount >= 100:
        return f"${amount:,.2f}"
    if amount >= 0.1:
        return f"${amount:,.4f}"
    return "$" + f"{amount:.{2 - math.floor(math.log10(amount))}f}".rstrip("0")
