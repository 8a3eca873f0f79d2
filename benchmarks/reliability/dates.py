"""Dates that a text writes in words: answered as ISO dates, or as they are written and then read by code.

    python -m benchmarks.reliability.dates --records 60

The same orders are asked about twice, with the same model and examples: with a schema whose dates are ISO dates, which
the model has to reckon, and with a schema whose dates are quoted from the text and which code reads (`read_date`).
Counted is whether the date that a program gets is right, by the form of the date.
"""

import argparse
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import BaseModel

from structout import Constrained, Example, Sampling, Schema, load_model
from structout.evaluation.stats.pairs import difference
from structout.evaluation.stats.rates import wilson
from structout.result import Task

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
FORMS = ("in words", "in figures", "in days", "next weekday", "in weeks", "tomorrow")
EXAMPLES = 6


class Reckoned(BaseModel):
    """An order whose dates the model has to write as ISO dates."""

    received: date
    due: date


class Written(BaseModel):
    """An order whose dates are answered as they are written."""

    received: str
    due: str


@dataclass(frozen=True)
class Order:
    """A text with its dates, as they are and as they are written. `form` is the form of the due date."""

    text: str
    form: str
    received: date
    due: date
    received_written: str
    due_written: str


def orders(count: int, seed: int) -> Iterator[Order]:
    """Orders with due dates in each form in turn."""
    dice = random.Random(seed)
    for number in range(count):
        received = date(2026, 1, 1) + timedelta(dice.randrange(365))
        form = FORMS[number % len(FORMS)]
        due, written = due_day(form, received, dice)
        told = in_words(received)
        what, city = dice.choice(("bolts", "hinges", "panels")), dice.choice(("Lyon", "Graz", "Bonn"))
        text = f"Received {told}: {dice.randrange(2, 90)} {what} for {city}, wanted {written}."
        yield Order(text, form, received, due, told, written)


def due_day(form: str, received: date, dice: random.Random) -> tuple[date, str]:
    """A day after the day of receipt, in one of `FORMS`, and its words."""
    days = dice.randrange(3, 28)
    due = received + timedelta(days)
    if form == "in words":
        return due, in_words(due)
    if form == "in figures":
        return due, f"{due.day:02d}/{due.month:02d}/{due.year}"
    if form == "in days":
        return due, f"in {days} days"
    if form == "in weeks":
        weeks = dice.randrange(2, 6)
        return received + timedelta(weeks=weeks), f"in {weeks} weeks"
    if form == "next weekday":
        day = dice.randrange(7)
        return received + timedelta((day - received.weekday() - 1) % 7 + 1), f"next {DAYS[day]}"
    return received + timedelta(1), "tomorrow"


def in_words(day: date) -> str:
    """A date as people write it: 4 July 2026."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def read_date(written: str, received: date | None = None) -> date | None:
    """The date that a phrase names, counted from the day of receipt; None if it names none."""
    phrase = written.strip().rstrip(".").lower()
    if found := re.fullmatch(r"(\d{1,2}) ([a-z]+) (\d{4})", phrase):
        names = [month.lower() for month in MONTHS]
        return date(int(found[3]), names.index(found[2]) + 1, int(found[1])) if found[2] in names else None
    if found := re.fullmatch(r"(\d\d)/(\d\d)/(\d{4})", phrase):
        return date(int(found[3]), int(found[2]), int(found[1]))
    if received is None:
        return None
    if found := re.fullmatch(r"in (\d+) (day|week)s?", phrase):
        return received + timedelta(int(found[1]) * (7 if found[2] == "week" else 1))
    if (found := re.fullmatch(r"next ([a-z]+)", phrase)) and found[1].capitalize() in DAYS:
        return received + timedelta((DAYS.index(found[1].capitalize()) - received.weekday() - 1) % 7 + 1)
    return received + timedelta(1) if phrase == "tomorrow" else None


def reckoned(document: Any) -> date | None:
    """The due date of an answer with ISO dates."""
    try:
        return date.fromisoformat(document["due"])
    except (TypeError, KeyError, ValueError):
        return None


def read(document: Any) -> date | None:
    """The due date of an answer with dates as they are written."""
    try:
        return read_date(document["due"], read_date(document["received"]))
    except (TypeError, KeyError, ValueError):
        return None


def right(
    schema: type[BaseModel],
    label: Callable[[Order], dict[str, str]],
    due: Callable[[Any], date | None],
    shown: Sequence[Order],
    tested: Sequence[Order],
    model: str,
    *,
    quote: bool,
) -> list[bool]:
    """Whether the program gets the right due date of each tested order."""
    contract, asked = Schema.of(schema), load_model(model)
    examples = tuple(Example(one.text, dict(label(one))) for one in shown)
    strategy = Constrained(examples=EXAMPLES, quote=quote)
    tasks = [Task(one.text, contract, examples, Sampling(max_tokens=64)) for one in tested]
    results = strategy.run(tasks, asked)
    return [due(result.document) == one.due for one, result in zip(tested, results, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=60)
    parser.add_argument("--model", default="embedded")
    given = parser.parse_args()
    shown, tested = list(orders(EXAMPLES, seed=1)), list(orders(given.records, seed=2))
    ways = {
        "ISO dates": right(
            Reckoned, lambda one: {"received": str(one.received), "due": str(one.due)}, reckoned, shown, tested,
            given.model, quote=False,
        ),
        "as written": right(
            Written, lambda one: {"received": one.received_written, "due": one.due_written}, read, shown, tested,
            given.model, quote=False,
        ),
        "as written, quoted": right(
            Written, lambda one: {"received": one.received_written, "due": one.due_written}, read, shown, tested,
            given.model, quote=True,
        ),
    }  # fmt: skip
    print(f"| {given.model}, {EXAMPLES} examples | due dates right | {' | '.join(FORMS)} |")
    print(f"| --- | --- |{' --- |' * len(FORMS)}")
    for name, found in ways.items():
        rate = wilson(sum(found) / len(found), len(found))
        by_form = Counter(one.form for one, is_right in zip(tested, found, strict=True) if is_right)
        sizes = Counter(one.form for one in tested)
        cells = " | ".join(f"{by_form[form]} of {sizes[form]}" for form in FORMS)
        print(f"| {name} | {100 * rate.value:.0f} % ({100 * rate.low:.0f} to {100 * rate.high:.0f}) | {cells} |")
    base, *_, last = ways.values()
    apart = difference([float(one) for one in last], [float(one) for one in base])
    print(
        f"\nThe last against the first: {100 * apart.value:+.0f} points ({100 * apart.low:+.0f} to "
        f"{100 * apart.high:+.0f}), p = {apart.p:.2g}"
    )


if __name__ == "__main__":
    main()
