"""A verifier that compares differently worded readings of a record (ExtractConf, arXiv 2606.24420)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from structout.document import Json, leaves
from structout.errors import SpecError
from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import wording
from structout.prompts.questions import reworded
from structout.result import Attempt, Result, Task
from structout.verifiers.base import Verdict

if TYPE_CHECKING:
    from structout.parsing import Repaired
    from structout.schema import Checked

_READINGS = len(wording.REREADS) + 1


@dataclass(frozen=True)
class Agreement:
    """Compares `n` differently worded readings of a record: the result itself, and `n` - 1 further calls.

    The model of the run makes the other readings: write `On(big, Verify(...))` to have `big` make all of them, not
    `Verify(On(big, ...), Agreement())`.

    A document is accepted if all readings agree; otherwise the verdict is unsure, with an issue for each leaf that
    differs. A fenced or malformed reading is repaired losslessly. The confidence in a leaf is the share of readings
    that have the leaf; the score is the share of leaves on which all readings agree.
    """

    n: int = 2

    def __post_init__(self) -> None:
        if not 2 <= self.n <= _READINGS:
            raise SpecError(f"invalid n of Agreement: got {self.n}", hint=f"give 2 to {_READINGS} readings")

    def check(self, tasks: Sequence[Task[Any]], results: Sequence[Result[Any]], model: Model) -> list[Verdict]:
        places = [place for place, result in enumerate(results) if result.attempts]
        prompts = [reworded(results[place].attempts[-1].prompt, i) for place in places for i in range(self.n - 1)]
        completions = model.complete(prompts) if prompts else []
        attempts = [Attempt(model.name, prompt, c) for prompt, c in zip(prompts, completions, strict=True)]
        verdicts = [Verdict("unsure", 0.5)] * len(results)  # for results without an attempt
        for i, place in enumerate(places):
            read = tuple(attempts[i * (self.n - 1) : (i + 1) * (self.n - 1)])
            verdicts[place] = _verdict(tasks[place], results[place], read)
        return verdicts


def _verdict(task: Task[Any], result: Result[Any], read: tuple[Attempt, ...]) -> Verdict:
    own = leaves(task.schema.written(result))
    checked = [_reread(task, attempt) for attempt in read]
    others = [leaves(task.schema.written(one)) for one in checked if one.ok]
    issues = [Issue("", "rejected", wording.UNREADABLE)] * (len(checked) - len(others))
    readings = [own, *others]
    everywhere = list(dict.fromkeys(place for one in readings for place in one))
    differing = [place for place in everywhere if any(_differ(own, other, place) for other in others)]
    for place in differing:
        other = next(other for other in others if _differ(own, other, place))
        said, not_said = repr(other.get(place))[:80], repr(own.get(place))[:80]
        issues.append(Issue(place, "rejected", wording.UNREPEATED.format(other=said, value=not_said)))
    confidence = {
        place: (len(readings) - sum(_differ(own, other, place) for other in others)) / (len(checked) + 1)
        for place in own
    }
    agreed = 1 - len(differing) / len(everywhere) if everywhere else 1.0
    score = agreed * len(readings) / (len(checked) + 1)
    return Verdict("unsure" if issues else "accept", score, tuple(issues), read, confidence)


def _reread(task: Task[Any], attempt: Attempt) -> "Checked[Any] | Repaired[Any]":
    completion = attempt.completion
    checked = task.schema.check_text(completion.text)
    if checked.ok or not completion.text:
        return checked
    from structout.parsing import repair  # imported late: its patterns take a while to compile

    return repair(completion.text, task.schema, complete=completion.finish_reason == "stop")


def _differ(own: Mapping[str, Json], other: Mapping[str, Json], place: str) -> bool:
    one, two = own.get(place), other.get(place)
    return one != two or isinstance(one, bool) != isinstance(two, bool)
