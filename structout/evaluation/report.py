"""The report: all numbers of an experiment."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Any

from structout import pages
from structout.errors import DataError, MissingExtraError
from structout.evaluation import metrics, taxonomy
from structout.evaluation.constant import Constant
from structout.evaluation.metrics import LABEL_FREE, RATES, Cost, Metric, is_wrong
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.stats.pairs import Difference, difference, holm
from structout.evaluation.stats.rates import Rate
from structout.evaluation.user_functions import checked
from structout.prices import Price
from structout.surfaces import json_text

if TYPE_CHECKING:
    import pyarrow


@dataclass(frozen=True)
class ReportRow:
    """The numbers of one arm on the unperturbed records.

    `rates` holds the headline metrics and the user's own; without labels, only the metrics that need none. `more` holds
    `hallucinated`, if any accepted value could be looked for in its text; with verifiers, also `false accepts` and
    `false rejects`; with repeats, also `agreement` and `pass^k`.
    """

    strategy: str
    model: str
    n: int
    rates: dict[str, Rate]
    cost: Cost
    setting: tuple[tuple[str, Any], ...] = ()
    more: dict[str, Rate] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The strategy and the point of the sweep as text."""
        return Arm(self.strategy, self.model, self.setting).label

    def _labelled(self, name: str) -> Rate:
        if name not in self.rates:
            raise DataError(f"{name} is unknown: the records have no labels", hint="label records with structout label")
        return self.rates[name]

    @property
    def compliance(self) -> Rate:
        """The rate of `compliance_rate`."""
        return self.rates["compliance"]

    @property
    def accepted(self) -> Rate:
        """The rate of `yield_rate`."""
        return self.rates["yield"]

    @property
    def value_accuracy(self) -> Rate:
        """The rate of the metric `value_accuracy`. Raises `DataError` without labels."""
        return self._labelled("value accuracy")

    @property
    def record_accuracy(self) -> Rate:
        """The rate of the metric `record_accuracy`. Raises `DataError` without labels."""
        return self._labelled("record accuracy")

    @property
    def wrong_but_valid(self) -> Rate:
        """The rate of the metric `wrong_but_valid`. Raises `DataError` without labels."""
        return self._labelled("wrong-but-valid")


@dataclass(frozen=True)
class Pair:
    """The difference between two arms, on the records that both were asked: in record accuracy (`difference`), and in
    wrong-but-valid (`wrong`).

    `p` and `p_wrong` include Holm's correction for all pairs, each for its own metric.
    """

    one: Arm
    other: Arm
    difference: Difference
    p: float
    wrong: Difference
    p_wrong: float


@dataclass(frozen=True)
class Perturbed:
    """The effect of a perturbation on an arm, on the records to which the perturbation applies.

    `change` is the change in record accuracy; `flips` is the share of outcomes that become right or wrong; `changed` is
    the share of outcomes with another document.
    """

    arm: Arm
    change: Difference
    flips: Rate
    changed: Rate


