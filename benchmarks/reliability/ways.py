"""What is compared: strategies by their short names, with thresholds and heads fitted to dev records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from structout import (
    Agreement,
    BestOf,
    Cascade,
    Confident,
    Constrained,
    DataError,
    Dataset,
    Draft,
    Grounded,
    Judge,
    Learned,
    Prompted,
    Reask,
    Repair,
    RoundTrip,
    Scripted,
    Strategy,
    Think,
    Verifier,
    Verify,
    Vote,
)
from structout.verifiers import AllOf, Judged

KEPT = 0.78  # the share of dev records that a threshold keeps: above the 70 % that the target asks of test records
BASE, PLAIN = "Repair(Prompted)", "Constrained"


@dataclass(frozen=True)
class Fitted:
    """Verifiers that cost no call, fitted to answers to dev records; None where there was too little to learn of."""

    grounded: Grounded
    confident: Confident
    roundtrip: RoundTrip
    learned: Learned | None

    @classmethod
    def on(cls, dataset: Dataset, lessons: Sequence[Judged]) -> "Fitted":
        grounded = Grounded.fit(dataset)
        try:
            learned = Learned.fit(lessons, grounded=grounded)
        except DataError:
            learned = None
        return cls(
            grounded,
            Confident(threshold(Confident(), lessons)),
            RoundTrip(threshold=threshold(RoundTrip(), lessons)),
            learned and replace(learned, threshold=threshold(learned, lessons)),
        )


def threshold(verifier: Verifier, lessons: Sequence[Judged], kept: float = KEPT) -> float:
    """The score that a share `kept` of the dev results reach; the labels are not looked at."""
    tasks, results = [one.task for one in lessons], [one.result for one in lessons]
    scores = sorted(verdict.score for verdict in verifier.check(tasks, results, Scripted("")))
    return scores[int((1 - kept) * len(scores))] if scores else 0.5


def ways(fitted: Fitted, examples: int, samples: int) -> dict[str, Strategy]:
    """The strategies to compare, cheapest first; `examples` are shown where the model was not fine-tuned."""
    plain = Constrained(examples=examples)
    asked = Prompted(examples=examples)
    free: dict[str, Verifier] = {
        "Grounded": fitted.grounded,
        "Confident": fitted.confident,
        "RoundTrip": fitted.roundtrip,
    }
    best: Verifier = fitted.confident
    if fitted.learned is not None:
        free["Learned"] = best = fitted.learned
    free[f"{_name(best)} and Grounded"] = AllOf(fitted.grounded, best)
    quoting = Constrained(examples=examples, quote=True)
    found: dict[str, Strategy] = {BASE: Repair(asked), PLAIN: plain, "Constrained, quoting": quoting}
    if examples:
        found["Constrained, similar examples"] = Constrained(examples=examples, choose="similar")
    found |= {f"Verify by {name}": Verify(plain, verifier) for name, verifier in free.items()}
    found[f"Quoting, Verify by {_name(best)}"] = Verify(quoting, best)
    vote = Vote(plain, n=samples)
    return found | {
        "Verify by Grounded, re-ask": Verify(plain, fitted.grounded, on_reject="reask"),
        "Reask(Repair(Prompted))": Reask(Repair(asked)),
        "Verify by Agreement": Verify(plain, Agreement()),
        "Verify by Judge": Verify(plain, Judge()),
        "Verify by Judge per field": Verify(plain, Judge(per_field=True)),
        "Verify by RoundTrip, model": Verify(plain, RoundTrip(by="model")),
        "BestOf first_valid": BestOf(plain, samples, "first_valid"),
        "BestOf mean_logprob": BestOf(plain, samples, "mean_logprob"),
        "BestOf value_logprob": BestOf(plain, samples, "value_logprob"),
        f"BestOf {_name(best)}": BestOf(plain, samples, best),
        "Vote record": Vote(plain, n=samples, level="record"),
        "Vote field": vote,
        "Vote field, Verify by Confident": Verify(vote, Confident(0.6)),
        f"Cascade of {_name(best)}, then Vote": Cascade(Verify(plain, best), Verify(vote, Confident(0.6))),
        "Draft": Draft(plain, asked),
        "Think": Think(plain),
    }


def _name(verifier: Verifier) -> str:
    return type(verifier).__name__
