"""The work on each row: a schema, a strategy and a model, and the outcomes that they produce."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from structout import defaults
from structout.completion import Sampling
from structout.errors import ModelError, SchemaError, SpecError, StructoutError, StructoutWarning
from structout.issue import Issue
from structout.models import Model, identity
from structout.models.ledger import WAVE, is_batched
from structout.models.limiter import Limiter
from structout.models.wrappers.traced import Traced, check_heard
from structout.pipeline.budget import Budget
from structout.pipeline.call_log import CallLog
from structout.pipeline.in_waves import InWaves, check_recordable
from structout.pipeline.journal.database import identity_in
from structout.pipeline.outcome import RowOutcome
from structout.pipeline.recorded import Kept, Recorded
from structout.prices import Prices
from structout.prompts import render, wording
from structout.records import attempt_json
from structout.result import Attempt, Example, Result, Task
from structout.schema import Schema
from structout.strategies import Strategy, spec, with_models
from structout.strategies.batch import each, halves
from structout.strategies.files import files_of
from structout.strategies.given import asks_given
from structout.strategies.parts import models_of
from structout.tables.rows import Row

CHUNK = 32  # rows that are worked on together
NO_TEXT: Result[Any] = Result("invalid", issues=(Issue("", "unreadable", "the record is not text"),))
BLANK: Result[Any] = Result("invalid", issues=(Issue("", "unreadable", "the record is blank"),))


@dataclass(frozen=True)
class Job:
    """A schema, a strategy and a model, with all other settings that determine the answers."""

    schema: Schema[Any]
    model: Model
    strategy: Strategy
    examples: tuple[Example, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    prices: Prices = field(default_factory=Prices)
    max_errors: int = 10
    edition: int = defaults.EDITION
    tags: Mapping[str, str] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)  # prompts that a batch did not answer, with the reason

    def recorded(
        self, journal: Kept, budget: Budget | None = None, *, cache: bool = True, tolerant: bool = True
    ) -> "Job":
        """This job with all models wrapped: a journal keeps their answers, and a budget limits them. Unless the job is
        `tolerant`, a prompt that a batch leaves unanswered raises a `ModelError`.

        Raises `SpecError` if a model that works in batches cannot be recorded so.
        """
        unanswered: dict[str, str] = {}

        def wrap(model: Model) -> Model:
            if is_batched(model.name):
                kept = check_recordable(journal, cache=cache)
                return InWaves(model, kept, budget, self.prices, unanswered if tolerant else None)
            return Recorded(model, journal, budget, self.prices, cache=cache)

        strategy = with_models(self.strategy, wrap)
        return replace(self, model=wrap(self.model), strategy=strategy, unanswered=unanswered)

    @property
    def in_waves(self) -> bool:
        """Whether a model of the job works in batches."""
        return any(map(is_batched, self.models()))

    @property
    def chunk(self) -> int:
        """The rows that are worked on together, unless the user gives another number: enough for all requests that a
        server may have in flight.
        """
        return WAVE if self.in_waves else max(CHUNK, self.in_flight)

    @property
    def in_flight(self) -> int:
        """The most requests that a server may have in flight; 0 without a server."""
        given = [self.model] if asks_given(self.strategy) else []  # a model that is not asked is not loaded
        return max(map(_in_flight, [*given, *models_of(self.strategy)]), default=0)

    def traced(self) -> "Job":
        """This job with an OpenTelemetry span for every call of a model. Warns if no tracer receives the spans."""

        def wrap(model: Model) -> Model:
            return Traced(model, self.tags)

        traced = replace(self, model=wrap(self.model), strategy=with_models(self.strategy, wrap))
        check_heard()
        return traced

    def identity(self) -> dict[str, str]:
        """The parts, by name, that must stay the same when a run is resumed."""
        words = {name: value for name, value in vars(wording).items() if name.isupper()}
        examples = [[example.text, example.document] for example in self.examples]
        files = files_of(self.strategy)
        return {
            "schema": f"{self.schema.name} {self.schema.fingerprint()}",
            "strategy": spec(self.strategy),
            **({"strategy file": ", ".join(files)} if files else {}),
            "model": " ".join(map(identity, self.models())),
            "sampling": json.dumps(asdict(self.sampling)),
            "prompt": hashlib.sha256(json.dumps([words, examples]).encode()).hexdigest()[:16],
            **({"edition": str(self.edition)} if self._shows_edition else {}),
        }

    @property
    def _shows_edition(self) -> bool:
        """Whether the edition of prompts makes a difference; edition 1 had no name."""
        if self.edition == 1:
            return False
        try:
            return render(self.schema, "typescript", 1) != render(self.schema, "typescript", self.edition)
        except SchemaError:  # too deep for either
            return False

    def models(self) -> list[str]:
        """The names of the model and of the strategy's own models."""
        return [self.model.name, *(model.name for model in models_of(self.strategy))]

    @cached_property
    def fingerprint(self) -> str:
        """A short hash of the identity."""
        return hashlib.sha256(json.dumps(self.identity()).encode()).hexdigest()[:16]

    def results(self, texts: Sequence[Any]) -> list[Result[Any]]:
        """One result per text. A value that is blank or not text is invalid without a call. Raises `ModelError`."""
        results = [BLANK if text is None or isinstance(text, str) else NO_TEXT for text in texts]
        places = [place for place, text in enumerate(texts) if isinstance(text, str) and text.strip()]
        tasks = [
            Task(texts[place], self.schema, self.examples, self.sampling, edition=self.edition) for place in places
        ]
        for place, result in zip(places, self.strategy.run(tasks, self.model) if tasks else [], strict=True):
            results[place] = result
        return results

    def outcomes(self, rows: Sequence[Row]) -> list[RowOutcome]:
        """One outcome per row. If the model, or a validator of the schema, fails on a batch, its rows are retried one
        by one, so that a bad row affects no other row. After `max_errors` consecutive failures the remaining rows are
        skipped. Raises only errors that no row can cause: `BudgetError`, `JournalError`, `SpecError`, and any
        `ModelError` that stops the run.
        """
        failed, reason = 0, ""

        def together(some: Sequence[Row]) -> list[RowOutcome]:
            return [self._found(row, result) for row, result in zip(some, self.results(_texts(some)), strict=True)]

        def alone(row: Row) -> RowOutcome:
            nonlocal failed, reason
            calls: list[Attempt] = []
            if failed < self.max_errors:
                try:
                    outcome = self._found(row, self._noting(calls).results(_texts([row]))[0])
                except Exception as error:
                    if not _is_of_a_row(error):
                        raise
                    failed += 1
                    reason = str(error) if isinstance(error, ModelError) else f"{type(error).__name__}: {error}"
                else:
                    failed = 0
                    return outcome
            return self.failure(row, reason, calls)

        split = halves if self.in_waves else each  # rows that are submitted one by one wait for each other
        return split(rows, together, alone, _is_of_a_row)

    def _found(self, row: Row, result: Result[Any]) -> RowOutcome:
        """The outcome of a row, which a batch may have left unanswered."""
        if result.ok or not self.unanswered:
            return self.outcome(row, result)
        calls = (*result.attempts, *result.checks)
        reason = next((self.unanswered[key] for one in calls if (key := one.prompt.key()) in self.unanswered), "")
        if not reason:
            return self.outcome(row, result)
        return self.failure(row, reason, [one for one in calls if one.prompt.key() not in self.unanswered])

    def _noting(self, calls: list[Attempt]) -> "Job":
        """This job with every answered call added to `calls`."""

        def wrap(model: Model) -> Model:
            return CallLog(model, calls)

        return replace(self, model=wrap(self.model), strategy=with_models(self.strategy, wrap))

    def outcome(self, row: Row, result: Result[Any]) -> RowOutcome:
        """The outcome of a row with this result."""
        return RowOutcome(
            key=row.key,
            status=result.status,
            value=self.schema.written(result) if result.ok else None,
            document=result.document,
            issues=(Issue("", "unreadable", row.wrong),) if row.wrong else result.issues,
            edits=result.edits,
            strategy=self._strategy,
            attempts=tuple(map(attempt_json, result.attempts)),
            cost=self.prices.cost((one.model, one.completion.usage) for one in (*result.attempts, *result.checks)),
            fingerprint=self.fingerprint,
            record=None if result.ok else row.record,
            checks=tuple(map(attempt_json, result.checks)),
            confidence=result.confidence,
            spans=result.spans,
            tags=self.tags,
        )

    def failure(self, row: Row, reason: str, calls: Sequence[Attempt] = ()) -> RowOutcome:
        """The outcome of a row on which the model failed after it answered `calls`."""
        return RowOutcome(
            key=row.key,
            status="error",
            value=None,
            document=None,
            issues=(Issue("", "unanswered", reason),),
            edits=(),
            strategy=self._strategy,
            attempts=tuple(map(attempt_json, calls)),
            cost=self.prices.cost((one.model, one.completion.usage) for one in calls) if calls else None,
            fingerprint=self.fingerprint,
            record=row.record,
            tags=self.tags,
        )

    @cached_property
    def _strategy(self) -> str:
        return spec(self.strategy)


