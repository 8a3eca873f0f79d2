"""The reading order: the order in which records name a schema's keys."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from structout.document import Json, leaves
from structout.finetuning.answer_layout import AnswerLayout
from structout.issue import pointer
from structout.models.tuning import Orders
from structout.result import Example
from structout.schema import Schema


def reading_order(examples: Sequence[Example], schema: Schema[Any]) -> Orders:
    """The keys of each object in the schema, by its JSON Pointer, in the order in which records tend to name them.

    A constraint admits only one order of keys. In the record's own order, the value of the next key is in the next
    words; in any other order the model has to search the whole record, and cannot return to a key that it missed. The
    order is the one that most pairs of keys agree with (Kemeny's, approximated by moving one key at a time). Keys whose
    values are not found in records do not count.
    """
    layout = AnswerLayout(schema)
    before: dict[int, Counter[tuple[str, str]]] = {}
    for example in examples:
        for node, document in layout.objects(example.document):
            found = {key: at for key, value in document.items() if (at := _first(value, example.text)) is not None}
            counts = before.setdefault(id(node), Counter())
            counts.update((one, other) for one in found for other in found if found[one] < found[other])
    return {
        place: _ranked(list(node["properties"]), before[id(node)])
        for place, node in _objects(schema.json_schema, ())
        if id(node) in before
    }


def _first(value: Json, text: str) -> int | None:
    """The first place in a text where a leaf of the value stands; None without such a place."""
    found = (re.search(rf"(?<!\w){re.escape(str(leaf))}(?!\w)", text, re.I) for leaf in leaves(value).values())
    return min((place.start() for place in found if place), default=None)


def _ranked(keys: list[str], before: Counter[tuple[str, str]]) -> list[str]:
    """The keys after moving each of them, as long as it helps, to the place where most observed pairs agree."""
    moved = True
    while moved:
        moved = False
        for key in list(keys):
            rest = [other for other in keys if other != key]
            gains = [
                sum(before[other, key] for other in rest[:place]) + sum(before[key, other] for other in rest[place:])
                for place in range(len(keys))
            ]
            best = max(range(len(keys)), key=gains.__getitem__)
            if gains[best] > gains[keys.index(key)]:
                keys, moved = [*rest[:best], key, *rest[best:]], True
    return keys


def _objects(node: Any, path: tuple[str | int, ...]) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict):
            yield pointer(path), node
        for key, value in node.items():
            yield from _objects(value, (*path, key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _objects(value, (*path, index))
