"""Costs as people write them: `$0.0012 a record`, `$12 for 10,000 records`, `0.4 s a record`."""

from math import floor, log10
from typing import TYPE_CHECKING, Literal

from structout.prices import dollars

if TYPE_CHECKING:
    from collections.abc import Collection

    from structout.evaluation.metrics import Cost

Minimise = Literal["price", "seconds", "tokens", "calls"]


def unit_of(costs: "Collection[Cost]") -> Minimise:
    """The unit to compare costs in: the price if it is known for all, otherwise seconds."""
    return "price" if costs and all(cost.price is not None for cost in costs) else "seconds"


def in_unit(cost: "Cost", unit: Minimise) -> float:
    """The cost of one record in a unit, 0 for an unknown price."""
    return float(getattr(cost, unit) or 0.0)


def drawn(unit: Minimise) -> tuple[str, int]:
    """The name of an axis of costs, and the number of records that it is for: dollars of one record are too small."""
    return ("US dollars for 1,000 records", 1000) if unit == "price" else ("model seconds per record", 1)


def amount(cost: float, unit: Minimise) -> str:
    """A cost in words: US dollars, seconds (minutes and hours where there are many), tokens or calls."""
    if unit == "price":
        return dollars(float(f"{cost:.3g}")).removesuffix(".00")
    if unit != "seconds":
        return f"{plain(cost)} {unit[:-1] if cost == 1 else unit}"
    for seconds, name in ((86400.0, "days"), (3600.0, "hours"), (60.0, "minutes")):
        if cost >= 2 * seconds:
            return f"{plain(cost / seconds)} {name}"
    return f"{plain(cost)} s"


def a_record(cost: float, unit: Minimise) -> str:
    """The cost of one record in words."""
    return f"{amount(cost, unit)} a record"


def for_records(cost: float, unit: Minimise, records: int) -> str:
    """The cost of many records in words, from the cost of one."""
    return f"{amount(cost * records, unit)} for {records:,} record{'' if records == 1 else 's'}"


def plain(number: float) -> str:
    """A number of two significant digits, or whole from 10 on, without an exponent.

    >>> [plain(one) for one in (0.000012, 0.4, 1.25, 1234.5, 0)]
    ['0.000012', '0.4', '1.2', '1,234', '0']
    """
    if number >= 9.95 or number == 0:
        return f"{number:,.0f}"
    text = f"{number:.{1 - floor(log10(number))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
