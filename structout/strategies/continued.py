"""A strategy that goes on with lists that the token limit cut off."""

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from structout.completion import Message
from structout.document import Json
from structout.errors import SpecError
from structout.issue import Issue, pointer
from structout.models.base import Model
from structout.models.wrappers.base import innermost
from structout.prompts import response
from structout.result import GO_ON, Result, Task
from structout.schema import Schema
from structout.schema.part import part_of
from structout.strategies.base import Strategy, check_fields
from structout.strategies.cascade import Cascade, first_asked
from structout.strategies.cut_off import Known, at, begun, is_cut_off, known
from structout.strategies.draft import Draft, Think
from structout.strategies.merge import canonical
from structout.strategies.merging import Merge, merged
from structout.strategies.missed import Missed
from structout.strategies.parts import parts
from structout.strategies.reask import Reask, unanswered
from structout.strategies.select import BestOf, Vote
from structout.strategies.verify import Verify
from structout.strategies.windowed import Windowed
from structout.strategies.windows import Window

T = TypeVar("T")

# These belong around a `Continued`: they ask with turns of their own, or draw several answers.
_AROUND: Final = (BestOf, Cascade, Draft, Missed, Reask, Think, Verify, Vote, Windowed)
# Not in `prompts.wording`, whose sentences every journal names.
_REST: Final = "What an answer has said already may be left out or null where the answer goes on."


@dataclass(frozen=True)
class Continued:
    """Goes on with the answers of `inner` that the token limit cut off in a list, up to `limit` times each.

    A model on this machine goes on from the very words of its answer, as if the token limit were longer. Any other
    model is shown the last items that are complete, and asked for a document whose list begins with these items and has
    all items that follow. An item that was cut off is asked for again, and the items that were shown count once.

    Text that the token limit forced into an answer (see `Constrained`) is dropped before the answer goes on. A list
    that has not ended after `limit` answers more, or whose next answer does not begin as asked, is `truncated`, with an
    issue at its place. An answer that was cut off before any list has a complete item stays as `inner` gave it.

    `inner` asks once: it is `Prompted` or `Constrained`, perhaps in a `Repair` or an `On`, or a strategy of your own.
    """

    inner: Strategy
    limit: int = 20

    def __post_init__(self) -> None:
        check_fields(self)
        if self.limit < 1:
            raise SpecError(f"invalid limit of Continued: got {self.limit}", hint="give 1 or more")
        around = next((type(part).__name__ for part in parts(self.inner) if isinstance(part, _AROUND)), None)
        if around:
            problem = f"Continued cannot go on with the answers of {around}, which does not ask once"
            raise SpecError(problem, hint=f"write {around}(Continued(...))")

    def run(self, tasks: Sequence[Task[T]], model: Model) -> list[Result[T]]:
        results = self.inner.run(tasks, model)
        answers = [_Answer(task, result, self.limit) for task, result in zip(tasks, results, strict=True)]
        if not any(one.is_open for one in answers):
            return results
        if getattr(innermost(first_asked(self.inner, model)), "continues", False):
            while waiting := [one for one in answers if one.is_open and one.resumes]:
                again = self.inner.run([one.resumed_task() for one in waiting], model)
                for one, result in zip(waiting, again, strict=True):
                    one.resume(result)
        for one in answers:
            one.read()
        parts = {id(task.schema): part_of(task.schema, _REST) for task in tasks if task.schema.language is None}
        while waiting := [one for one in answers if one.is_asked]:
            again = self.inner.run([one.asked_task(parts[id(one.task.schema)]) for one in waiting], model)
            for one, result in zip(waiting, again, strict=True):
                one.take(result)
        return [one.result() for one in answers]


