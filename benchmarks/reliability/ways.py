"""What is compared: strategies by their short names, with thresholds and heads fitted to dev records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from structout import (
    Agreement,
    BestOf,
    Cascade,
    Confident,
    Constrained,
    DataError,
    Dataset,
    Draft,
    Ensemble,
    Grounded,
    Judge,
    Learned,
    On,
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
from structout.models import Model
from structout.verifiers import AllOf, Judged

KEPT = 0.78  # the share of dev records that a threshold keeps: above the 70 % that the target asks of test records
BASE = "Constrained, quoting"  # what the other ways are compared with
ENSEMBLE = "Ensemble"


@dataclass(frozen=True)
class Fitted:
    """Verifiers that cost no call, fitted to answers to dev records; None where there was too little to learn of."""

    grounded: Grounded
    confident: Confident
    answer: Confident
    roundtrip: RoundTrip
    learned: Learned | None
    together: Confident | None

    @classmethod
    def on(cls, dataset: Dataset, lessons: Sequence[Judged], together: Sequence[Judged] = ()) -> "Fitted":
        """Fit to results of `Constrained(quote=True)`, and to those of an `Ensemble`, if there is one."""
        grounded = Grounded.fit(dataset)
        try:
            learned = Learned.fit(lessons, grounded=grounded)
        except DataError:
            learned = None
        return cls(
            grounded,
            _likely("values", lessons),
            _likely("answer", lessons),
            RoundTrip(threshold=threshold(RoundTrip(), lessons)),
            learned and replace(learned, threshold=threshold(learned, lessons)),
            _likely("answer", together) if together else None,
        )


def threshold(verifier: Verifier, lessons: Sequence[Judged], kept: float = KEPT) -> float:
    """The score that a share `kept` of the dev results reach; the labels are not looked at."""
    tasks, results = [one.task for one in lessons], [one.result for one in lessons]
    scores = sorted(verdict.score for verdict in verifier.check(tasks, results, Scripted("")))
    return scores[int((1 - kept) * len(scores))] if scores else 0.5


def _likely(of: Literal["values", "answer"], lessons: Sequence[Judged]) -> Confident:
    return Confident(threshold(Confident(of=of), lessons), of=of)


def together(members: Sequence[Model], examples: int = 0) -> Ensemble:
    """Several fine-tuned models that decide together."""
    return Ensemble(*(On(model, Constrained(examples=examples, quote=True)) for model in members))


def ways(fitted: Fitted, examples: int, samples: int, members: Sequence[Model] = ()) -> dict[str, Strategy]:
    """The strategies to compare, cheapest first; `examples` are shown where the model was not fine-tuned."""
    asked, quoting = Prompted(examples=examples), Constrained(examples=examples, quote=True)
    free: dict[str, Verifier] = {
        "Grounded": fitted.grounded,
        "Confident": fitted.confident,
        "Confident, whole answer": fitted.answer,
        "RoundTrip": fitted.roundtrip,
    }
    best: Verifier = fitted.answer
    if fitted.learned is not None:
        free["Learned"] = best = fitted.learned
    free[f"{_name(best)} and Grounded"] = AllOf(fitted.grounded, best)
    found: dict[str, Strategy] = {
        "Repair(Prompted)": Repair(asked),
        "Constrained": Constrained(examples=examples),
        BASE: quoting,
    }
    if examples:
        found["Similar examples"] = Constrained(examples=examples, quote=True, choose="similar")
    found |= {f"Verify by {name}": Verify(quoting, verifier) for name, verifier in free.items()}
    if members and fitted.together is not None:
        found[ENSEMBLE] = all_of_them = together(members, examples)
        found[f"{ENSEMBLE}, Verify by Confident, whole answer"] = Verify(all_of_them, fitted.together)
    vote = Vote(quoting, n=samples)
    return found | {
        "Verify by Grounded, re-ask": Verify(quoting, fitted.grounded, on_reject="reask"),
        "Reask(Repair(Prompted))": Reask(Repair(asked)),
        "Verify by Agreement": Verify(quoting, Agreement()),
        "Verify by Judge": Verify(quoting, Judge()),
        "Verify by Judge per field": Verify(quoting, Judge(per_field=True)),
        "Verify by RoundTrip, model": Verify(quoting, RoundTrip(by="model")),
        "BestOf first_valid": BestOf(quoting, samples, "first_valid"),
        "BestOf mean_logprob": BestOf(quoting, samples, "mean_logprob"),
        "BestOf value_logprob": BestOf(quoting, samples, "value_logprob"),
        f"BestOf {_name(best)}": BestOf(quoting, samples, best),
        "Vote record": Vote(quoting, n=samples, level="record"),
        "Vote field": vote,
        "Vote field, Verify by Confident": Verify(vote, Confident(0.6)),
        f"Cascade of {_name(best)}, then Vote": Cascade(Verify(quoting, best), Verify(vote, Confident(0.6))),
        "Draft": Draft(quoting, asked),
        "Think": Think(quoting),
    }


def _name(verifier: Verifier) -> str:
    return type(verifier).__name__
