"""One document made of the documents of a text's windows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from structout.document import Json, scalars
from structout.issue import Issue, pointer
from structout.parsing import Edit
from structout.result import Result, Status, Task
from structout.schema import Schema
from structout.schema.messages import shown
from structout.schema.part import is_tuple
from structout.schema.walk import inner, kinds_of, meant
from structout.strategies.item_places import marks, places
from structout.strategies.merge import canonical
from structout.strategies.windows import Window

SURE: Final = 0.9  # a value of at least this confidence wins over values below `UNSURE`
UNSURE: Final = 0.5
_MOST: Final = 50  # conflicts that are named
_NAMED: Final = 5  # windows of a conflict that are named
EVERY: Final = "*"
_WORST: Final[tuple[Status, ...]] = ("truncated", "invalid", "rejected")
T = TypeVar("T")

Keys = Mapping[str, tuple[str, ...]]  # for each list, by JSON Pointer, the fields that identify an item
Steps = tuple[str | int, ...]


class Said(NamedTuple):
    """What a window says: its place among the windows, the value, and the value's JSON Pointer in its document."""

    window: int
    node: Any
    pointer: str


@dataclass
class _Item:
    """An item of a merged list: its value so far, the readings of it, and the piece of the text where it stands."""

    node: Any
    readings: list[Said]
    piece: int | None
    is_named: bool = False  # by its key, or its content, so that its place does not matter


