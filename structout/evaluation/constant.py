"""The constant answer: what a program gets right that reads no text and always answers the most frequent label."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from structout.document import Json
from structout.evaluation.dataset import Dataset, Record
from structout.evaluation.folds import Fold, folds_of
from structout.evaluation.outcome import Outcome
from structout.evaluation.scoring.comparison import Comparison
from structout.evaluation.scoring.score import score
from structout.evaluation.stats.rates import Rate, clustered
from structout.words import plain_words

CONSTANT = "constant answer"
_FOLDS = 10


@dataclass(frozen=True, slots=True)
class Constant:
    """How right the constant answer is on the measured records.

    `rates` are those of the report that need labels: value accuracy is that of the most frequent value of each field,
    record accuracy and wrong-but-valid are those of the most frequent record. `right` says for each key whether the
    most frequent record is right.
    """

    rates: dict[str, Rate]
    right: dict[str, float]

    @classmethod
    def of(cls, outcomes: Iterable[Outcome]) -> "Constant | None":
        """The constant answer to the records of some outcomes; None if nothing is known of it, as in old logs."""
        found = {one.key: one.constant for one in outcomes if one.constant is not None}
        if not found:
            return None
        rights, leaves, wholes = zip(*found.values(), strict=True)
        ones = [1] * len(wholes)
        rates = {
            "value accuracy": clustered(rights, leaves),
            "record accuracy": clustered(wholes, ones),
            "wrong-but-valid": clustered([1 - whole for whole in wholes], ones),
        }
        return cls(rates, {key: float(whole) for key, (*_, whole) in found.items()})


def constant_scores(
    dataset: Dataset, train: Sequence[Record], folds: Sequence[Fold], comparison: Comparison
) -> dict[str, tuple[int, int, int]]:
    """For the key of each record: the right leaves and the leaves of the most frequent value of each field, and whether
    the most frequent record is right (1) or not (0). Records without labels, or without any other record, have none.

    The labels that are counted are those of other records alone, or else labels that are all different would seem
    right: with `folds`, those of the other folds; without, the `train` records and the other tested records.
    """
    found: dict[str, tuple[int, int, int]] = {}
    for fold in folds if folds[0].number is not None else _folds(dataset, train):
        labels = [record.expected for record in fold.others]
        if not labels:
            continue
        whole, by_field = most_frequent(labels), typical(labels)
        for record in fold.records:
            scored = score(record.expected, by_field, comparison)
            is_right = score(record.expected, whole, comparison).all_right
            found[record.key] = (scored.right, scored.leaves, int(is_right))
    return found


def most_frequent(labels: Sequence[Json]) -> Json:
    """The most frequent label; the first one of equals.

    >>> most_frequent([1, 2, 2])
    2
    """
    counts = Counter(json.dumps(label, sort_keys=True) for label in labels)
    return json.loads(counts.most_common(1)[0][0]) if labels else None


def typical(labels: Sequence[Json]) -> Json:
    """The document with the most frequent value of each field; a list counts as a whole.

    >>> typical([{"kind": "hex", "size": 1}, {"kind": "hex", "size": 2}, {"kind": "flange", "size": 2}])
    {'kind': 'hex', 'size': 2}
    """
    objects = [label for label in labels if isinstance(label, dict)]
    if not objects or len(objects) < len(labels):
        return most_frequent(labels)
    names = dict.fromkeys(name for one in objects for name in one)
    return {name: typical([one.get(name) for one in objects]) for name in names}


def _folds(dataset: Dataset, train: Sequence[Record]) -> list[Fold]:
    """The tested records in folds; the train records with other words join the other records of each fold."""
    if not dataset.has_labels:
        return []
    words: Mapping[str, tuple[str, ...]] = {record.key: tuple(plain_words(record.text)) for record in dataset}
    tested = set(words.values())
    more = tuple(record for record in train if record.has_label and tuple(plain_words(record.text)) not in tested)
    if len(tested) < 2:
        return [Fold(dataset.records, (), more, 1)]
    made = folds_of(dataset, min(_FOLDS, len(tested)))
    return [Fold(fold.records, (), (*fold.others, *more), fold.number) for fold in made]
