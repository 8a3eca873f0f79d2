"""Sentences about verifiers that refuse nearly all records, and about the reason that the records share."""

from collections import Counter
from collections.abc import Iterator, Sequence

from structout.document import leaves
from structout.evaluation.outcome import Outcome
from structout.prompts import wording
from structout.strategies import spec
from structout.verifiers import Grounded
from structout.verifiers.grounded import field_of

_NEARLY_ALL = 0.9
_FEW = 5  # records that say nothing about a verifier
_NOT_FOUND = wording.UNGROUNDED.format(value="")
_NO_CONFIDENCE = wording.UNDECIDED.partition(" ")[2].partition("(")[0]


def refused(name: str, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A sentence for each verifier that refused nearly all answers of a strategy for one reason.

    `Grounded` finds no value of a derived field, and `Confident` is unsure of an answer without a confidence. `name` is
    that of the strategy.
    """
    able = [one for one in outcomes if one.ok or one.status == "rejected"]
    least = max(_FEW, _NEARLY_ALL * len(able))
    whole = f"of the {len(able)} records that it could accept"
    fields = Counter(field for one in able for field in _not_found(one))
    if sum(any(_not_found(one)) for one in able) >= least:
        derived = [field for field, count in fields.items() if count >= len(able) / 2]
        told = ", ".join(f"{field} ({fields[field]})" for field in sorted(derived or fields))
        many = sum(any(_not_found(one)) for one in able)
        yield (
            f"{name}: Grounded refused {many} {whole}, since it found no value of {told} in the text. It suits fields "
            f"that are copied from the text, not derived fields{_example(able, set(derived))}."
        )
    unsure = sum(any(_is_unsure(issue["message"]) for issue in one.issues) and not one.confidence for one in able)
    if unsure >= least:
        yield (
            f"{name}: Confident refused {unsure} {whole}, since their answers have no confidence: ask a server's model "
            "with #logprobs after its name, or put a Vote within."
        )


def _not_found(outcome: Outcome) -> set[str]:
    """The fields with a value that `Grounded` did not find."""
    issues = outcome.issues if outcome.status == "rejected" else ()
    return {field_of(issue["pointer"]) for issue in issues if issue["message"].endswith(_NOT_FOUND)}


def _is_unsure(message: str) -> bool:
    return message.startswith(f"Confident {_NO_CONFIDENCE}")


def _example(outcomes: Sequence[Outcome], derived: set[str]) -> str:
    """The expression that names the other fields; "" without another field."""
    seen = {field_of(place) for one in outcomes for place in leaves(one.expected)}
    others = [field for field in sorted(seen) if field not in derived and field not in outcomes[0].comparison.closed]
    return f": name the others, {spec(Grounded(fields=tuple(others)))}" if others and derived else ""
