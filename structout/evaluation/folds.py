"""Folds: every labelled record is tested once, by strategies that are fitted on the other records."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from structout.errors import DataError, SpecError
from structout.evaluation.dataset import Dataset, Record
from structout.models import Model, model_of
from structout.result import Example
from structout.strategies import On, Strategy, Verify
from structout.strategies.parts import parts, with_inner
from structout.verifiers import Grounded, Judged, Learned
from structout.verifiers.grounded import EXAMPLES
from structout.words import plain_words

# From a strategy and a model: results for the records outside a fold, each compared with its label.
Teach = Callable[[Strategy, Model], Sequence[Judged]]


@dataclass(frozen=True)
class Fold:
    """Records to test together, with the `examples` that prompts may show and the `others` to fit verifiers on.

    `number` counts from 1. A run without folds is one fold whose number is None and which fits nothing.
    """

    records: tuple[Record, ...]
    examples: tuple[Example, ...]
    others: tuple[Record, ...] = ()
    number: int | None = None


def folds_of(dataset: Dataset, count: int, seed: int = 0) -> list[Fold]:
    """The records of all splits in `count` folds of nearly equal size.

    The seed and the keys decide the fold of a record and the order of its examples, whatever the order of `dataset`:
    runs with one seed send the same prompts, so that one log serves them all. Records with the same words share a fold,
    so that no record is tested by a strategy that has seen its label. Raises `SpecError` for fewer than 2 folds, and
    `DataError` without labels or for fewer different records than folds.
    """
    if count < 2:
        raise SpecError(f"invalid folds: got {count}", hint="give 2 or more, such as 5")
    if not dataset.has_labels:
        raise DataError(f"{dataset.name} has no labels to make folds of", hint="leave folds out, or label the records")
    mixed = dataset.shuffled(seed)
    alike: dict[tuple[str, ...], list[Record]] = {}
    for record in mixed:
        alike.setdefault(tuple(plain_words(record.text)), []).append(record)
    if len(alike) < count:
        problem = f"{dataset.name} holds {len(alike)} different records, too few for {count} folds"
        raise DataError(problem, hint="give fewer folds, or label more records")
    places: list[list[Record]] = [[] for _ in range(count)]
    for group in alike.values():
        min(places, key=len).extend(group)
    made = []
    for number, place in enumerate(places, 1):
        keys = {record.key for record in place}
        others = tuple(record for record in mixed if record.key not in keys)
        shown = tuple(Example(record.text, record.written) for record in others)
        made.append(Fold(tuple(place), shown, others, number))
    return made


def described(records: int, count: int) -> str:
    """How folds were made, in words."""
    return (
        f"The {records} labelled records were divided by chance into {count} folds. Each record was tested once, with "
        "examples and verifiers from the other folds alone. The folds share most of what was fitted, so the intervals "
        "are approximate; they are wider where the folds differ by more than chance."
    )


def is_fitted(strategy: Strategy) -> bool:
    """Whether a strategy holds a verifier that folds fit anew."""
    return any(isinstance(one, Learned) for one in parts(strategy))


def learns(strategy: Strategy) -> bool:
    """Whether a strategy may take anything from labelled records: examples, quoted or grounded fields, a verifier that
    is fitted. A strategy of your own may.
    """
    return any(map(_learns, parts(strategy))) or is_fitted(strategy)


def _learns(part: Any) -> bool:
    if not hasattr(part, "run"):
        return isinstance(part, Grounded) and part.fields == EXAMPLES
    if not type(part).__module__.startswith("structout."):
        return True
    return bool(getattr(part, "examples", 0) or getattr(part, "quote", False))


def fitted(part: Any, model: Model, teach: Teach) -> Any:
    """The strategy with each `Learned` fitted anew to the lessons of `teach`, for the results that it will check.

    Raises `SpecError` for a `Learned` that is not within a `Verify`, and as `Learned.fit`.
    """
    if isinstance(part, On):
        return replace(part, inner=fitted(part.inner, model_of(part.model), teach))
    if isinstance(part, Verify) and any(isinstance(one, Learned) for one in parts(part.verifier)):
        inner = fitted(part.inner, model, teach)
        return replace(part, inner=inner, verifier=_taught(part.verifier, teach(inner, model)))
    if isinstance(part, Learned):
        hint = "write Verify(..., Learned(...)), or leave folds out"
        raise SpecError("folds can fit Learned within Verify only", hint=hint)
    return with_inner(part, lambda one: fitted(one, model, teach))


def _taught(part: Any, lessons: Sequence[Judged]) -> Any:
    if isinstance(part, Learned):
        return Learned.fit(lessons, grounded=part.grounded, threshold=part.threshold)
    return with_inner(part, lambda one: _taught(one, lessons))


def check_untrained(models: Sequence[Model]) -> None:
    """Raise `SpecError` for a fine-tuned model: its training may have seen the records that the folds test."""
    for model in models:
        if getattr(model, "tuning", None) is not None:
            problem = f"{model.name} was fine-tuned, perhaps on records that the folds test"
            raise SpecError(problem, hint="measure it on the test split, without folds")
