"""Strategies with one model call a task: prompted only, or constrained to the schema."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Literal, TypeVar, cast

from structout import defaults
from structout.completion import Prompt, Sampling
from structout.errors import SpecError, StructoutWarning
from structout.models.base import Model
from structout.models.tuning import Tuning, reordered
from structout.parsing import Policy
from structout.prompts import Format, Show, compose, fingerprint
from structout.prompts.guidance import ORDER, Guidance
from structout.prompts.similar import Similar
from structout.result import Attempt, Example, Result, Task
from structout.schema import Schema
from structout.strategies.base import check_fields, judge
from structout.strategies.quotes import quoted_fields, quoting
from structout.words import plain_words

T = TypeVar("T")

Choose = Literal["fixed", "similar"]


@dataclass(frozen=True)
class Prompted:
    """Asks for the document by prompt alone.

    `examples` is the number of the task's labelled examples to show. `choose` selects them: `fixed` takes the first
    ones, `similar` those most similar to the record (more expensive: prompts share less). `show` is the form of the
    schema in the prompt, by default the form that the model was fine-tuned with, otherwise `typescript`. `format` is
    the language of the answer (YAML never complies as produced: wrap the strategy in `Repair`). `temperature` and
    `max_tokens` override those of the task.

    `instructions` are your own words beside the schema, before the record and outside its tags. `system` replaces the
    sentence that says what to do, and `order` arranges the parts of the first message (see `Guidance`).
    """

    examples: int = 0
    show: Show | None = None
    format: Format = "json"
    temperature: float | None = None
    max_tokens: int | None = None
    choose: Choose = "fixed"
    instructions: str = ""
    system: str = ""
    order: str = ORDER

    def __post_init__(self) -> None:
        _check(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        return _ask(self, tasks, model)


@dataclass(frozen=True)
class Constrained:
    """Asks by prompt and samples only answers that the schema's grammar admits. The answer is validated all the same.

    An answer that would not end within `max_tokens` is steered to its end; text that was forced against the model's own
    choice is among the result's edits. `steering` says which of these edits are accepted: `any`; `lossy`, without keys
    or values that the model did not choose; `lossless`, without any steering. An answer with other edits is
    `truncated`.

    With `quote`, fields whose texts right documents copy from their records (see `quotes`) may only hold spans of the
    record, so the model cannot make up such a text. The model's tuning or the task's labelled examples show which
    fields these are. Objects hold the keys that the schema declares; `open_objects` allows others where the schema
    does not forbid them. `instructions`, `system` and `order` are those of `Prompted`.
    """

    examples: int = 0
    show: Show | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    choose: Choose = "fixed"
    steering: Policy = "any"
    quote: bool = False
    open_objects: bool = False
    instructions: str = ""
    system: str = ""
    order: str = ORDER

    def __post_init__(self) -> None:
        _check(self)

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        return _ask(self, tasks, model)


def _check(strategy: Prompted | Constrained) -> None:
    check_fields(strategy)
    if strategy.examples < 0:
        raise SpecError(
            f"invalid examples of {type(strategy).__name__}: got {strategy.examples}", hint="give 0 or more"
        )
    _sampling(strategy, Sampling())
    _guidance(strategy)


def _guidance(strategy: Prompted | Constrained, tuning: Tuning | None = None) -> Guidance:
    """The user's own words. A fine-tuned model is asked with the instructions that it learned."""
    learned = str(tuning.training.get("instructions", "")) if tuning is not None else ""
    return Guidance(strategy.instructions or learned, strategy.system, strategy.order)


def _sampling(strategy: Prompted | Constrained, default: Sampling) -> Sampling:
    own: dict[str, Any] = {"temperature": strategy.temperature, "max_tokens": strategy.max_tokens}
    changed = {name: value for name, value in own.items() if value is not None}
    return replace(default, **changed) if changed else default


def _examples(strategy: Prompted | Constrained, tasks: Sequence[Task[Any]]) -> list[tuple[Example, ...]]:
    """The examples to show for each task; warns once if a task has fewer examples than the strategy wants."""
    fewest = min((len(task.examples) for task in tasks), default=strategy.examples)
    if fewest < strategy.examples:
        wanted = f"{type(strategy).__name__}(examples={strategy.examples})"
        message = f"{wanted} got only {fewest} examples: give labelled records (--examples, or examples=...)"
        warnings.warn(message, StructoutWarning, stacklevel=2)
    if strategy.choose == "fixed" or not strategy.examples:
        return [_fixed(task, strategy.examples) for task in tasks]
    known: dict[int, Similar] = {}  # most tasks share their examples
    for task in tasks:
        if id(task.examples) not in known:
            known[id(task.examples)] = Similar(task.examples)
    return [known[id(task.examples)].find(task.text, strategy.examples) for task in tasks]


