"""How sure must the model be, so that what is accepted is seldom wrong?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, inf, log, nextafter
from pathlib import Path

import numpy as np

from structout.completion import Sampling
from structout.errors import DataError
from structout.evaluation.dataset import Dataset
from structout.evaluation.harness import evaluate, labelled
from structout.evaluation.outcome import Outcome
from structout.evaluation.recommendation import measured_with
from structout.evaluation.stats.rates import CONFIDENCE, Rate, p_value, upper_bound, wilson
from structout.models import Model
from structout.strategies import On, Strategy, Verify, load_strategy, spec, strategy_of
from structout.verifiers import Confident

Confidence = Callable[[Outcome], float | None]
_STEPS = 20  # thresholds that are tried


@dataclass(frozen=True)
class Certificate:
    """A confidence threshold, and what accepting only at or above it is worth.

    With 95 % confidence at most `max_error` of the records so accepted are wrong; `threshold` is None if none could be
    shown. `coverage` is the share of records that it accepts, `errors` of those were wrong among `accepted`, and
    `worst` is what the error is at most. `base_error` is the error if everything accepted by the strategy counts;
    `bound` the least share of those that must be turned away by any means to get down to `max_error`. `source` is what
    `load_model` takes for the model; it holds for answers of `max_tokens`, with the train records of `dataset` as
    examples.
    """

    strategy: str
    model: str
    max_error: float
    threshold: float | None
    coverage: Rate
    accepted: int
    errors: int
    worst: float
    base_error: Rate
    bound: float
    n: int
    source: str
    dataset: str
    max_tokens: int

    def written(self, place: str | None = None) -> str:
        """The strategy that abstains, as a file that `load_strategy` takes. `place` is where the data set is.

        Raises `DataError` if there is none.
        """
        if self.threshold is None:
            raise DataError("no threshold could be shown to do", hint="label more records, or allow more error")
        strategy = Verify(On(self.source, load_strategy(self.strategy)), Confident(self.threshold))
        allowed, sure, covered = f"{100 * self.max_error:g} %", f"{100 * CONFIDENCE:.0f} %", self.coverage.value
        return (
            f"# At most {allowed} of what it accepts is wrong, with {sure} confidence.\n"
            f"# It accepts {100 * covered:.0f} % of {self.n} records.\n"
            f"{measured_with(place or self.dataset, self.max_tokens)}{spec(strategy)}\n"
        )


def certify(
    strategy: Strategy | str,
    dataset: Dataset,
    max_error: float = 0.05,
    *,
    model: Model | str = "embedded",
    confidence: Confidence = lambda outcome: outcome.sureness,
    sampling: Sampling | None = None,
    log: str | Path | None = None,
    progress: Callable[[Outcome], None] = lambda outcome: None,
) -> Certificate:
    """Find the confidence above which accepted records are wrong at most that often, with a finite-sample guarantee.

    The dev records propose thresholds, the test records judge them: Learn-then-Test (Angelopoulos et al. 2021) from the
    strictest threshold that enough records pass down to the laxest, until one cannot be shown. `confidence` tells for
    each outcome how sure the strategy is: by default `Outcome.sureness`, by which `Confident` goes too;
    `Outcome.value_logprob` is another. Raises `DataError` if there are no dev or test records.
    """
    built = strategy_of(strategy)
    sampling = sampling or Sampling()
    parts = [labelled(dataset).split("dev"), dataset.split("test")]
    dev, test = (
        evaluate([built], model, part, examples=dataset, sampling=sampling, log=log, progress=progress).outcomes
        for part in parts
    )
    sure, wrong = _judged(test, confidence)
    proposed, _ = _judged(dev, confidence)
    found = threshold(proposed, sure, wrong, max_error)
    accepted, errors = _above(sure, wrong, -inf if found is None else found)
    base = wilson(float(np.mean(wrong)) if len(wrong) else 0.0, len(wrong))
    coverage = wilson(accepted / len(test) if found is not None else 0.0, len(test))
    worst = upper_bound(errors, accepted) if accepted else 1.0
    bound = max(0.0, (base.value - max_error) / (1 - max_error))
    name = test[0].model
    source = model if isinstance(model, str) else name
    return Certificate(
        strategy=spec(built), model=name, max_error=max_error, threshold=found, coverage=coverage, accepted=accepted,
        errors=errors, worst=worst, base_error=base, bound=bound, n=len(test), source=source, dataset=dataset.name,
        max_tokens=sampling.max_tokens,
    )  # fmt: skip


def threshold(
    proposed: Sequence[float], sure: Sequence[float], wrong: Sequence[bool], max_error: float
) -> float | None:
    """The lowest threshold at which errors are shown to be rare enough, None if there is none.

    `proposed` are the confidences of records of their own, whose quantiles are tried; `sure` and `wrong` are those of
    the records that judge. What passes a threshold is a sample of all that would, so its errors are binomial; the
    thresholds and their order are fixed before a judge is looked at, so that each is tested at full level.
    """
    if not len(proposed) or not len(sure):
        return None
    quantiles = np.linspace(1, 0, _STEPS + 1)
    tried = (float(np.quantile(proposed, q, method="lower")) for q in quantiles)
    steps = dict.fromkeys(one for one in tried if one > -inf)
    # Fewer than these show nothing even if all are right; half as many again leave room for chance.
    enough = 1.5 * ceil(log(1 - CONFIDENCE) / log(1 - max_error))
    passing = {one: float(np.mean(np.asarray(proposed) >= one)) * len(sure) for one in steps}
    found = None
    for one in [one for one in steps if passing[one] >= enough] or list(steps)[-1:]:
        accepted, errors = _above(sure, wrong, one)
        if p_value(accepted - errors, accepted, 1 - max_error) > 1 - CONFIDENCE:
            break
        found = one
    return found


def _judged(outcomes: Sequence[Outcome], confidence: Confidence) -> tuple[list[float], list[bool]]:
    """How sure each accepted document is, and whether it is wrong; one without a confidence is never sure enough."""
    accepted = [outcome for outcome in outcomes if outcome.ok]
    known = [confidence(outcome) for outcome in accepted]
    return [-inf if one is None else one for one in known], [not outcome.right for outcome in accepted]


def _above(sure: Sequence[float], wrong: Sequence[bool], least: float) -> tuple[int, int]:
    """How many are sure enough, and how many of these are wrong."""
    passed = np.asarray(sure) >= max(least, nextafter(-inf, 0))
    return int(passed.sum()), int((passed & np.asarray(wrong, bool)).sum())
