"""A strategy that asks again for the items that an answer lacks."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from structout.completion import Message
from structout.document import Json
from structout.errors import SpecError
from structout.issue import pointer
from structout.models.base import Model
from structout.prompts import response
from structout.result import MISSED, Result, Task
from structout.schema.part import part_of
from structout.strategies.base import Strategy, check_fields
from structout.strategies.cut_off import at
from structout.strategies.item_places import MOST, item_marks, marks, places
from structout.strategies.parts import parts
from structout.strategies.pieces import pieces
from structout.strategies.windowed import Windowed
from structout.strategies.windows import counter

T = TypeVar("T")
Path = tuple[str, ...]

# Not in `prompts.wording`, whose sentences every journal names.
_LACKS: Final = "Where the answer is asked what it lacks, fields outside lists may be left out or null."
_SENTENCE: Final = 100  # tokens: a longer sentence is several pieces


@dataclass(frozen=True)
class Missed:
    """Shows the model its answer, and asks for the items of lists that the answer lacks: up to `passes` times, until a
    pass adds nothing.

    An item is added if most of its words and numbers stand in one piece of the text, such as a row. The answer must
    have no item of this piece yet, or only items that share no word with the new item. So no item is doubled, and an
    item that stands nowhere in the text is not added. Added items stand in the order of the text. Results that
    are not `ok` are left alone, and a pass whose answer cannot be used adds nothing.

    Long texts are read in windows first: `Windowed(Missed(...))`.
    """

    inner: Strategy
    passes: int = 2

    def __post_init__(self) -> None:
        check_fields(self)
        if self.passes < 1:
            raise SpecError(f"invalid passes of Missed: got {self.passes}", hint="give 1 or more")
        if any(isinstance(part, Windowed) for part in parts(self.inner)):
            problem = "Missed cannot show the answer for a whole text to its windows"
            raise SpecError(problem, hint="write Windowed(Missed(...))")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.inner.run(tasks, model)
        schemas = {id(task.schema): part_of(task.schema, _LACKS) for task in tasks if task.schema.language is None}
        waiting = [
            n for n, result in enumerate(results) if result.ok and next(_lists(result.document), None) is not None
        ]
        for _ in range(self.passes):
            asked: list[Task[Any]] = []
            for n in waiting:
                shown = response(tasks[n].schema, results[n].document)
                turns = (*tasks[n].turns, Message("assistant", shown), Message("user", MISSED))
                asked.append(replace(tasks[n], schema=schemas[id(tasks[n].schema)], turns=turns))
            found = self.inner.run(asked, model) if asked else []
            still = []
            for n, result in zip(waiting, found, strict=True):
                more = _with_missed(tasks[n], results[n], result)
                still += [n] if more else []
                results[n] = more.after(results[n], result) if more else results[n].after(result)
            waiting = still
        return results


def _lists(document: Json, path: Path = ()) -> Iterator[Path]:
    """The places of the lists that stand in no other list."""
    if isinstance(document, list):
        yield path
    elif isinstance(document, dict):
        for key, value in document.items():
            yield from _lists(value, (*path, key))


def _with_missed(task: Task[T], before: Result[T], found: Result[Any]) -> Result[T] | None:
    """A result with the items that another answer found besides, and without any calls; None without such items."""
    if not found.ok:
        return None
    cut = pieces(task.text, _SENTENCE, counter(None))
    shown = [marks(task.text[piece.start : piece.end]) for piece in cut]
    document, moved, taken = deepcopy(before.document), dict[str, list[int]](), dict[str, dict[int, int]]()
    for path in _lists(found.document):
        known = at(document, path)
        if isinstance(known, list):
            place = pointer(path)
            moved[place], taken[place] = _insert(known, at(found.document, path), shown)
    checked = task.schema.check(document)
    if not any(taken.values()) or not checked.ok:
        return None

    def where(place: str, indexes: dict[str, dict[int, int]]) -> str | None:
        for own, known in indexes.items():
            index, slash, rest = place.removeprefix(f"{own}/").partition("/")
            if place.startswith(f"{own}/") and index.isdecimal():
                return f"{own}/{known[int(index)]}{slash}{rest}" if int(index) in known else None
        return place

    kept = {own: dict(enumerate(indexes)) for own, indexes in moved.items()}
    edits = []
    for result, indexes in ((before, kept), (found, taken)):
        for edit in result.edits:
            to = where(edit.where, indexes) if isinstance(edit.where, str) else edit.where
            edits += [edit._replace(where=to)] if to is not None else []
    return replace(
        before,
        status="repaired" if "repaired" in (before.status, found.status) else "valid",
        value=checked.value,
        document=checked.document,
        edits=tuple(edits),
        attempts=(),
        checks=(),
        confidence={to: sure for place, sure in before.confidence.items() if (to := where(place, kept)) is not None},
        spans={to: span for place, span in before.spans.items() if (to := where(place, kept)) is not None},
    )


def _insert(
    known: list[Any], found: Sequence[Any], shown: Sequence[frozenset[str | float]]
) -> tuple[list[int], dict[int, int]]:
    """Add the items that are missing to a list. Returns the new indexes of the known items, and of the items added."""
    if (len(known) + len(found)) * len(shown) > MOST:
        return list(range(len(known))), {}
    where = places(known, shown)
    held: dict[int, set[str | float]] = {}  # what the items of a piece say of it
    for item, piece in zip(known, where, strict=True):
        if piece is not None:
            held.setdefault(piece, set()).update(item_marks(item) & shown[piece])
    added = list[tuple[int, int]]()  # the piece and the index of an item that is missing
    for index, item in enumerate(found):
        said = item_marks(item)
        most = max((len(said & part) for part in shown), default=0)
        if 2 * most <= len(said):
            continue  # it stands nowhere
        pieces_of = [number for number, part in enumerate(shown) if len(said & part) == most]
        free = [number for number in pieces_of if not held.get(number, set()) & said]
        if free:
            piece = min(free, key=lambda number: number in held)  # a piece without items first
            held.setdefault(piece, set()).update(said & shown[piece])
            added.append((piece, index))
    order = sorted(added)
    rank = [
        max([-1, *(n for n, place in enumerate(where) if place is not None and place <= piece)]) for piece, _ in order
    ]
    old, new, made = list[int](), dict[int, int](), list[Any]()
    for n in range(-1, len(known)):
        if n >= 0:
            old.append(len(made))
            made.append(known[n])
        for (_, index), after in zip(order, rank, strict=True):
            if after == n:
                new[index] = len(made)
                made.append(found[index])
    known[:] = made
    return old, new
