"""A strategy that asks several strategies and keeps the answer that they find the most probable together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from structout.document import scalars
from structout.errors import SpecError
from structout.models.base import Model
from structout.result import Result, Task, answer_probability
from structout.strategies.base import Strategy, check_fields
from structout.strategies.merge import canonical

T = TypeVar("T")


@dataclass(frozen=True, init=False)
class Ensemble:
    """Asks each of its members, mostly `On` different models, and keeps the whole answer that is the most probable.

    The probability of an answer is the mean over the members: a member counts with the probability of its own answer
    if the documents are equal, and with 0 if its answer is another one, or none that has a value. A model that reports
    no probabilities counts with 1 in its place. Ties go to the earlier member. The confidence in a leaf is the mean of
    the members' confidences in it, with 0 for a member that has another value there. `Confident(of="answer")` and
    `certify` take the mean probability (see `answer_probability`). Each member costs its own calls.

        Ensemble(On("path:tuned/1", Constrained()), On("path:tuned/2", Constrained()))

    The source of the mean is a deep ensemble (Lakshminarayanan et al., arXiv:1612.01474).
    """

    members: tuple[Strategy, ...]

    def __init__(self, *members: Strategy) -> None:
        if len(members) < 2:
            raise SpecError(f"Ensemble got {len(members)} members, expected 2 or more", hint="give On(MODEL, STRATEGY)")
        object.__setattr__(self, "members", members)
        check_fields(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        count = len(self.members)
        # Samples of different numbers tell the members' answers apart from the later answers of one member.
        asked = [[replace(task, sample=task.sample * count + i) for task in tasks] for i in range(count)]
        answers = [member.run(part, model) for member, part in zip(self.members, asked, strict=True)]
        return [_elected(task, results) for task, *results in zip(tasks, *answers, strict=True)]


def _elected(task: Task[T], results: Sequence[Result[T]]) -> Result[T]:
    usable = [result for result in results if result.ok]
    if not usable:
        return results[0].after(*results[1:])
    documents = {id(one): task.schema.written(one) for one in usable}  # with defaults, so that omitted ones are equal
    names = {id(one): canonical(documents[id(one)]) for one in usable}
    total = dict.fromkeys(names.values(), 0.0)
    for one in usable:
        total[names[id(one)]] += _probability(one)
    best = max(usable, key=lambda one: (total[names[id(one)]], _probability(one)))
    mine, places = scalars(best.document), [(one, scalars(documents[id(one)])) for one in usable]
    sure = {
        place: sum(_sure(one, place) for one, theirs in places if _has(theirs, place, value)) / len(results)
        for place, value in mine.items()
    }
    return replace(best, confidence=sure).after(*(one for one in results if one is not best))


def _probability(result: Result[Any]) -> float:
    known = answer_probability(result.attempts)
    return 1.0 if known is None else known


def _sure(result: Result[Any], place: str) -> float:
    return result.confidence.get(place, 0.0 if result.confidence else 1.0)


def _has(leaves: Mapping[str, Any], place: str, value: Any) -> bool:
    return place in leaves and canonical(leaves[place]) == canonical(value)