@dataclass
class Merge:
    """Merges the documents of windows that are all `ok`.

    `document` is the merged document, `issues` are the conflicts, and `moved` says where a place of a window's document
    is in the merged document. `keys` has the fields that identify the items of lists; "*" stands for all lists.
    """

    schema: Schema[Any]
    windows: Sequence[Window]
    results: Sequence[Result[Any]]
    keys: Keys
    document: Json = None
    issues: list[Issue] = field(default_factory=list)
    _lists: dict[str, dict[tuple[int, int], int]] = field(default_factory=dict)  # an item's index, by window and index

    def __post_init__(self) -> None:
        said = [Said(number, result.document, "") for number, result in enumerate(self.results)]
        self._marks = [_marks(window) for window in self.windows]
        self.document = self._merged((), said)
        if len(self.issues) > _MOST:
            more, word = len(self.issues) - _MOST, self.windows[0].word
            self.issues[_MOST:] = [Issue("", "conflict", f"and {more:,} more conflicts between {word}s")]

    def moved(self, window: int, place: str) -> str | None:
        """The merged document's place for a place of a window's document; None for an item that was left out."""
        for own, indexes in self._lists.items():
            if place.startswith(f"{own}/"):
                index, slash, rest = place[len(own) + 1 :].partition("/")
                if index.isdecimal():
                    at = indexes.get((window, int(index)))
                    return None if at is None else f"{own}/{at}{slash}{rest}"
        return place

    def confidence(self) -> dict[str, float]:
        """The confidence of each leaf: the highest of the windows that say the same."""
        final, found = scalars(self.document), dict[str, float]()
        for number, result in enumerate(self.results):
            own = scalars(result.document)
            for place, sure in result.confidence.items():
                new = self.moved(number, place)
                if new in final and place in own and canonical(own[place]) == canonical(final[new]):
                    found[new] = max(sure, found.get(new, 0.0))
        return found

    def spans(self) -> dict[str, tuple[int, int]]:
        """The place of each leaf in the whole text, by the first window that has it."""
        final, found = scalars(self.document), dict[str, tuple[int, int]]()
        for number, (window, result) in enumerate(zip(self.windows, self.results, strict=True)):
            own = scalars(result.document)
            for place, span in result.spans.items():
                new, there = self.moved(number, place), window.in_text(span)
                if there and new in final and place in own and canonical(own[place]) == canonical(final[new]):
                    found.setdefault(new, there)
        return found

    def edits(self) -> tuple[Edit, ...]:
        """The edits of all windows, those of data at their new places. An offset counts in its window's answer."""
        found: dict[Edit, None] = {}
        for number, result in enumerate(self.results):
            for edit in result.edits:
                where = self.moved(number, edit.where) if isinstance(edit.where, str) else edit.where
                if where is not None:
                    found[edit._replace(where=where)] = None
        return tuple(found)

    def _merged(self, path: Steps, said: Sequence[Said]) -> Any:
        """The value that the windows say together; None if all of them say nothing."""
        said = [one for one in said if one.node is not None]
        nodes = self._nodes(path)
        if said and all(isinstance(one.node, dict) for one in said):
            return self._object(path, said, nodes)
        if said and all(isinstance(one.node, list) for one in said) and not any(map(is_tuple, nodes)):
            return self._list(path, said, unique=any(node.get("uniqueItems") is True for node in nodes))
        return self._chosen(pointer(path), said)

    def _nodes(self, path: Steps) -> list[dict[str, Any]]:
        """The parts of the schema that speak of a place."""
        root = self.schema.json_schema
        nodes = meant([root], root)
        for step in path:
            nodes = meant((one for node in nodes for one in inner(node, step)), root)
        return nodes

    def _object(self, path: Steps, said: Sequence[Said], nodes: Sequence[dict[str, Any]]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        wanted = [node.get("required", []) for node in nodes if "properties" in node]
        required = [key for key in (wanted[0] if wanted else []) if all(key in other for other in wanted)]
        for key in dict.fromkeys([*(key for one in said for key in one.node), *required]):
            below = [Said(one.window, one.node[key], one.pointer + pointer((key,))) for one in said if key in one.node]
            value = self._merged((*path, key), below)
            if value is not None or self._may_be_null(nodes, key, is_said=bool(below)):
                made[key] = value
        return made

    def _may_be_null(self, nodes: Iterable[dict[str, Any]], key: str, *, is_said: bool) -> bool:
        """Whether the document has null for a key of which no window says a value, rather than no such key."""
        below = [one for node in nodes for one in inner(node, key) if one is not None]
        if any(isinstance(one, dict) and one.get("default") is not None for one in below):
            return False
        return (is_said or bool(below)) and all("null" in kinds_of(one, self.schema.json_schema) for one in below)

    def _chosen(self, place: str, said: Sequence[Said]) -> Any:
        """The value on which the windows agree, or of which one alone is sure; otherwise the first, and an issue."""
        values: dict[str, list[Said]] = {}
        for one in said:
            values.setdefault(canonical(one.node), []).append(one)
        if len(values) < 2:
            return said[0].node if said else None
        groups = list(values.values())
        sure = [max((self._sure(one) for one in group), default=-1.0) for group in groups]
        if -1.0 not in sure:
            best = sure.index(max(sure))
            if sure[best] >= SURE and all(one < UNSURE for at, one in enumerate(sure) if at != best):
                return groups[best][0].node
        self._conflict(place, [(shown(group[0].node), [one.window for one in group]) for group in groups])
        return groups[0][0].node

    def _sure(self, one: Said) -> float:
        return self.results[one.window].confidence.get(one.pointer, -1.0)

    def _conflict(self, place: str, sides: Iterable[tuple[str, Sequence[int]]]) -> None:
        said = [f"{what} in {self._named(numbers)}" for what, numbers in sides]
        more = f", and {len(said) - 3} other readings" if len(said) > 3 else ""
        self.issues.append(Issue(place, "conflict", ", ".join(said[:3]) + more))

    def _named(self, numbers: Sequence[int]) -> str:
        named = [str(self.windows[number].number) for number in dict.fromkeys(numbers)]
        if len(named) == 1:
            return f"{self.windows[0].word} {named[0]}"
        last = named.pop() if len(named) <= _NAMED else f"{len(named) - _NAMED + 1} others"
        return f"{self.windows[0].word}s {', '.join(named[: _NAMED - 1])} and {last}"

    def _list(self, path: Steps, said: Sequence[Said], *, unique: bool) -> list[Any]:
        own = pointer(path)
        fields = self.keys.get(own) or self.keys.get(EVERY) or ()
        items, known, indexes = list[_Item](), dict[str, int](), self._lists.setdefault(own, {})
        spoken = {one.window: one for one in said}
        for number in range(len(self.windows)):
            one, rest = spoken.get(number, Said(number, [], own)), list[tuple[int, Said]]()
            for index, node in enumerate(one.node):
                reading = Said(number, node, f"{one.pointer}/{index}")
                name = _key(node, fields) if fields else canonical(node) if unique else ""
                if name and name in known:
                    self._join(own, items, known[name], reading, fill=True)
                    indexes[number, index] = known[name]
                elif name:
                    known[name] = indexes[number, index] = len(items)
                    items.append(_Item(node, [reading], None, is_named=True))
                else:
                    rest.append((index, reading))
            found = self._placed(own, number, items, [reading.node for _, reading in rest])
            for (index, _), at in zip(rest, self._added(own, number, items, rest, found), strict=True):
                indexes[number, index] = at
        return [item.node for item in items]

    def _placed(self, own: str, number: int, items: Sequence[_Item], nodes: Sequence[Any]) -> list[int | None]:
        """The piece of the text where each item of a window stands. An item may stand in the head that the window
        repeats only if an earlier window read it there.
        """
        window, found = self.windows[number], list[int | None]([None] * len(nodes))
        try:
            found = places(nodes, self._marks[number])
        except ValueError as error:
            said = f"{window.name}: {error} are too many to find each in the text: give a smaller window, or a key"
            self.issues.append(Issue(own, "conflict", said))
        if window.titles is None:
            return [None if at is None else window.first + at for at in found]
        above = {canonical(item.node) for item in items if item.piece == window.titles}
        return [
            at
            if at is None
            else window.titles
            if not at and canonical(node) in above
            else window.first + max(at - 1, 0)
            for at, node in zip(found, nodes, strict=True)
        ]

    def _added(
        self,
        own: str,
        number: int,
        items: list[_Item],
        rest: Sequence[tuple[int, Said]],
        found: Sequence[int | None],
    ) -> list[int]:
        """The index in the merged list of each item of a window, after the new items were added.

        Where an earlier window has read the text, both must have found the same items.
        """
        first, reach = self.windows[number].first, self.windows[number - 1].last if number else 0
        before = [at for at, item in enumerate(items) if item.piece is not None and first <= item.piece < reach]
        again = [at for at, piece in enumerate(found) if piece is not None and first <= piece < reach]
        theirs, mine = ([canonical(items[at].node) for at in before], [canonical(rest[at][1].node) for at in again])
        known: dict[int, int] = {}  # the index in the merged list, by the number among the items of this window
        if theirs == mine or [items[at].piece for at in before] == [found[at] for at in again]:
            known = dict(zip(again, before, strict=True))
        else:
            self._conflict(own, [(_several(before), [number - 1]), (_several(again), [number])])
            same = dict(zip(theirs, before, strict=True))
            known = {at: same[name] for at, name in zip(again, mine, strict=True) if name in same}
        titles = self.windows[number].titles
        in_head = {
            canonical(item.node): at for at, item in enumerate(items) if item.piece is not None and item.piece == titles
        }
        nowhere = self._nowhere(items, number) if reach > first else {}
        added = []
        for at, ((_, one), piece) in enumerate(zip(rest, found, strict=True)):
            name = canonical(one.node)
            place = known.get(at)
            if place is None and piece is None and nowhere.get(name):
                place = nowhere[name].pop(0)
            elif place is None and piece is not None and piece < first:
                place = in_head[name]
            if place is None:
                place = len(items)
                items.append(_Item(one.node, [one], piece))
            else:
                self._join(own, items, place, one, fill=False)
            added.append(place)
        return added

    def _nowhere(self, items: Sequence[_Item], number: int) -> dict[str, list[int]]:
        """The items of the window before that stand nowhere in the text, by their content."""
        found: dict[str, list[int]] = {}
        for at, item in enumerate(items):
            if item.piece is None and not item.is_named and item.readings[-1].window == number - 1:
                found.setdefault(canonical(item.node), []).append(at)
        return found

    def _join(self, own: str, items: Sequence[_Item], at: int, one: Said, *, fill: bool) -> None:
        """Add a reading to an item. Where readings differ, confidence decides, or an issue says so."""
        item, place = items[at], f"{own}/{at}"
        item.readings.append(one)
        if canonical(item.node) != canonical(one.node):
            # The conflicts of the readings before are found again.
            self.issues = [issue for issue in self.issues if not f"{issue.pointer}/".startswith(f"{place}/")]
            item.node = self._both(place, item.readings, fill=fill)

    def _both(self, place: str, readings: Sequence[Said], *, fill: bool) -> Any:
        """The value of several readings of an item, or of a part of it. With `fill`, a null says nothing."""
        said = [one for one in readings if one.node is not None] if fill else list(readings)
        if said and all(isinstance(one.node, dict) for one in said):
            keys = dict.fromkeys(key for one in said for key in one.node)
            return {
                key: self._both(place + pointer((key,)), [_below(one, key) for one in said], fill=fill) for key in keys
            }
        if said and all(isinstance(one.node, list) for one in said) and len({len(one.node) for one in said}) == 1:
            size = len(said[0].node)
            return [self._both(f"{place}/{i}", [_below(one, i) for one in said], fill=fill) for i in range(size)]
        return self._chosen(place, said)


def merged(task: Task[T], windows: Sequence[Window], results: Sequence[Result[Any]], keys: Keys) -> Result[T]:
    """The result of a text that was read in windows, with the attempts of all windows.

    It fails if the result of a window does, or if windows contradict one another.
    """
    attempts = sum((result.attempts for result in results), ())
    checks = sum((result.checks for result in results), ())
    bad = [(window, result) for window, result in zip(windows, results, strict=True) if not result.ok]
    if bad:
        worst = next(one for one in _WORST if any(result.status == one for _, result in bad))
        issues = tuple(_of_window(window, issue) for window, result in bad for issue in result.issues)
        return Result(worst, issues=issues, attempts=attempts, checks=checks)
    merge = Merge(task.schema, windows, results, keys)
    checked = task.schema.check(merge.document)
    edits, final = merge.edits(), scalars(checked.document)
    status: Status = "repaired" if any(result.status == "repaired" for result in results) else "valid"
    if not checked.ok or merge.issues:
        status = "rejected" if checked.ok else "invalid"
    return Result(
        status,
        checked.value if status in ("valid", "repaired") else None,
        checked.document,
        (*merge.issues, *checked.issues),
        edits,
        attempts=attempts,
        checks=checks,
        confidence={place: sure for place, sure in merge.confidence().items() if place in final},
        spans={place: span for place, span in merge.spans().items() if place in final},
    )


def _of_window(window: Window, issue: Issue) -> Issue:
    """An issue of a window as an issue of the whole document."""
    return Issue("", issue.kind, f"{window.name}: {issue if issue.pointer else issue.message}")


def _marks(window: Window) -> list[frozenset[str | float]]:
    """The marks of the pieces of a window, those of its head first."""
    above = [window.text[: window.head[1] - window.head[0]]] if window.head else []
    return [marks(part) for part in (*above, *window.pieces)]


def _key(node: Any, fields: Sequence[str]) -> str:
    """The key of an item as a text; "" if a field of the key is missing."""
    if not isinstance(node, dict) or any(node.get(name) is None for name in fields):
        return ""
    return canonical([node[name] for name in fields])


def _below(one: Said, step: str | int) -> Said:
    """What a reading says of a key or an index of it."""
    node = one.node.get(step) if isinstance(one.node, dict) else one.node[step]
    return Said(one.window, node, one.pointer + pointer((step,)))


def _several(items: Sequence[object]) -> str:
    return f"{len(items):,} item" if len(items) == 1 else f"{len(items):,} items"
