"""Several answers, one result."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from structout.document import leaves, scalars
from structout.errors import SpecError, StructoutWarning
from structout.models.base import Model
from structout.result import Result, Task
from structout.schema import Checked
from structout.strategies.base import Strategy, check_fields, rerun
from structout.strategies.merge import Ballot, Merged, as_written, canonical, majority, merge
from structout.strategies.reask import unanswered
from structout.strategies.verify import noted
from structout.verifiers import Verifier, verify

T = TypeVar("T")

BestBy = Literal["mean_logprob", "value_logprob", "first_valid"]
VoteLevel = Literal["record", "field"]
Scalars = Mapping[str, str | int | float | bool | None]  # by JSON Pointer


@dataclass(frozen=True)
class BestOf:
    """Sample up to `n` answers of `inner` and keep the best of those that have a value.

    By `mean_logprob`, the mean log-probability of all tokens; by `value_logprob`, of those that carry values; by a
    verifier, its score (it selects and refuses nothing: for that, wrap this in `Verify`). By `first_valid` it samples
    until an answer has a value. `temperature` is for tasks that would be sampled greedily, which gives `n` copies.
    """

    inner: Strategy
    n: int = 5
    by: BestBy | Verifier = "value_logprob"
    temperature: float = 0.7

    def __post_init__(self) -> None:
        _check(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        if self.by == "first_valid":
            results = self.inner.run([_sample(self, task, 0) for task in tasks], model)
            for i in range(1, self.n):
                again = [_sample(self, task, i) for task in tasks]
                results = rerun(again, results, self.inner, model, _may_fit)
            return results
        sampled = [_sample(self, task, i) for task in tasks for i in range(self.n)]
        results = self.inner.run(sampled, model)
        scores = [_logprob(result, self.by) for result in results]
        if not isinstance(self.by, str):
            verdicts = verify(self.by, sampled, results, model)
            scores = [verdict.score for verdict in verdicts]
            results = [noted(result, verdict) for result, verdict in zip(results, verdicts, strict=True)]
        groups = [slice(at, at + self.n) for at in range(0, len(results), self.n)]
        if isinstance(self.by, str):
            for group in groups:
                so = f"BestOf(by={self.by!r}) keeps the first answer that has a value"
                _say_if_unknown(results[group], scores[group], so)
        return [_best(results[group], scores[group]) for group in groups]


@dataclass(frozen=True)
class Vote:
    """Sample up to `n` answers of `inner` and keep what most of those that have a value agree on.

    The majority is taken of whole records, or of each field: objects by key, lists by element, as many as most have.
    Ties go to the likelier answer, or to the first if the model tells no log-probabilities. Sampling stops for a task
    as soon as no further answer could turn a decision and the outcome fits the schema. The confidence in a leaf is the
    share of answers that have it. A majority of fields that still does not fit at the end gives way to the answer that
    is most like it. `temperature` is for tasks that would be
    sampled greedily, which gives `n` copies.
    """

    inner: Strategy
    n: int = 5
    level: VoteLevel = "field"
    temperature: float = 0.7

    def __post_init__(self) -> None:
        _check(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        samples: list[list[Result[T]]] = [[] for _ in tasks]
        wanted = self.n // 2 + 1  # the fewest that can make a majority
        while places := [place for place, taken in enumerate(samples) if self._goes_on(tasks[place], taken)]:
            batch = [(place, i) for place in places for i in range(len(samples[place]), wanted)]
            results = self.inner.run([_sample(self, tasks[place], i) for place, i in batch], model)
            for (place, _), result in zip(batch, results, strict=True):
                samples[place].append(result)
            wanted += 1
        return [self._elected(task, taken) for task, taken in zip(tasks, samples, strict=True)]

    def _goes_on(self, task: Task[T], taken: Sequence[Result[T]]) -> bool:
        left = self.n - len(taken)
        if not taken or left <= 0:
            return left > 0
        if unanswered(taken[0]):
            return False
        usable = [result for result in taken if result.ok]
        if not usable:
            return True
        outcome = self._count(task, usable)
        return outcome.lead <= left or not task.schema.check(outcome.document).ok

    def _count(self, task: Task[T], usable: Sequence[Result[T]]) -> Merged:
        ballots = [Ballot(_filled(task, result), _logprob(result, "value_logprob")) for result in usable]
        return merge(ballots) if self.level == "field" else majority(ballots)

    def _elected(self, task: Task[T], taken: Sequence[Result[T]]) -> Result[T]:
        usable = [result for result in taken if result.ok]
        if not usable:
            return _last(taken, 0)
        outcome = self._count(task, usable)
        if not outcome.lead:
            scores = [_logprob(result, "value_logprob") for result in usable]
            _say_if_unknown(usable, scores, "Vote settles a tie by which answer came first")
        like = [_alike(_filled(task, result), outcome.document) if result.ok else -1.0 for result in taken]
        likest = max(range(len(taken)), key=lambda i: (like[i], _logprob(taken[i], "value_logprob")))
        base = _last(taken, likest)
        filled = task.schema.check(outcome.document)
        if not filled.ok:
            return replace(base, confidence=_shares(task, base, usable))
        elected = _unfilled(task, filled, usable)
        places = scalars(elected.document)
        confidence = {place: share for place, share in outcome.agreement.items() if place in places}
        if like[likest] == 1.0:
            return replace(base, confidence=confidence)
        mine = scalars(base.document)
        return replace(
            base,
            status="repaired" if any(result.status == "repaired" for result in usable) else "valid",
            value=elected.value,
            document=elected.document,
            confidence=confidence,
            spans={place: span for place, span in base.spans.items() if _same(mine, places, place)},
        )


def _check(strategy: BestOf | Vote) -> None:
    check_fields(strategy)
    if strategy.n < 1:
        raise SpecError(f"n is {strategy.n}", hint="give 1 or more")
    if strategy.temperature <= 0:
        raise SpecError(f"temperature is {strategy.temperature}", hint="samples differ only above 0")


def _sample(strategy: BestOf | Vote, task: Task[T], i: int) -> Task[T]:
    """The task of the i-th sample: no two samples of any two repeats have the same index."""
    sampling = task.sampling
    if sampling.temperature == 0:
        sampling = replace(sampling, temperature=strategy.temperature)
    return replace(task, sampling=sampling, sample=task.sample * strategy.n + i)


def _logprob(result: Result[Any], by: Any) -> float:
    completion = result.attempts[-1].completion if result.attempts else None
    if completion is None:
        return float("-inf")
    mean = completion.mean_logprob if by == "mean_logprob" else completion.mean_value_logprob
    return float("-inf") if mean is None else mean


def _say_if_unknown(results: Sequence[Result[Any]], scores: Sequence[float], so: str) -> None:
    """Say what becomes of a choice between different values where the model tells nothing by which to choose."""
    usable = [(result, score) for result, score in zip(results, scores, strict=True) if result.ok]
    unknown = all(score == float("-inf") for _, score in usable)
    if unknown and any(result.document != usable[0][0].document for result, _ in usable):
        names = ", ".join({attempt.model: None for result, _ in usable for attempt in result.attempts[-1:]})
        hint = "ask a server for them (openai:MODEL@URL#logprobs), or choose by a verifier"
        warnings.warn(f"{names} tells no log-probabilities, so {so}: {hint}", StructoutWarning, stacklevel=2)


def _may_fit(result: Result[Any]) -> bool:
    """Whether another sample may have a value where this one has none."""
    return not result.ok and not unanswered(result)


def _best(results: Sequence[Result[T]], scores: Sequence[float]) -> Result[T]:
    best = max(range(len(results)), key=lambda i: (results[i].ok, scores[i] if results[i].ok else 0.0))
    return _last(results, best)


def _last(results: Sequence[Result[T]], chosen: int) -> Result[T]:
    """One of several results, charged with all: its own attempts come last, since its text is that of the last one."""
    return results[chosen].after(*(result for i, result in enumerate(results) if i != chosen))


def _filled(task: Task[T], result: Result[T]) -> Any:
    """The document with its defaults, so that what is left out and what is spelled out compare alike; as it was read,
    if a type does not take what it writes (computed fields, aliases for one direction).
    """
    filled = task.schema.dump(result.value)  # type: ignore[arg-type]  # only results with a value come here
    return filled if task.schema.check(filled).ok else result.document


def _unfilled(task: Task[T], filled: Checked[T], usable: Sequence[Result[T]]) -> Checked[T]:
    """What was elected without the defaults that no answer wrote, unless that would say something else."""
    slim = task.schema.check(as_written(filled.document, [result.document for result in usable]))
    same = slim.ok and canonical(task.schema.dump(slim.value)) == canonical(task.schema.dump(filled.value))  # type: ignore[arg-type]
    return slim if same else filled


def _shares(task: Task[T], elected: Result[T], usable: Sequence[Result[T]]) -> dict[str, float]:
    """For each leaf of an answer the share of answers that have it in the same place."""
    mine, votes = scalars(_filled(task, elected)), [scalars(_filled(task, result)) for result in usable]
    return {place: sum(_same(mine, vote, place) for vote in votes) / len(votes) for place in mine}


def _same(one: Scalars, other: Scalars, place: str) -> bool:
    return place in one and place in other and canonical(one[place]) == canonical(other[place])


def _alike(one: Any, other: Any) -> float:
    """The share of leaves that are the same: 1 if all are."""
    if canonical(one) == canonical(other):
        return 1.0
    mine, theirs = leaves(one), leaves(other)
    return sum(_same(mine, theirs, place) for place in mine) / (len(mine | theirs) + 1)
