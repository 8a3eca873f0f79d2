"""What a new edition of prompts does to answers, in pairs: `python -m benchmarks.editions`.

Each record of schemas/ is asked with the prompts of edition 1 (structout 0.1) and of the current edition, with the
embedded model. Logs are kept, so that a run that was stopped goes on. Results go to benchmarks/results/editions.md.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from structout import Dataset, Report, defaults
from structout.completion import Sampling
from structout.evaluation import evaluate
from structout.evaluation.metrics import complies
from structout.evaluation.outcome import Outcome
from structout.evaluation.stats.pairs import Difference, difference
from structout.models import Model, load_model
from structout.result import Result, Task
from structout.strategies import Strategy, load_strategy

ROOT = Path(__file__).parent.parent
STRATEGIES = ("Prompted()", "Prompted(examples=3)", "Constrained()", "Constrained(examples=3)")


@dataclass(frozen=True)
class InEdition:
    """A strategy with the prompts of one edition."""

    inner: Strategy
    edition: int

    def run(self, tasks: Sequence[Task[Any]], model: Model) -> list[Result[Any]]:
        """Run the strategy on the tasks in this edition."""
        return self.inner.run([replace(task, edition=self.edition) for task in tasks], model)


def values_right(outcome: Outcome) -> float:
    """The share of leaves that are right; none of them without an accepted document."""
    return outcome.score.right / outcome.score.leaves if outcome.ok and outcome.score.leaves else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=30, help="test records a task")
    parser.add_argument("--logs", type=Path, default=ROOT / ".structout/editions", help="where the logs are")
    given = parser.parse_args()
    given.logs.mkdir(parents=True, exist_ok=True)
    tasks = sorted(path.parent.name for path in ROOT.glob("schemas/*/records.jsonl"))
    reports = {task: measure(task, given.records, given.logs / f"{task}.jsonl") for task in tasks}
    text = table(reports, given.records)
    (ROOT / "benchmarks/results/editions.md").write_text(text, encoding="utf-8")
    print(text)


def measure(task: str, records: int, log: Path) -> Report:
    """Both editions over the first test records of a task, in their fixed order."""
    whole = Dataset.load(ROOT / "schemas" / task)
    arms = {
        f"{name}, edition {edition}": InEdition(load_strategy(name), edition)
        for name in STRATEGIES
        for edition in (1, defaults.EDITION)
    }
    part = whole.split("test").shuffled().head(records)
    return evaluate(
        arms, load_model("embedded"), part, examples=whole, sampling=Sampling(max_tokens=256), log=log
    )  # fmt: skip


def table(reports: dict[str, Report], records: int) -> str:
    """Compliance, values right and prompt tokens of each strategy in both editions, over all tasks."""
    lines = [
        "| strategy | compliance: 1 | now | difference | values right: 1 | now | difference | prompt tokens: 1 | now |",
        "| --- |" + " ---: |" * 8,
    ]
    for name in STRATEGIES:
        before, after = (gathered(reports, f"{name}, edition {edition}") for edition in (1, defaults.EDITION))
        cells = []
        for metric in (lambda one: float(complies(one)), values_right):
            one, other = rates(before, metric), rates(after, metric)
            keys = list(one)
            found = difference([other[key] for key in keys], [one[key] for key in keys])
            cells += [mean(list(one.values())), mean(list(other.values())), told(found)]
        tokens = [
            sum(sum(call["usage"]["input_tokens"] for call in one.attempts) for one in side) / len(side)
            for side in (before, after)
        ]
        lines.append(f"| `{name}` | {' | '.join(cells)} | {tokens[0]:.0f} | {tokens[1]:.0f} |")
    return "\n".join([
        "# Two editions of prompts",
        "",
        f"{len(reports)} tasks of schemas/, up to {records} test records each, the embedded model, greedy, 256 tokens. "
        "Differences are means over records in percentage points, with their 95 % interval. Made by "
        "`python -m benchmarks.editions`.",
        "",
        *lines,
        "",
    ])  # fmt: skip


def gathered(reports: dict[str, Report], strategy: str) -> list[Outcome]:
    """The outcomes of a strategy over all tasks."""
    return [one for report in reports.values() for one in report.outcomes if one.strategy == strategy]


def rates(outcomes: Sequence[Outcome], metric: Callable[[Outcome], float]) -> dict[tuple[str, str], float]:
    """A metric by record."""
    return {(one.key, one.text): metric(one) for one in outcomes}


def mean(values: Sequence[float]) -> str:
    """A mean as percent."""
    return f"{100 * sum(values) / len(values):.1f} %"


def told(found: Difference) -> str:
    """A difference in points."""
    return f"{100 * found.value:+.1f} ({100 * found.low:+.1f} to {100 * found.high:+.1f})"


if __name__ == "__main__":
    main()
