"""What the readings of a text come to, and whether they compete."""

from typing import Generic, NamedTuple, TypeVar

from structout.issue import Issue
from structout.parsing.edits import Edit, worst
from structout.parsing.fit.coercer import same
from structout.parsing.fit.shape import plain_key, shape_of
from structout.parsing.syntax.reader import Reading
from structout.schema import Checked, Schema

T = TypeVar("T")


class Outcome(NamedTuple, Generic[T]):
    """One reading with its verdict: the document after coercion, and what the schema says of it."""

    reading: Reading
    checked: Checked[T]
    edits: tuple[Edit, ...]
    issues: tuple[Issue, ...]
    cue: int
    stands_out: bool
    foreign: bool  # other text surrounds the document, and the schema knows none of its keys
    left_over: bool  # closers were repaired, and more closers follow the document

    @property
    def order(self) -> tuple[bool, bool, int, int, bool, bool]:
        """The rank of the outcome, lower is better: foreign, left over, worst edit, introduction, layout, coercion."""
        coerced = any(isinstance(edit.where, str) for edit in self.edits)
        return self.foreign, self.left_over, worst(self.edits), self.cue, not self.stands_out, coerced


def are_rivals(best: Outcome[T], other: Outcome[T], schema: Schema[T]) -> bool:
    """Whether two documents are both answers, and the text does not say which answer counts.

    The number of edits decides nothing. Of two readings of the same place, the better reading counts.
    """
    if same(other.checked.document, best.checked.document):
        return False
    one, two = sorted((best.reading, other.reading), key=lambda reading: reading.start)
    if two.start < one.end:
        return other.order == best.order
    if other.foreign and not best.foreign:
        return False
    apart = not isinstance(one.document, list) and not isinstance(two.document, list)
    if apart and shape_of(schema).types == ("array",):
        return other.cue < 2  # both may be records of the list
    return other.cue <= best.cue


def is_other_answer(best: Outcome[T], other: Outcome[T], schema: Schema[T]) -> bool:
    """Whether `other` does not fit the schema, but stands beside `best` and has all required keys."""
    document, required = other.reading.document, shape_of(schema).required
    if not other.issues or other.foreign or other.cue > best.cue or not isinstance(document, dict) or not required:
        return False
    if other.reading.start < best.reading.end and best.reading.start < other.reading.end:
        return False
    known = shape_of(schema).known_keys
    return any(plain_key(key) in known for key in document)