class _Answer(Generic[T]):
    """An answer that goes on: first as one text, as long as the model resumes it, then in parts, which are merged."""

    def __init__(self, task: Task[T], result: Result[T], left: int) -> None:
        self.task, self.whole, self.limit, self.left = task, result, left, left
        self.resumes = True
        self.known: Known | None = None  # what all answers together say, up to the list that goes on
        self.parts: list[Result[Any]] = []
        self.ended = False
        self.why = ""  # it cannot go on

    @property
    def is_open(self) -> bool:
        """Whether the answer is cut off, and may be asked to go on."""
        return self.left > 0 and is_cut_off(self.whole) and bool(begun(self.whole))

    def resumed_task(self) -> Task[T]:
        """The task with the answer so far as its last turn."""
        return replace(self.task, turns=(*self.task.turns, Message("assistant", begun(self.whole))))

    def resume(self, result: Result[T]) -> None:
        """Take an answer that begins with the answer so far."""
        self.left -= 1
        self.resumes = not unanswered(result) and len(begun(result)) > len(begun(self.whole))
        self.whole = result.after(self.whole) if self.resumes else self.whole.after(result)

    def read(self) -> None:
        """Read what an answer says that was cut off."""
        if self.task.schema.language is None and is_cut_off(self.whole):
            self.known = known(begun(self.whole))
        if self.known is not None:
            said: Result[Any] = Result("valid", document=self.known.document)
            self.parts = [said.after(self.whole)]

    @property
    def is_asked(self) -> bool:
        """Whether the model is to be asked for the rest of the list."""
        return self.known is not None and self.left > 0 and not self.ended and not self.why

    def asked_task(self, part: Schema[Any]) -> Task[Any]:
        """The task with the last items as its last answer, and with the question for what follows them."""
        assert self.known is not None
        shown: Json = self.known.items[-_tail(self.known.items) :]
        for key in reversed(self.known.path):
            shown = {key: shown}
        turns = (*self.task.turns, Message("assistant", response(part, shown)), Message("user", GO_ON))
        return replace(self.task, schema=part, turns=turns)

    def take(self, result: Result[Any]) -> None:
        """Take an answer that begins with the items that it was shown."""
        assert self.known is not None
        self.left -= 1
        cut_off = is_cut_off(result)
        if not cut_off and not result.ok:
            self.parts.append(result)
            self.ended = True
            return
        said = known(begun(result)) if cut_off else Known(self.known.path, result.document)
        rest = _rest(said.document, self.known) if said else None
        part: Result[Any] = Result("valid")
        part = part.after(result) if cut_off or rest is None else result
        self.parts.append(replace(part, document=rest))
        if said is None or rest is None:
            self.why = "the next answer does not begin with the last items" if said else "an item alone was cut off"
        elif cut_off and said.path == self.known.path and not at(rest, said.path):
            self.why = "an item alone was cut off"
        else:
            self.known = Known(said.path, Merge(self.task.schema, self._windows(), self.parts, {}).document)
            self.ended = not cut_off

    def result(self) -> Result[T]:
        """The result of all answers together."""
        if self.known is None:
            return self.whole
        if self.ended:
            return merged(self.task, self._windows(), self.parts, {})
        why = self.why or f"it was cut off {self.limit + 1} times"
        issue = Issue(
            pointer(self.known.path), "truncated", f"the list has {len(self.known.items):,} items so far: {why}"
        )
        result: Result[T] = Result("truncated", document=self.known.document, issues=(issue,))
        return result.after(*self.parts)

    def _windows(self) -> list[Window]:
        return [Window(number, 0, 0, "", (), word="answer") for number, _ in enumerate(self.parts, 1)]


def _rest(document: Json, known: Known) -> Json:
    """A document without what is known already; None if it does not go on from there.

    Its list must begin with the last items known, or with all of them, and its other lists must bring nothing new.
    """
    found = at(document, known.path)
    rest = _new_items(known.items, found) if isinstance(found, list) else None
    if rest is None:
        return None
    made = deepcopy(document)
    places: list[tuple[str, ...]] = [()]
    for path in places:
        node: Any = at(made, path)
        if path == known.path:
            node[:] = rest
        elif isinstance(node, dict):
            places += [(*path, key) for key in node]
        elif isinstance(node, list) and isinstance(complete := at(known.document, path), list):
            if Counter(map(canonical, node)) - Counter(map(canonical, complete)):
                return None
            node.clear()
    return made


def _new_items(before: Sequence[Any], said: Sequence[Any]) -> list[Any] | None:
    """The items that follow those known; None if the items neither begin with the last ones nor with all of them."""
    names, again, size = [*map(canonical, before)], [*map(canonical, said)], _tail(before)
    if again[: len(names)] == names:
        return list(said[len(names) :])
    return list(said[size:]) if again[:size] == names[-size:] else None


def _tail(items: Sequence[Any]) -> int:
    """The least number of last items that, as a run, occur once in the list, so that they show where it ends."""
    names = [*map(canonical, items)]
    for size in range(1, len(names)):
        if not any(names[first : first + size] == names[-size:] for first in range(len(names) - size)):
            return size
    return len(names)
