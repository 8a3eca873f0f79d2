"""A sentence about wrong values that stand nowhere in their texts, and the strategy that refuses them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from structout.document import leaves
from structout.errors import DataError, SpecError
from structout.evaluation.outcome import Outcome
from structout.result import Example
from structout.strategies import Verify, load_strategy, spec
from structout.strategies.parts import parts
from structout.verifiers import Grounded
from structout.verifiers.finding import searched
from structout.verifiers.grounded import EXAMPLES, field_of


@dataclass(frozen=True)
class _Labels:
    examples: tuple[Example, ...]


def ungrounded(name: str, strategy: str, outcomes: Sequence[Outcome]) -> str:
    """How many of the wrong accepted records, and of the right ones, `Grounded` would refuse, with its expression.

    `name` is what the sentence calls the strategy. The fields are those whose right values stand in their texts. "" if
    `Grounded` would refuse no wrong record, if the strategy holds a `Grounded` already, or if the outcomes have no
    labels or no texts.
    """
    accepted = [one for one in outcomes if one.ok and one.has_label and one.text]
    wrong = [one for one in accepted if not one.right]
    if not wrong or any(isinstance(part, Grounded) for part in _parts(strategy)):
        return ""
    try:
        grounded = Grounded.fit(_Labels(tuple(Example(one.text, one.expected) for one in accepted)))
    except DataError:  # no label holds a value
        return ""
    caught = [one for one in wrong if _is_refused(one, grounded)]
    if not caught:
        return ""
    lost = sum(_is_refused(one, grounded) for one in accepted if one.right)
    hold, them = ("holds a value", "this record") if len(caught) == 1 else ("hold a value", "these records")
    return (
        f"Of the {len(wrong)} wrong records that {name} accepted, {len(caught)} {hold} that stands nowhere in the "
        f"text: {_verified(strategy)} would refuse {them}, and {lost} of {len(accepted) - len(wrong)} right records."
    )


def _is_refused(outcome: Outcome, grounded: Grounded) -> bool:
    text = searched(outcome.text)
    values = ((field_of(place), value) for place, value in leaves(outcome.document).items())
    wanted = (value for field, value in values if field in (grounded.fields or ()))
    return any(text.find(value, grounded.threshold).score < grounded.threshold for value in wanted)


def _parts(strategy: str) -> list[object]:
    with suppress(SpecError):
        return list(parts(load_strategy(strategy)))
    return []


def _verified(strategy: str) -> str:
    """The expression of a strategy with `Grounded` around it; of a named strategy, the form of the expression."""
    grounded = Grounded(fields=EXAMPLES)
    with suppress(SpecError):
        return spec(Verify(load_strategy(strategy), grounded))
    return f"Verify(STRATEGY, {spec(grounded)})"