@dataclass(frozen=True, repr=False)
class Report:
    """The outcomes of an experiment with their provenance (`about`); all numbers are computed from the outcomes."""

    about: dict[str, Any]
    outcomes: tuple[Outcome, ...]
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    @cached_property
    def arms(self) -> dict[Arm, list[Outcome]]:
        """The outcomes of each arm, in the order in which they ran."""
        groups: dict[Arm, list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(outcome.arm, []).append(outcome)
        return groups

    @cached_property
    def has_labels(self) -> bool:
        """Whether the records have labels; without labels, nothing says whether a value is right."""
        return all(outcome.has_label for outcome in self.outcomes)

    @cached_property
    def plain(self) -> dict[Arm, list[Outcome]]:
        """The arms without a perturbation."""
        return {arm: outcomes for arm, outcomes in self.arms.items() if not arm.perturbation}

    @cached_property
    def constant(self) -> Constant | None:
        """How right a constant answer is on the same records; None without labels."""
        return Constant.of(self.outcomes)

    def rows(self) -> list[ReportRow]:
        """One row for each strategy, model and setting, in the order in which they ran."""
        return self._rows

    @cached_property
    def _rows(self) -> list[ReportRow]:
        own = {name: checked(metric, f"the metric {name!r}", Rate) for name, metric in self.metrics.items()}
        shown = {name: rate for name, rate in RATES.items() if self.has_labels or name in LABEL_FREE}
        prices = {name: Price(**price) for name, price in self.about.get("prices", {}).items()}
        return [
            ReportRow(
                strategy=arm.strategy,
                model=arm.model,
                n=len(outcomes),
                rates={name: rate(outcomes) for name, rate in {**shown, **own}.items()},
                cost=metrics.cost(outcomes, prices),
                setting=arm.setting,
                more=_more(outcomes) if self.has_labels else {},
            )
            for arm, outcomes in self.plain.items()
        ]

    def __getitem__(self, strategy: str) -> ReportRow:
        """The row of a strategy, by its name, its label, or its kind, such as `Reask`.

        Raises `DataError` if no strategy matches, or several do.
        """
        rows = self.rows()
        found = [row for row in rows if strategy in (row.strategy, row.label)]
        found = found or [row for row in rows if row.strategy.startswith(f"{strategy}(")]
        names = list(dict.fromkeys(row.strategy for row in found))
        if len(names) != 1:
            problem = f"{len(names)} strategies match {strategy!r}" if names else f"unknown strategy {strategy!r}"
            raise DataError(problem, hint=f"give one of: {', '.join(dict.fromkeys(row.strategy for row in rows))}")
        return found[0]

    def pairs(self) -> list[Pair]:
        """All pairs of arms, compared on the records that both were asked; without labels, none."""
        arms = self.plain if self.has_labels else {}
        right = _compared({arm: _shares(outcomes, lambda o: o.right) for arm, outcomes in arms.items()})
        wrong = _compared({arm: _shares(outcomes, is_wrong) for arm, outcomes in arms.items()})
        both = zip(combinations(arms, 2), right, wrong, strict=True)
        return [Pair(*arms, *of_right, *of_wrong) for arms, of_right, of_wrong in both]

    def perturbed(self) -> list[Perturbed]:
        """The effect of each perturbation on each arm."""
        found = []
        for arm, outcomes in self.arms.items():
            before = {(o.key, o.repeat): o for o in self.plain.get(Arm(arm.strategy, arm.model, arm.setting), [])}
            if not arm.perturbation or not before:
                continue
            found.append(_perturbed(arm, [(before[k], o) for o in outcomes if (k := (o.key, o.repeat)) in before]))
        return found

    def fields(self, arm: Arm) -> list[taxonomy.Field]:
        """Precision, recall and errors of each field in one arm; without labels, none."""
        return taxonomy.fields(self.arms[arm]) if self.has_labels else []

    def __repr__(self) -> str:
        return f"Report({self.title!r}, {len(self.rows())} rows, {len(self.outcomes)} outcomes)"

    def _repr_html_(self) -> str:
        """The headline table in a notebook."""
        names = ("compliance", "yield", "value accuracy", "record accuracy", "wrong-but-valid")
        lines = [
            [
                row.label,
                row.model,
                str(row.n),
                *(_percent(row.rates[name]) for name in names),
                f"{row.cost.seconds:.2f}",
            ]
            for row in self.rows()
        ]
        grid = pages.table(["strategy", "model", "n", *names, "seconds"], lines, "rates")
        return pages.fragment(pages.Html(f"<p>{pages.cell(self.title)}</p>{grid}"))

    def to_table(self) -> "pyarrow.Table":
        """The rows as a table of Arrow, one row each: each rate as its value, `low`, `high` and `n`, then the costs.

        A rate of no record (`n` is 0) has no value.

        Raises `MissingExtraError` without pyarrow.
        """
        try:
            import pyarrow
        except ModuleNotFoundError as error:
            raise MissingExtraError(error.name or "pyarrow", "pipeline") from error
        names = list(dict.fromkeys(name for row in self.rows() for name in (*row.rates, *row.more)))
        rows = []
        for row in self.rows():
            rates = {**row.rates, **row.more}
            line: dict[str, Any] = {"strategy": row.strategy, "model": row.model}
            line |= {"setting": json_text(dict(row.setting)), "records": row.n}
            for name in names:
                one = rates.get(name)
                for suffix, part in (("", "value"), (" low", "low"), (" high", "high"), (" n", "n")):
                    line[name + suffix] = None if one is None or not (one.n or part == "n") else getattr(one, part)
            rows.append(line | {f"cost {name}": value for name, value in asdict(row.cost).items()})
        return pyarrow.Table.from_pylist(rows)

    def to_json(self) -> dict[str, Any]:
        """All numbers as JSON. A rate of no record (`n` is 0) has null for its value and its interval."""
        numbers: dict[str, Any] = known(self._numbers())
        return numbers

    def _numbers(self) -> dict[str, Any]:
        return {
            "about": self.about,
            "rows": [_row_json(asdict(row)) for row in self.rows()],
            "constant": {name: asdict(rate) for name, rate in self.constant.rates.items()} if self.constant else None,
            "pairs": [asdict(pair) for pair in self.pairs()],
            "perturbed": [asdict(one) for one in self.perturbed()],
            "fields": [
                {"strategy": arm.strategy, "model": arm.model, "setting": arm.setting, **asdict(one)}
                for arm in self.plain
                for one in self.fields(arm)
            ],
        }

    @property
    def title(self) -> str:
        """The data set, which of its records were tested, and the models as text."""
        count = self.about.get("records")
        records = f"{count} record{'' if count == 1 else 's'}"
        return f"{self.about.get('dataset')}: {records}{_tested(self.about)}, {', '.join(self.about['models'])}"


def _tested(about: Mapping[str, Any]) -> str:
    """Which records of a data set were tested, in words; "" if the log of an earlier version does not say."""
    folds, tested, splits = about.get("folds"), about.get("tested"), about.get("splits")
    if folds:
        return f" in {folds} folds"
    if not isinstance(tested, list) or not isinstance(splits, dict) or not tested:
        return ""
    if len(tested) < len(splits) or len(tested) == 1:
        return f" of the {' and '.join(map(str, tested))} split{'s' * (len(tested) > 1)}"
    return " of all splits"


def known(value: Any) -> Any:
    """The JSON with null for the value and the interval of each rate of no record."""
    if isinstance(value, list | tuple):
        return [known(one) for one in value]
    if not isinstance(value, dict):
        return value
    if value.keys() == Rate.__dataclass_fields__.keys() and not value["n"]:
        return value | {"value": None, "low": None, "high": None}
    return {name: known(one) for name, one in value.items()}


def _row_json(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what only says that no tokens are estimated."""
    if not row["cost"]["estimated"]:
        del row["cost"]["estimated"]
    return row


def _percent(rate: Rate) -> str:
    return "–" if not rate.n else f"{100 * rate.value:.0f} % ({100 * rate.low:.0f}–{100 * rate.high:.0f})"


def _more(outcomes: list[Outcome]) -> dict[str, Rate]:
    invented = metrics.hallucinated(outcomes)
    found = {"hallucinated": invented} if invented.n else {}  # nothing that a text could hold was accepted
    if any(outcome.checks or outcome.status == "rejected" for outcome in outcomes):
        found["false accepts"] = metrics.false_accept_rate(outcomes)
        found["false rejects"] = metrics.false_reject_rate(outcomes)
    repeats = 1 + max(outcome.repeat for outcome in outcomes)
    if repeats > 1:
        found |= {"agreement": metrics.agreement(outcomes), f"pass^{repeats}": metrics.pass_power(outcomes, repeats)}
    return found


def _perturbed(arm: Arm, both: list[tuple[Outcome, Outcome]]) -> Perturbed:
    old, new = (_shares([pair[side] for pair in both], lambda o: o.right) for side in (0, 1))
    flipped = {id(other) for one, other in both if one.right != other.right}
    changed = {id(other) for one, other in both if one.document != other.document}
    after = [other for _, other in both]
    return Perturbed(
        arm,
        difference(list(new.values()), list(old.values())),
        metrics.share(after, lambda o: id(o) in flipped),
        metrics.share(after, lambda o: id(o) in changed),
    )


def _shares(outcomes: Sequence[Outcome], holds: Callable[[Outcome], bool]) -> dict[str, float]:
    """The share of each record's repeats for which `holds` is true, by the record's key."""
    found: dict[str, list[bool]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.key, []).append(holds(outcome))
    return {key: sum(held) / len(held) for key, held in found.items()}


def _compared(shares: Mapping[Arm, dict[str, float]]) -> list[tuple[Difference, float]]:
    """The difference between each pair of arms, on the records of both, with its corrected p."""
    found = []
    for one, other in combinations(shares.values(), 2):
        keys = [key for key in one if key in other]
        found.append(difference([one[key] for key in keys], [other[key] for key in keys]))
    return list(zip(found, holm([apart.p for apart in found]), strict=True))