def _texts(rows: Sequence[Row]) -> list[Any]:
    return [None if row.wrong else row.text for row in rows]


def _in_flight(model: Any) -> int:
    """The most requests that a model has in flight at once; 0 for a model without a limit."""
    while hasattr(model, "inner"):
        model = model.inner
    limiter = getattr(model, "limiter", None)
    return limiter.most if isinstance(limiter, Limiter) else 0


def _is_of_a_row(error: Exception) -> bool:
    """Whether a row can have caused the error: the error is the model's or comes from the user's code."""
    return not error.stops if isinstance(error, ModelError) else not isinstance(error, StructoutError)


def begun(job: Job, journal: str | Path) -> Job:
    """The job as the journal's run began it: with the first edition of prompts if the run began with structout 0.1.

    Warns if this edition is not the current one.
    """
    known = identity_in(journal)
    if not known or "edition" in known or "edition" not in job.identity():
        return job
    message = f"{journal} was begun with structout 0.1: the run goes on with the prompts of that version"
    warnings.warn(message, StructoutWarning, stacklevel=2)
    return replace(job, edition=1)


def priced(job: Job, budget: Budget) -> None:
    """Raise `SpecError` if the budget is in dollars and the price of a model is unknown."""
    unknown = [name for name in dict.fromkeys(job.models()) if name not in job.prices.table]
    if budget.usd is not None and unknown:
        hint = "list it in --prices (prices= in Python), or give the price of --model with --price"
        raise SpecError(f"the price of {' and of '.join(unknown)} is unknown", hint=hint)
