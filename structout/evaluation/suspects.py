"""Suspect labels: values of labels that independent strategies contradict with a value of the text."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from structout.document import Json
from structout.errors import DataError, SpecError
from structout.evaluation.metrics import of_records, record_accuracy, wrong_but_valid
from structout.evaluation.outcome import Arm, Outcome
from structout.evaluation.report import Report
from structout.evaluation.scoring.comparison import EXACT
from structout.evaluation.scoring.score import Leaf
from structout.evaluation.stats.rates import Rate
from structout.verifiers.finding import searched

LEAST = 2  # independent strategies that agree
_DERIVED = 0.2  # of a field's labels: if more stand nowhere in their texts, the field is derived

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Suspect:
    """A value of a label that may be wrong, at `pointer` in the record `key`.

    `label` is the value of the label, None for an absent value. `answer` is the value on which the `arms` agree:
    `independent` of them share no question to a model, and `others` accepted answers have another value. `span` is the
    place of the answer in the `text`, and `label_span` the place of the label's value, None if it stands nowhere. A
    place is (first character, character after the last).
    """

    key: str
    pointer: str
    label: Json
    answer: Json
    arms: tuple[Arm, ...]
    independent: int
    others: int
    text: str
    span: Span
    label_span: Span | None

    @property
    def is_clear(self) -> bool:
        """Whether the label has a value that stands nowhere in the text."""
        return self.label is not None and self.label_span is None


@dataclass(frozen=True, slots=True)
class Without:
    """The rates of one arm without the suspects: `value_accuracy` without these leaves, the others without their
    records.
    """

    value_accuracy: Rate
    record_accuracy: Rate
    wrong_but_valid: Rate


def suspects(report: Report, least: int = LEAST) -> list[Suspect]:
    """The values of labels that at least `least` independent strategies contradict, the surest first.

    The strategies agree on a value that stands in the record's text, and none of them gives the label's value.
    Strategies are independent if they ask a model different questions: a repair, a re-ask, a vote or a constraint on
    the same messages repeats the mistakes of the first answer. Repeats count once.

    A label with a value that stands nowhere in the text is clear, and comes first. Otherwise every accepted answer must
    agree. Fields of which more than 20 % of the labels stand nowhere in their texts are left out: their values are
    derived.

    A suspect is a label to look at, and not an error: strategies that make the same mistake agree, too. Raises
    `DataError` without labels, and `SpecError` for a `least` below 2.

        for one in suspects(read_log("log.jsonl")):
            print(one.key, one.pointer, one.label, one.answer)
    """
    if not report.has_labels:
        raise DataError("the records have no labels: no label can be wrong", hint="label the records")
    if least < 2:
        raise SpecError(f"invalid least: got {least}", hint="give 2 or more: one strategy alone is often wrong")
    records = _records(report)
    copied = _copied([outcomes[0] for outcomes in records])
    found = [one for outcomes in records for one in _in_record(outcomes, copied, least)]
    return sorted(found, key=lambda one: (not one.is_clear, one.others, -one.independent))


def without(report: Report, found: Iterable[Suspect]) -> dict[Arm, Without]:
    """The rates of each arm without these suspects.

    These rates are too high if a label is right after all: a suspect is a leaf that strategies got wrong by its label.
    """
    leaves = {(one.key, one.pointer) for one in found}
    keys = {key for key, _ in leaves}

    def count(outcome: Outcome) -> tuple[int, int]:
        kept = [leaf for leaf in outcome.score.found if (outcome.key, leaf.pointer) not in leaves]
        return sum(leaf.verdict == "right" for leaf in kept), len(kept)

    rates = {}
    for arm, outcomes in report.plain.items():
        rest = [one for one in outcomes if one.key not in keys]
        rates[arm] = Without(of_records(outcomes, count), record_accuracy(rest), wrong_but_valid(rest))
    return rates


def independent(report: Report) -> int:
    """How many independent strategies answered one record, at most: below 2, no label can be suspect."""
    return max((_independent([_Answer(one) for one in outcomes if one.ok]) for outcomes in _records(report)), default=0)


def _records(report: Report) -> list[list[Outcome]]:
    """The outcomes of each record, without perturbations."""
    records: dict[str, list[Outcome]] = {}
    for outcome in (one for outcomes in report.plain.values() for one in outcomes):
        records.setdefault(outcome.key, []).append(outcome)
    return list(records.values())


def _copied(outcomes: Sequence[Outcome]) -> frozenset[str]:
    """The fields whose labels stand in the text, from one outcome of each record. One label of any field may not."""
    labelled: Counter[str] = Counter()
    nowhere: Counter[str] = Counter()
    for outcome in outcomes:
        for leaf in outcome.score.found:
            if leaf.expected is not None:
                labelled[leaf.field] += 1
                nowhere[leaf.field] += _place(outcome.text, leaf.expected) is None
    return frozenset(field for field in labelled if nowhere[field] <= max(1, _DERIVED * labelled[field]))


@dataclass(frozen=True)
class _Answer:
    """An accepted document: its leaves by pointer, and the questions that it took."""

    outcome: Outcome

    @cached_property
    def leaves(self) -> Mapping[str, Leaf]:
        return {leaf.pointer: leaf for leaf in self.outcome.score.found}

    @cached_property
    def questions(self) -> Set[Any]:
        """The messages and the model of each call. What else a call has, such as a constraint or an option of the model
        (`#logprobs`), asks nothing else.
        """
        return {
            (call["model"].partition("#")[0], tuple(map(tuple, call["messages"]))) for call in self.outcome.attempts
        }


def _in_record(outcomes: Sequence[Outcome], copied: Set[str], least: int) -> Iterator[Suspect]:
    """The suspects among the leaves of one record."""
    answers = [_Answer(one) for one in outcomes if one.ok]
    for pointer in dict.fromkeys(pointer for answer in answers for pointer in answer.leaves):
        known = [leaf for answer in answers if (leaf := answer.leaves.get(pointer))]
        if known[0].field not in copied or any(leaf.verdict == "right" for leaf in known):
            continue
        leaf, agreeing = _most_agreed(answers, pointer)
        text, others = outcomes[0].text, len(answers) - len(agreeing)
        if leaf is None or _independent(agreeing) < least or (span := _place(text, leaf.answer)) is None:
            continue
        arms = tuple(dict.fromkeys(one.outcome.arm for one in agreeing))
        about = (outcomes[0].key, pointer, leaf.expected, leaf.answer, arms, _independent(agreeing), others, text)
        suspect = Suspect(*about, span, _place(text, leaf.expected))
        # Measured on addresses: of suspects that are not clear, half were wrong labels where all answers agreed, and a
        # sixth where they did not. Of clear suspects, all were, in both cases.
        if suspect.is_clear or not others:
            yield suspect


def _most_agreed(answers: Sequence[_Answer], pointer: str) -> tuple[Leaf | None, list[_Answer]]:
    """The leaf at this place on which the most independent answers agree, with these answers; None if it is absent."""
    groups: list[tuple[Leaf, list[_Answer]]] = []
    for answer in answers:
        leaf = answer.leaves.get(pointer)
        if leaf is None or leaf.answer is None:
            continue
        same = answer.outcome.comparison.places.get(leaf.field, EXACT).same
        for first, agreeing in groups:
            if same(first.answer, leaf.answer):
                agreeing.append(answer)
                break
        else:
            groups.append((leaf, [answer]))
    return max(groups, key=lambda group: _independent(group[1]), default=(None, []))


def _independent(answers: Iterable[_Answer]) -> int:
    """How many of these answers share no question with another one of them that is counted."""
    count, asked = 0, set[Any]()
    for answer in sorted(answers, key=lambda one: len(one.questions)):
        if answer.questions and asked.isdisjoint(answer.questions):
            count += 1
            asked |= answer.questions
    return count


def _place(text: str, value: Json) -> Span | None:
    """Where a value stands in a text."""
    return searched(text).find(value).span if isinstance(value, str | int | float) else None
