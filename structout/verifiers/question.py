"""Yes-or-no questions to a model, with the probability of yes."""

from collections.abc import Sequence
from math import exp
from typing import Literal, NamedTuple

from structout.completion import Completion, Message, Prompt, Sampling
from structout.issue import Issue
from structout.models.base import Model
from structout.prompts import wording
from structout.result import Attempt
from structout.schema import Schema
from structout.verifiers.base import Verdict

_ANSWERS = (wording.YES, wording.NO)
_SAMPLING = Sampling(max_tokens=8)


class Answer(NamedTuple):
    """P(yes) among yes and no (None if the model gave neither), and the calls that the answer took."""

    yes: float | None
    attempts: tuple[Attempt, ...]


def ask(questions: Sequence[tuple[Message, ...]], model: Model) -> list[Answer]:
    """Ask all questions as one batch, each constrained to yes or no.

    A completion has the log-probability of the given answer only. If the model reports log-probabilities, a second
    batch with the same prompts therefore scores the other answer: P(yes) is the share of yes in the probability of
    both answers. Without log-probabilities, or if the model cannot be constrained to the other answer (most servers
    cannot), P(yes) is 1 or 0.
    """
    choice = Schema.of(Literal[_ANSWERS])
    said = _complete([Prompt(messages, _SAMPLING, choice) for messages in questions], model)
    scored = [place for place, one in enumerate(said) if one.completion.logprobs and one.completion.text in _ANSWERS]
    rivals = [Prompt(questions[place], _SAMPLING, _only(_other(said[place].completion.text))) for place in scored]
    found = dict(zip(scored, _complete(rivals, model), strict=True))
    return [_answer(one, found.get(place)) for place, one in enumerate(said)]


def as_verdict(answer: Answer, threshold: float, otherwise: str) -> Verdict:
    """Accept if P(yes) is at least `threshold`, reject with the issue `otherwise`, or be unsure without an answer."""
    if answer.yes is None:
        return Verdict("unsure", 0.5, attempts=answer.attempts)
    if answer.yes >= threshold:
        return Verdict("accept", answer.yes, attempts=answer.attempts)
    return Verdict("reject", answer.yes, (Issue("", "rejected", otherwise),), answer.attempts)


def _complete(prompts: Sequence[Prompt], model: Model) -> list[Attempt]:
    completions = model.complete(prompts) if prompts else []
    return [Attempt(model.name, prompt, one) for prompt, one in zip(prompts, completions, strict=True)]


def _only(text: str) -> Schema[str]:
    return Schema.of(Literal[text])


def _other(text: str) -> str:
    return wording.NO if text == wording.YES else wording.YES


def _answer(said: Attempt, rival: Attempt | None) -> Answer:
    text = _plain(said)
    if text not in _ANSWERS:
        return Answer(None, (said,))
    chosen = 1.0
    # A server that ignores the constraint repeats its answer, which would count as doubt.
    if rival is not None and rival.completion.logprobs and _plain(rival) == _other(text):
        lead = _total(said.completion) - _total(rival.completion)
        chosen = 1 / (1 + exp(-max(min(lead, 500.0), -500.0)))
    attempts = (said,) if rival is None else (said, rival)
    return Answer(chosen if text == wording.YES else 1 - chosen, attempts)


def _plain(said: Attempt) -> str:
    return said.completion.text.strip().lower().rstrip(".")


def _total(completion: Completion) -> float:
    return sum(max(logprob, -9999.0) for logprob in completion.logprobs or ())  # a difference of infinities is NaN
