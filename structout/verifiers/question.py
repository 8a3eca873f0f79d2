"""A yes-or-no question to a model, and how probable its yes is."""

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
    """P(yes) among yes and no, None if the model could not be asked; and the calls that it took."""

    yes: float | None
    attempts: tuple[Attempt, ...]


def ask(questions: Sequence[tuple[Message, ...]], model: Model) -> list[Answer]:
    """Ask all questions as one batch, each held to yes or no.

    A completion tells the log-probability of what was said, not of what was not. So where the model tells any, the
    answer that it did not give is scored in a second batch, which reads the same prompts: P(yes) is the share of yes
    in the probability of both, whatever else the model would rather have said. Where there are no log-probabilities, or
    the model cannot be held to the other answer (most servers cannot), P(yes) is 1 or 0.
    """
    choice = Schema.of(Literal[_ANSWERS])
    said = _complete([Prompt(messages, _SAMPLING, choice) for messages in questions], model)
    scored = [place for place, one in enumerate(said) if one.completion.logprobs and one.completion.text in _ANSWERS]
    rivals = [Prompt(questions[place], _SAMPLING, _only(_other(said[place].completion.text))) for place in scored]
    found = dict(zip(scored, _complete(rivals, model), strict=True))
    return [_answer(one, found.get(place)) for place, one in enumerate(said)]


def as_verdict(answer: Answer, threshold: float, otherwise: str) -> Verdict:
    """Accept from a P(yes) of `threshold` on, refuse with what `otherwise` says, or be unsure without an answer."""
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
    # A server that is not held to the other answer says the same again, which would count as doubt.
    if rival is not None and rival.completion.logprobs and _plain(rival) == _other(text):
        lead = _total(said.completion) - _total(rival.completion)
        chosen = 1 / (1 + exp(-max(min(lead, 500.0), -500.0)))
    attempts = (said,) if rival is None else (said, rival)
    return Answer(chosen if text == wording.YES else 1 - chosen, attempts)


def _plain(said: Attempt) -> str:
    return said.completion.text.strip().lower().rstrip(".")


def _total(completion: Completion) -> float:
    return sum(max(logprob, -9999.0) for logprob in completion.logprobs or ())  # two infinite ones have no difference
