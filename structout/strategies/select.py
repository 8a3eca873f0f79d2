"""Strategies that sample several answers and select or merge them."""

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
    """Samples up to `n` answers of `inner` and keeps the best answer that has a value.

    `by` is the criterion. `mean_logprob` is the mean log-probability of all tokens, `value_logprob` that of the tokens
    that carry values. A verifier selects by its score, but does not reject: to reject, wrap this in `Verify`.
    `first_valid` samples until an answer has a value. `temperature` applies to tasks with temperature 0, which would
    give `n` equal answers.
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
                effect = f"BestOf(by={self.by!r}) keeps the first answer that has a value"
                _warn_if_unknown(results[group], scores[group], effect)
        return [_best(results[group], scores[group]) for group in groups]


@dataclass(frozen=True)
class Vote:
    """Samples up to `n` answers of `inner` and keeps the majority of the answers that have a value.

    The `level` of the vote is the whole record, or each field: objects are merged by key, lists by element. Ties go to
    the likelier answer, or to the first answer if the model reports no log-probabilities. Sampling for a task stops as
    soon as no further answer could reverse a decision and the outcome fits the schema. The confidence in a leaf is the
    share of answers that have it. If the merged document still does not fit the schema after `n` answers, the answer
    most similar to it is kept. `temperature` applies to tasks with temperature 0, which would give `n` equal answers.
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
            _warn_if_unknown(usable, scores, "Vote resolves a tie in favour of the first answer")
        like = [_alike(_filled(task, result), outcome.document) if result.ok else -1.0 for result in taken]
        closest = max(range(len(taken)), key=lambda i: (like[i], _logprob(taken[i], "value_logprob")))
        base = _last(taken, closest)
        filled = task.schema.check(outcome.document)
        if not filled.ok:
            return replace(base, confidence=_shares(task, base, usable))
        elected = _unfilled(task, filled, usable)
        places = scalars(elected.document)
        confidence = {place: share for place, share in outcome.agreement.items() if place in places}
        if like[closest] == 1.0:
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
        raise SpecError(f"invalid n of {type(strategy).__name__}: got {strategy.n}", hint="give 1 or more")
    if strategy.temperature <= 0:
        raise SpecError(
            f"invalid temperature of {type(strategy).__name__}: got {strategy.temperature}",
            hint="give a number above 0",
        )


def _sample(strategy: BestOf | Vote, task: Task[T], i: int) -> Task[T]:
    """The task of the i-th sample; the sample index is unique over all repeats."""
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


def _warn_if_unknown(results: Sequence[Result[Any]], scores: Sequence[float], effect: str) -> None:
    """Warn of the effect if a choice between different documents lacks log-probabilities."""
    usable = [(result, score) for result, score in zip(results, scores, strict=True) if result.ok]
    unknown = all(score == float("-inf") for _, score in usable)
    if unknown and any(result.document != usable[0][0].document for result, _ in usable):
        names = ", ".join({attempt.model: None for result, _ in usable for attempt in result.attempts[-1:]})
        hint = "request them from a server (openai:MODEL@URL#logprobs), or select by a verifier"
        message = f"{names} reports no log-probabilities, so {effect}: {hint}"
        warnings.warn(message, StructoutWarning, stacklevel=2)


def _may_fit(result: Result[Any]) -> bool:
    """Whether the result lacks a value and another sample may have one."""
    return not result.ok and not unanswered(result)


def _best(results: Sequence[Result[T]], scores: Sequence[float]) -> Result[T]:
    best = max(range(len(results)), key=lambda i: (results[i].ok, scores[i] if results[i].ok else 0.0))
    return _last(results, best)


def _last(results: Sequence[Result[T]], chosen: int) -> Result[T]:
    """The chosen result with the cost of all; its own attempts come last, since the last attempt has its text."""
    return results[chosen].after(*(result for i, result in enumerate(results) if i != chosen))


def _filled(task: Task[T], result: Result[T]) -> Any:
    """The document with its defaults, so that omitted and explicit defaults compare as equal."""
    return task.schema.written(result)


def _unfilled(task: Task[T], filled: Checked[T], usable: Sequence[Result[T]]) -> Checked[T]:
    """The elected document without the defaults that no answer wrote, unless this changes its value."""
    slim = task.schema.check(as_written(filled.document, [result.document for result in usable]))
    same = slim.ok and canonical(task.schema.written(slim)) == canonical(task.schema.written(filled))
    return slim if same else filled


def _shares(task: Task[T], elected: Result[T], usable: Sequence[Result[T]]) -> dict[str, float]:
    """The share of answers that have the same leaf in the same place, for each leaf of the elected answer."""
    mine, votes = scalars(_filled(task, elected)), [scalars(_filled(task, result)) for result in usable]
    return {place: sum(_same(mine, vote, place) for vote in votes) / len(votes) for place in mine}


def _same(one: Scalars, other: Scalars, place: str) -> bool:
    return place in one and place in other and canonical(one[place]) == canonical(other[place])


def _alike(one: Any, other: Any) -> float:
    """A similarity: the share of equal leaves, and 1 only for equal documents."""
    if canonical(one) == canonical(other):
        return 1.0
    mine, theirs = leaves(one), leaves(other)
    return sum(_same(mine, theirs, place) for place in mine) / (len(mine | theirs) + 1)
