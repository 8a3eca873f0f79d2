"""The numbers, for people and for machines."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from structout.evaluation import metrics
from structout.evaluation.metrics import Cost
from structout.evaluation.outcome import Outcome
from structout.evaluation.statistics import Rate

if TYPE_CHECKING:
    from rich.console import Group

RATES = {
    "parse": metrics.parse_rate,
    "compliance": metrics.compliance_rate,
    "yield": metrics.yield_rate,
    "value accuracy": metrics.value_accuracy,
    "record accuracy": metrics.record_accuracy,
    "wrong-but-valid": metrics.wrong_but_valid,
}


@dataclass(frozen=True)
class Row:
    """What one strategy does with one model."""

    strategy: str
    model: str
    n: int
    rates: dict[str, Rate]
    cost: Cost


@dataclass(frozen=True)
class Report:
    """The outcomes of an experiment with where they come from; the numbers are computed from them."""

    about: dict[str, Any]
    outcomes: tuple[Outcome, ...]

    def rows(self) -> list[Row]:
        """One row for each strategy and model, in the order in which they ran."""
        groups: dict[tuple[str, str], list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault((outcome.strategy, outcome.model), []).append(outcome)
        return [
            Row(
                strategy,
                model,
                len(group),
                {name: rate(group) for name, rate in RATES.items()},
                metrics.cost(group),
            )
            for (strategy, model), group in groups.items()
        ]

    def __getitem__(self, strategy: str) -> Row:
        """The row of a strategy, by its name."""
        return next(row for row in self.rows() if row.strategy == strategy)

    def to_json(self) -> dict[str, Any]:
        return {"about": self.about, "rows": [asdict(row) for row in self.rows()]}

    def table(self, width: int = 120) -> "Group":
        """A table for a terminal of `width` columns; a narrow one gets numbers for the strategies, and a legend."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        heads, *lines = self._cells()
        names = [line[0] for line in lines]
        narrow = width < 88 + max(map(len, names), default=0)
        shown = [i for i, head in enumerate(heads) if not (narrow and head == "calls")]
        table = Table(title=self.title, box=None, padding=(0, 1 if narrow else 2, 0, 0), title_justify="left")
        for i in shown:
            head = heads[i].replace("-", "-\n", 1).replace(" ", "\n", 1)
            table.add_column("#" if narrow and i == 0 else head, justify="right" if i else "left")
        for number, line in enumerate(lines, 1):
            table.add_row(*(str(number) if narrow and i == 0 else line[i] for i in shown))
        legend = [f"{number}  {name}" for number, name in enumerate(names, 1)] if narrow else []
        return Group(table, "", *map(Text, legend), Text(_CAPTION, style="dim"))

    def markdown(self) -> str:
        """A table for a README."""
        heads, *lines = self._cells()
        rule = ["---", *["---:"] * (len(heads) - 1)]
        cells = (" | ".join(cell.replace("\n", " ") for cell in line) for line in (heads, rule, *lines))
        return "\n".join(f"| {line} |" for line in cells)

    @property
    def title(self) -> str:
        return f"{self.about.get('dataset')}: {self.about.get('records')} records, {', '.join(self.about['models'])}"

    def _cells(self) -> Iterator[list[str]]:
        rows = self.rows()
        models = len({row.model for row in rows}) > 1
        yield ["strategy", *(["model"] if models else []), *RATES, "calls", "tokens", "seconds", "s / correct"]
        for row in rows:
            rates = [f"{100 * r.value:.0f} %\n{100 * r.low:.0f}–{100 * r.high:.0f}" for r in row.rates.values()]
            c = row.cost
            correct = f"{c.seconds_per_correct:.1f}" if c.seconds_per_correct is not None else "–"
            costs = [_calls(c), f"{c.tokens:.0f}", f"{c.seconds:.2f}", correct]
            yield [row.strategy, *([row.model] if models else []), *rates, *costs]


def _calls(cost: Cost) -> str:
    """Calls a record; those of verifiers apart."""
    return f"{cost.calls - cost.checks:.2f} + {cost.checks:.2f}" if cost.checks else f"{cost.calls:.2f}"


_CAPTION = (
    "Rates with 95 % Wilson intervals. Compliance is strict, as produced; yield is what was accepted; calls, tokens "
    "and seconds are per record, every attempt counted; s / correct: seconds per record that is right in every leaf."
)