def _fixed(task: Task[Any], count: int) -> tuple[Example, ...]:
    """The first examples, without any that has the same words as the record: its label would reveal the answer."""
    if not count:
        return ()
    words = plain_words(task.text)
    return tuple(islice((one for one in task.examples if plain_words(one.text) != words), count))


def _shown(strategy: Prompted | Constrained, model: Model, tasks: Sequence[Task[T]]) -> tuple[Show, list[Task[T]]]:
    """The form of the schema in the prompt, and the tasks in the edition of prompts that a fine-tuned model learned.

    Warns once if a fine-tuned model was trained on another prompt.
    """
    tuning: Tuning | None = getattr(model, "tuning", None)
    if tuning is None:
        return strategy.show or "typescript", list(tasks)
    show, edition = strategy.show or cast("Show", tuning.show), defaults.EDITION
    for schema in {task.schema for task in tasks}:
        if schema.fingerprint() != tuning.fingerprint:
            made_for = f"{tuning.schema} ({tuning.fingerprint})"
            message = f"{model.name} was fine-tuned for {made_for}, not for {schema!r}: fine-tune it again"
            warnings.warn(message, StructoutWarning, stacklevel=2)
            continue
        guidance = _guidance(strategy, tuning)
        learned = [one for one in (defaults.EDITION, 1) if fingerprint(schema, show, one, guidance) == tuning.prompt]
        edition = learned[0] if learned else edition
        if not learned or strategy.examples:
            taught = f"show={tuning.show!r} and no examples"
            message = f"{model.name} was fine-tuned with {taught}: use the same, or fine-tune it again"
            warnings.warn(message, StructoutWarning, stacklevel=2)
    return show, [replace(task, edition=min(task.edition, edition)) for task in tasks]


def _held_to(tasks: Sequence[Task[Any]], model: Model, *, quote: bool) -> list[tuple[Schema[Any], Any]]:
    """The constraint of each task: its schema, with keys in the order that the model learned; and, with `quote`, a mask
    that limits quoted texts to the record.
    """
    tuning: Tuning | None = getattr(model, "tuning", None)
    held: list[tuple[Schema[Any], Any]] = []
    known: dict[int, frozenset[str]] = {}  # most tasks share their examples
    for task in tasks:
        taught = tuning if tuning is not None and tuning.fingerprint == task.schema.fingerprint() else None
        schema, mask = reordered(task.schema, taught.orders) if taught else task.schema, None
        if quote:
            if id(task.examples) not in known:
                known[id(task.examples)] = quoted_fields(task.examples).union(taught.quotes if taught else ())
                if not known[id(task.examples)]:
                    message = "quote=True has no effect: neither fine-tuning nor examples show which texts are quoted:"
                    message += " give labelled records (--examples, or examples=...)"
                    warnings.warn(message, StructoutWarning, stacklevel=2)
            mask = quoting(schema, known[id(task.examples)], task.text)
        held.append((schema, mask))
    return held


def _ask(strategy: Prompted | Constrained, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
    answer_format: Format = strategy.format if isinstance(strategy, Prompted) else "json"
    show, tasks = _shown(strategy, model, tasks)
    guidance = _guidance(strategy, getattr(model, "tuning", None))
    constraints: Sequence[tuple[Schema[Any] | None, Any]] = [(None, None)] * len(tasks)
    if isinstance(strategy, Constrained):
        constraints = _held_to(tasks, model, quote=strategy.quote)
    prompts = [
        Prompt(
            compose(task, examples, show=show, answer_format=answer_format, guidance=guidance),
            _sampling(strategy, task.sampling),
            constraint,
            task.sample,
            mask,
            isinstance(strategy, Constrained) and strategy.open_objects,
        )
        for task, examples, (constraint, mask) in zip(tasks, _examples(strategy, tasks), constraints, strict=True)
    ]
    completions = model.complete(prompts)
    steering = strategy.steering if isinstance(strategy, Constrained) else "any"
    return [
        judge(task, Attempt(model.name, prompt, completion), steering)
        for task, prompt, completion in zip(tasks, prompts, completions, strict=True)
    ]
