"""Corruptions of the data's form: the same facts, in types, spellings or nesting that the schema does not want."""

import datetime
import json
import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from structout.schema import Schema

Path = tuple[Any, ...]
# (rng, a copy of the document, its schema) -> the corrupted document, or None if the kind does not apply
Distort = Callable[[Random, Any, Schema[Any]], Any]


def leaves(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every value in a document with its path, containers too."""
    yield path, node
    if isinstance(node, dict):
        for key, item in node.items():
            yield from leaves(item, (*path, key))
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from leaves(item, (*path, index))


def put(document: Any, path: Path, value: Any) -> Any:
    """The document with another value at a path; it is changed in place unless the path is empty."""
    if not path:
        return value
    node = document
    for step in path[:-1]:
        node = node[step]
    node[path[-1]] = value
    return document


def rename(document: Any, path: Path, name: str) -> Any:
    """The document with another name for the key at the end of a path, its place kept."""
    node = document
    for step in path[:-1]:
        node = node[step]
    if name == path[-1] or name in node:
        return None
    items = [(name if key == path[-1] else key, value) for key, value in node.items()]
    node.clear()
    node.update(items)
    return document


def pick(rng: Random, document: Any, wanted: Callable[[Any], bool], *, root: bool = False) -> tuple[Path, Any] | None:
    """A random value for which `wanted` holds."""
    found = [(path, value) for path, value in leaves(document) if (path or root) and wanted(value)]
    return rng.choice(found) if found else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number_as_string(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, _is_number)
    return put(document, place[0], json.dumps(place[1])) if place else None


def all_numbers_as_strings(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    places = [(path, value) for path, value in leaves(document) if path and _is_number(value)]
    minded = []
    for path, value in places:
        if not schema.check(put(document, path, json.dumps(value))).ok:  # else nobody could tell
            minded.append((path, value))
        put(document, path, value)
    for path, value in minded:
        put(document, path, json.dumps(value))
    return document if minded else None


def boolean_as_string(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, bool))
    if not place:
        return None
    return put(document, place[0], rng.choice([str(place[1]), str(place[1]).lower()]))


def integer_as_float(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    """`"4.0"` for 4."""
    place = pick(rng, document, lambda value: type(value) is int)
    return put(document, place[0], f"{place[1]}.0") if place else None


def enum_case(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, str) and value.lower() in _names(schema.json_schema))
    if not place:
        return None
    return put(
        document, place[0], rng.choice([place[1].upper(), place[1].title(), place[1].capitalize(), place[1].lower()])
    )


def enum_punctuation(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, str) and value.lower() in _names(schema.json_schema))
    if not place:
        return None
    value = place[1]
    spaced = re.sub(r"[_-]", " ", value) if re.search(r"[_-]", value) else re.sub(r" ", "_", value)
    return put(document, place[0], rng.choice([f" {value} ", f"{value}.", f'"{value}"', spaced]))


def key_case(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    """One key in another case: snake, camel, title."""
    place = _some_key(rng, document)
    if not place:
        return None
    key = place[-1]
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", key)
    if not words:
        return None
    lower = [word.lower() for word in words]
    styles = [
        "_".join(lower),
        lower[0] + "".join(map(str.capitalize, lower[1:])),
        " ".join(map(str.capitalize, lower)),
        "-".join(lower),
    ]
    return rename(document, place, rng.choice([*styles, key.upper(), key.capitalize()]))


def list_item_alone(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    """A list of one is written as its item."""
    place = pick(rng, document, lambda value: isinstance(value, list) and len(value) == 1)
    return put(document, place[0], place[1][0]) if place else None


def scalar_in_list(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: value is not None and not isinstance(value, dict | list))
    return put(document, place[0], [place[1]]) if place else None


def object_as_pairs(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, dict) and len(value) > 0, root=True)
    if not place:
        return None
    style = rng.randrange(3)
    pairs = [
        [key, value] if style == 0 else {"key": key, "value": value} if style == 1 else {key: value}
        for key, value in place[1].items()
    ]
    return put(document, place[0], pairs)


def wrapped(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    return {rng.choice(["data", "result", "response", "record", "output", "answer"]): document}


def schema_filled_in(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    """The model fills in the schema that it was shown."""
    return {"type": "object", "properties": document} if isinstance(document, dict) and document else None


def json_in_string(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, dict | list))
    return put(document, place[0], json.dumps(place[1])) if place else None


def date_style(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(
        rng,
        document,
        lambda value: isinstance(value, str) and re.fullmatch(r"(19|20)\d\d-\d\d-\d\d", value) is not None,
    )
    if not place:
        return None
    try:
        date = datetime.date.fromisoformat(place[1])
    except ValueError:
        return None
    month = date.strftime("%B")
    return put(
        document,
        place[0],
        rng.choice(
            [f"{month} {date.day}, {date.year}", f"{date.day} {month[:3]} {date.year}", date.strftime("%Y/%m/%d")]
        ),
    )


def date_time_style(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(
        rng,
        document,
        lambda value: isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) is not None,
    )
    if not place:
        return None
    date, time = place[1][:-1].split("T")
    return put(
        document, place[0], rng.choice([f"{date} {time}Z", f"{date} {time} UTC", f"{date.replace('-', '/')} {time}Z"])
    )


def null_for_absent(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    node = schema.json_schema
    declared = node.get("properties") if isinstance(node, dict) else None
    if not isinstance(document, dict) or not isinstance(declared, dict):
        return None
    absent = [key for key in declared if key not in document and not schema.check({**document, key: None}).ok]
    if not absent:
        return None
    for key in rng.sample(absent, rng.randint(1, min(3, len(absent)))):
        document[key] = None
    return document


def string_as_number(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(
        rng,
        document,
        lambda value: isinstance(value, str) and re.fullmatch(r"[1-9]\d{0,11}|\d\.\d{1,3}", value) is not None,
    )
    return put(document, place[0], json.loads(place[1])) if place else None


def boolean_as_number(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    place = pick(rng, document, lambda value: isinstance(value, bool))
    return put(document, place[0], int(place[1])) if place else None


def object_in_list(rng: Random, document: Any, schema: Schema[Any]) -> Any:
    return [document]


def _some_key(rng: Random, document: Any) -> Path | None:
    keys = [path for path, _ in leaves(document) if path and isinstance(path[-1], str)]
    return rng.choice(keys) if keys else None


def _names(json_schema: Any) -> set[str]:
    """All the strings in enumerations, in lower case."""
    found: set[str] = set()
    stack = [json_schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            values = node.get("enum")
            if isinstance(values, list):
                found |= {value.lower() for value in values if isinstance(value, str)}
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return found


KINDS: dict[str, Distort] = {
    kind.__name__: kind
    for kind in (
        number_as_string, all_numbers_as_strings, boolean_as_string, integer_as_float, enum_case, enum_punctuation,
        key_case, list_item_alone, scalar_in_list, object_as_pairs, wrapped, schema_filled_in, json_in_string,
        date_style, date_time_style, null_for_absent, string_as_number, boolean_as_number, object_in_list,
    )
}  # fmt: skip
