"""A model that keeps every answer before use, asks equal prompts once, and stays within a budget."""

import hashlib
import threading
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from structout.completion import Completion, Prompt, Usage
from structout.errors import ModelError, StructoutWarning
from structout.models import Model, Strict, identity
from structout.models.base import HaltedAnswerError, PartialAnswerError
from structout.models.wrappers.base import Wrapper
from structout.pipeline.budget import Budget
from structout.pipeline.most import finding_of, most_of, probe_of, take_finding
from structout.prices import Prices


class Kept(Protocol):
    """A store of answers by `completion_key`, and of the usage of each model. A `Journal` is one."""

    def completions(self, keys: Sequence[bytes]) -> dict[bytes, Completion]:
        """The known completions among these keys."""

    def add_completions(self, model: str, new: Mapping[bytes, Completion], usage: Usage) -> None:
        """Keep new completions of a model, and add their usage."""

    def spent(self) -> dict[str, Usage]:
        """The usage of each model so far, by its name."""

    def finding(self, model: str) -> str:
        """What an earlier run found out about a model's server; "" for nothing."""

    def keep_finding(self, model: str, finding: str) -> None:
        """Keep what a run found out about a model's server."""


class Recorded(Wrapper):
    """Wraps a model for one journal. `Strict` checks the model.

    Equal prompts get the same answer, from the journal or from a call in flight, unless the answer is sampled without a
    seed or `cache` is off. `complete` raises `BudgetError` once the budget is used up.
    """

    def __init__(
        self,
        inner: Model,
        journal: Kept,
        budget: Budget | None = None,
        prices: Prices | None = None,
        *,
        cache: bool = True,
    ) -> None:
        super().__init__(inner if isinstance(inner, Strict) else Strict(inner))
        self._identity = identity(inner.name)
        self._journal = journal
        self._budget = budget if budget is not None and budget.is_limited else None
        self._prices = prices or Prices()
        self._cache = cache
        self._asked: dict[bytes, Future[Completion]] = {}
        self._left_over: dict[str, list[Completion]] = defaultdict(list)
        self._lock = threading.Lock()
        self._said = False
        self._finding = ""
        if finding := journal.finding(self.name):
            take_finding(inner, finding)
            self._finding = finding

    def complete(self, prompts: Sequence[Prompt]) -> list[Completion]:
        keys = [self.key(prompt) if self._is_kept(prompt) else None for prompt in prompts]
        wanted = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key is not None}
        with self._lock:
            known = self._journal.completions(list(wanted)) if wanted else {}
            theirs = {key: self._asked[key] for key in wanted if key not in known and key in self._asked}
            mine = {key: prompt for key, prompt in wanted.items() if key not in known and key not in theirs}
            for key in mine:
                self._asked[key] = Future()
        sampled = [prompt for key, prompt in zip(keys, prompts, strict=True) if key is None]
        try:
            answers = self._ask([*mine.values(), *sampled], list(mine))
        except PartialAnswerError as error:
            self._settle(mine, error)
            known.update({key: one for key, one in zip(mine, error.completions, strict=False) if one is not None})
            others = iter(error.completions[len(mine) :])
            found = [next(others) if key is None else known.get(key) for key in keys]
            raise PartialAnswerError.of(error, found) from error
        except BaseException as error:
            self._settle(mine, error)
            raise
        known.update(zip(mine, answers, strict=False))
        self._settle(mine, known)
        known.update({key: future.result() for key, future in theirs.items()})
        rest = iter(answers[len(mine) :])
        return [next(rest) if key is None else known[key] for key in keys]

    def key(self, prompt: Prompt) -> bytes:
        """The key under which the journal keeps the answer to a prompt."""
        return completion_key(self._identity, prompt.key())

    def _is_kept(self, prompt: Prompt) -> bool:
        """Whether the journal keeps the answer for equal prompts."""
        return self._cache and repeatable(prompt)

    def _settle(self, mine: Mapping[bytes, Prompt], outcome: Mapping[bytes, Completion] | BaseException) -> None:
        """Give the outcome to the callers that wait for the same answers."""
        with self._lock:
            for key in mine:
                future = self._asked.pop(key)
                if isinstance(outcome, BaseException):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome[key])

    def _ask(self, prompts: list[Prompt], keys: list[bytes]) -> list[Completion]:
        """Ask the model, and keep its answers at once. `keys` belong to the first prompts, whose answers are cached.

        A `ModelError` becomes a `PartialAnswerError` about all prompts.
        """
        with self._lock:
            before = {place: self._take_left_over(prompt) for place, prompt in enumerate(prompts)}
        answers = {place: known for place, known in before.items() if known is not None}
        places = [place for place in before if place not in answers]
        try:
            if places:
                self._pay(places, prompts, keys, answers)
        except BaseException as error:
            with self._lock:
                for place, answer in answers.items():
                    if place >= len(keys):
                        self._left_over[prompts[place].key()].append(answer)
            if isinstance(error, ModelError):
                found = [answers.get(place) for place in range(len(prompts))]
                raise PartialAnswerError.of(error, found) from error
            raise
        return [answers[place] for place in range(len(prompts))]

    def _pay(
        self, places: Sequence[int], prompts: Sequence[Prompt], keys: Sequence[bytes], answers: dict[int, Completion]
    ) -> None:
        """Ask for the prompts at `places`, and add their answers, also if a part of the batch fails."""
        failed: PartialAnswerError | HaltedAnswerError | None = None
        found: Sequence[Completion | None]
        most = most_of((prompts[place] for place in places), self.inner) if self._budget is not None else Usage()
        with self._room(most):
            try:
                found = self.inner.complete([prompts[place] for place in places])
            except (PartialAnswerError, HaltedAnswerError) as error:
                found, failed = error.completions, error
            new = {place: answer for place, answer in zip(places, found, strict=True) if answer is not None}
            kept = {place: answer for place, answer in new.items() if place < len(keys) and not answer.is_rejection}
            cached = {keys[place]: answer for place, answer in kept.items()}
            used = sum((one.usage for one in new.values()), Usage())
            self._journal.add_completions(self.name, cached, used)
            self._keep_finding()
        if self._budget is not None:
            self._compare(used, most)
        answers.update(new)
        if failed is not None:
            raise failed

    def _keep_finding(self) -> None:
        """Keep what the model's probe found, so that no later process pays for a probe."""
        finding = finding_of(self.inner)
        if finding != self._finding:
            self._journal.keep_finding(self.name, finding)
            self._finding = finding

    def _room(self, most: Usage) -> AbstractContextManager[None]:
        if self._budget is None:
            return nullcontext()
        return self._budget.room(self.name, self._journal.spent, self._prices, most, probe=probe_of(self.inner))

    def _compare(self, used: Usage, most: Usage) -> None:
        """Warn, once, if calls used more than they may use: the budget may be exceeded then."""
        is_more = used.input_tokens > most.input_tokens or used.output_tokens > most.output_tokens
        if is_more and not self._said:
            self._said = True
            counts = [f"{one.input_tokens:,} + {one.output_tokens:,} tokens" for one in (used, most)]
            message = f"{self.name} used {counts[0]} for calls that may use {counts[1]}: the budget may be exceeded"
            warnings.warn(message, StructoutWarning, stacklevel=2)

    def _take_left_over(self, prompt: Prompt) -> Completion | None:
        """A sampled answer that is left over from a batch in which another prompt failed."""
        if not self._left_over or not (waiting := self._left_over.get(prompt.key())):
            return None
        return waiting.pop()


def repeatable(prompt: Prompt) -> bool:
    """Whether the same prompt gets the same answer again: its sampling is greedy or has a seed."""
    return prompt.sampling.temperature == 0 or prompt.sampling.seed != 0


def completion_key(model: str, prompt: str) -> bytes:
    """A hash of a model's identity and a prompt's key, which together determine the answer."""
    return hashlib.sha256(f"{model}\n{prompt}".encode()).digest()
