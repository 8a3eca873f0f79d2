"""Changes of nesting: unwrapping, wrapping, listing, unlisting, unflattening, and parsing of strings."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from structout.document import Json
from structout.parsing.allowance import Allowance
from structout.parsing.edits import EditKind, Grade
from structout.parsing.fit.literals import means_unknown, read_number
from structout.parsing.fit.shape import Shape, plain_key
from structout.parsing.syntax.reader import read_encoded

_VALUE_KEYS: Final = frozenset({"value", "answer", "result", "text", "const"})
_LIST_KEYS: Final = frozenset({"items", "list", "values", "elements", "entries"})
_ITEM_KEYS: Final = frozenset({"item", "element", "entry", "li"})  # the elements of a list in XML
_SCHEMA_KEYS: Final = frozenset(
    {
        "$schema",
        "$id",
        "$defs",
        "title",
        "type",
        "description",
        "required",
        "additionalProperties",
        "name",
        "definitions",
    }
)
_TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
_SCHEMA_WORDS: Final = frozenset({"$ref", "enum", "anyOf", "oneOf", "allOf"})
_ARGUMENT_KEYS: Final = frozenset({"arguments", "parameters", "args", "input"})
_CALL_KEYS: Final = frozenset({"name", "function", "tool", "tool_name", "type", "id"})
# A function call as models are trained to write it (Hermes, Llama 3): the name belongs to the call, not to the record.
_CALLS: Final = (frozenset({"name", "arguments"}), frozenset({"name", "parameters"}))
_CALL_TYPES: Final = ("function", "tool_use", "tool_call", "function_call")
# What a server says about its answer, beside the answer.
_STATES: Final = frozenset({"status", "success", "ok", "code", "error", "errors"})
# Keys of what is not the answer.
_NO_ANSWER: Final = frozenset({
    "error", "errors", "warnings", "missing", "rejected", "excluded", "skipped", "failed", "invalid", "wrong", "not",
    "example", "examples", "draft", "template", "old", "before", "original", "input", "previous", "previousanswer",
})  # fmt: skip
_FINE: Final[tuple[Json, ...]] = ("success", "ok", "succeeded", "completed", "done", True, 200, "200", None, [], "")
_PAIR_KEYS: Final = (("key", "value"), ("name", "value"), ("field", "value"), ("k", "v"))
_FLAT_STEP: Final = re.compile(r"([^.\[\]0-9][^.\[\]]*)|\[([0-9]{1,4})\]|(?:(?<=\.)|\A)([0-9]{1,4})(?=\.|\Z)")
_BULLET: Final = re.compile(r"\s*(?:[-*•–]|\d{1,3}[.)])\s+")
_DEEPEST_WRAPPER: Final = 2


class Proposal(NamedTuple):
    """A value to fit instead of the original, with the kind and grade of the edit; `under` is a key to put it under."""

    kind: EditKind
    value: Json
    grade: Grade = "lossless"
    under: str = ""


def proposals(
    value: Json, shape: Shape, path: tuple[str | int, ...], allowance: Allowance, *, drastic: bool
) -> Iterator[Proposal]:
    """The other nestings of a value that `shape` may accept; lossy proposals only if `drastic`."""
    types = shape.types
    if isinstance(value, dict):
        yield from _unwrapped(value, shape, path, allowance, drastic=drastic)
    elif isinstance(value, list):
        paired = list(_paired(value)) if "object" in types else []
        yield from paired
        explicit = paired and any(isinstance(value[0], dict) and value[0].keys() == set(keys) for keys in _PAIR_KEYS)
        if len(value) == 1 and not explicit:
            yield Proposal("unlisted", value[0])
    elif isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"'):
        reading = read_encoded(value, allowance)
        if reading is not None and (reading[1] == "lossless" or drastic):
            yield Proposal("encoded", *reading)
    if not shape.typed or value is None:
        return
    nested = shape.items is not None and shape.items.types == ("array",)
    if "array" in types and (nested or not isinstance(value, list)):
        yield from _listed(value, shape)
    if "object" in types:
        yield from _wrapped(value, shape)


def _unwrapped(
    value: dict[str, Json], shape: Shape, path: tuple[str | int, ...], allowance: Allowance, *, drastic: bool
) -> Iterator[Proposal]:
    """The content of a wrapper: `{"part": {...}}`, `{"items": [...]}`, a filled-in schema, or a function call."""
    keys = value.keys()
    scalar = not {"object", "array"} & set(shape.types)
    nested = nest(value, shape)
    if nested is not value:
        yield Proposal("flattened", nested)
    if len(keys) == 1:
        ((key, item),) = value.items()
        name = str(path[-1]) if path else shape.root.schema.name
        if scalar:
            fitting = plain_key(key) == plain_key(name) or plain_key(key) in _VALUE_KEYS
        elif "array" in shape.types and shape.typed and plain_key(key) in _ITEM_KEYS:
            item, fitting = item if isinstance(item, list) else [item], True
        elif isinstance(item, list) and "array" in shape.types and plain_key(key) in _LIST_KEYS | {plain_key(name)}:
            fitting = True
        else:
            fitting = _is_known(item, shape) and (not path or bool(shape.properties))
        if key not in shape.properties and fitting and plain_key(key) not in _NO_ANSWER:
            inner = read_encoded(item, allowance) if isinstance(item, str) else None
            yield Proposal("unwrapped", inner[0] if inner and inner[1] == "lossless" else item)
    elif scalar and "value" in keys and keys <= {"value", "type", "title", "description"}:
        yield Proposal("unwrapped", value["value"])
    elif "properties" in keys and "properties" not in shape.properties and keys <= _SCHEMA_KEYS | {"properties"}:
        if not _is_echoed(value["properties"]):
            yield Proposal("unwrapped", value["properties"])
    elif (
        "items" in keys and "array" in shape.types and keys <= _SCHEMA_KEYS | {"items"} and _holds_data(value["items"])
    ):
        yield Proposal("unwrapped", value["items"])
    else:
        calls = [key for key in keys & _ARGUMENT_KEYS - shape.properties.keys() if keys <= {key} | _CALL_KEYS]
        named = keys in _CALLS or value.get("type") in _CALL_TYPES
        named = named or any(item == shape.root.schema.name for item in value.values())
        for key in calls:
            if named or drastic:
                yield Proposal("unwrapped", value[key], "lossless" if named else "lossy")
        beside = {key: item for key, item in value.items() if plain_key(key) not in _STATES}
        if len(beside) == 1 and not keys & shape.properties.keys() and not scalar:
            ((key, item),) = beside.items()
            if (
                plain_key(key) not in _NO_ANSWER
                and all(value[name] in _FINE for name in keys - {key})
                and _is_known(item, shape)
            ):
                yield Proposal("unwrapped", item)
        if not calls and drastic and not scalar:
            for key, item in value.items():
                if key not in shape.properties and isinstance(item, dict):
                    yield Proposal("unwrapped", item, "lossy")


def _is_echoed(properties: Json) -> bool:
    """Whether the properties are those of a schema that the model repeated without filling it in."""
    return isinstance(properties, dict) and all(
        isinstance(item, dict)
        and "value" not in item
        and ((isinstance(item.get("type"), str) and item["type"] in _TYPES) or not _SCHEMA_WORDS.isdisjoint(item))
        for item in properties.values()
    )


def _holds_data(items: Json) -> bool:
    """Whether the items of a schema are a list of data, and not of schemas."""
    return isinstance(items, list) and bool(items) and not any(_is_echoed({"": item}) for item in items)


def nest(value: dict[str, Json], shape: Shape) -> dict[str, Json]:
    """Unflatten an object: `{"size.width": 1}` becomes `{"size": {"width": 1}}` if the schema declares it so."""
    found: dict[str, Json] = {}
    changed = False
    for key, item in value.items():
        steps = _steps(key) if key not in shape.properties else []
        if len(steps) < 2 or steps[0] in value or not _leads(steps, shape):
            found[key] = item
            continue
        changed = True
        if not _put(found, steps, item):
            return value
    return found if changed else value


def _steps(key: str) -> list[str | int]:
    """The keys and indexes of a flat key such as `lines[0].name` or `lines.0.name`."""
    if "." not in key and "[" not in key:
        return []
    return [int(index or other) if index or other else name for name, index, other in _FLAT_STEP.findall(key)]


def _leads(steps: list[str | int], shape: Shape) -> bool:
    """Whether the schema declares each key on a way, and a list for each index."""
    inner: Shape | None = shape
    for step in steps:
        if inner is None:
            return False
        if isinstance(step, int):
            inner = inner.items if "array" in inner.types and inner.typed else None
        else:
            inner = inner.properties.get(step)
    return inner is not None


def _put(document: Json, steps: list[str | int], value: Json) -> bool:
    """Put a value at a place in a document, making what is missing on the way; False if the place is taken or far."""
    for step, after in zip(steps, [*steps[1:], None], strict=True):
        fresh: Json = value if after is None else [] if isinstance(after, int) else {}
        if isinstance(document, list) and isinstance(step, int):
            if step > len(document) or (step < len(document) and after is None):
                return False
            if step == len(document):
                document.append(fresh)
            document = document[step]
        elif isinstance(document, dict) and isinstance(step, str):
            if after is None and step in document:
                return False
            document = document.setdefault(step, fresh)
        else:
            return False
    return True


def moved_out(value: Json, shape: Shape, most: int) -> Json:
    """The document with members moved from an object that lacks its closer to the object around it.

    A member moves with all members after it if only the outer object declares it, and lacks it. At most `most` objects
    may lack their closers; otherwise, and if nothing moves, the result is `value` itself.
    """
    if not isinstance(value, dict) or not value or most < 1:
        return value
    *_, last = value
    inner, part = value[last], shape.properties.get(last)
    if not isinstance(inner, dict) or part is None:
        return value
    inner = moved_out(inner, part, most - 1)
    if not isinstance(inner, dict):
        return value
    names = list(inner)
    begin = next((i for i, name in enumerate(names) if name not in part.properties), len(names))
    rest = names[begin:]
    if not rest or any(name in value or name not in shape.properties for name in rest):
        return {**value, last: inner} if inner is not value[last] else value
    return {**value, last: {name: inner[name] for name in names[:begin]}, **{name: inner[name] for name in rest}}


def _wrapped(value: Json, shape: Shape) -> Iterator[Proposal]:
    """A proposal to put the value under the only key of the schema that fits."""
    names = list(shape.properties)
    if len(names) != 1 and isinstance(value, list):
        names = [name for name in names if "array" in shape.properties[name].types and shape.properties[name].typed]
    if len(names) != 1 or not shape.required <= set(names) or value in ({}, []):
        return
    inner = shape.properties[names[0]]
    if isinstance(value, dict):
        if any(plain_key(key) == plain_key(names[0]) for key in value):
            return
        if not any(plain_key(key) in inner.known_keys for key in value):
            return  # an object of another kind
    yield Proposal("wrapped", value, under=names[0])


def _paired(value: list[Json]) -> Iterator[Proposal]:
    """An object written as a list of pairs."""
    pairs: list[tuple[Json, Json]] = []
    for item in value:
        if isinstance(item, list) and len(item) == 2:
            pairs.append((item[0], item[1]))
        elif isinstance(item, dict) and len(item) == 1:
            pairs += item.items()
        elif isinstance(item, dict) and len(item) == 2:
            pairs += [(item[key], item[name]) for key, name in _PAIR_KEYS if key in item and name in item][:1]
    made = {key: item for key, item in pairs if isinstance(key, str)}
    if value and len(made) == len(pairs) == len(value):
        yield Proposal("pairs", made)


def _listed(value: Json, shape: Shape) -> Iterator[Proposal]:
    """Lists in other forms: a single item without its list, a list in one string, an object with indexes as keys."""
    items = shape.items.types if shape.items is not None else ()
    if (isinstance(value, str) and means_unknown(value.strip(" .()"))) or (
        isinstance(value, bool) and "boolean" not in items
    ):
        return  # a word for "nothing" is not an item
    if isinstance(value, str) and len(lines := value.strip().split("\n")) > 1 and all(map(_BULLET.match, lines)):
        yield Proposal("listed", [_BULLET.sub("", line).strip() for line in lines])
        return
    if isinstance(value, str) and "string" not in items and "," in value and read_number(value, None):
        return  # one number with commas, or several
    if not (isinstance(value, str) and "、" in value):
        yield Proposal("listed", [value])
    if isinstance(value, str):
        yield from _split(value.strip(), items)
    elif isinstance(value, dict) and value and list(value) == [str(index) for index in range(len(value))]:
        yield Proposal("listed", list(value.values()))
    elif isinstance(value, dict) and value and len(value) == len(shape.first_items):
        titles = [plain_key(inner.title) for inner in shape.first_items]  # of a named tuple: the names of its fields
        found = {plain_key(key): item for key, item in value.items()}
        if all(titles) and found.keys() == set(titles):
            yield Proposal("listed", [found[title] for title in titles])


def _split(text: str, items: tuple[str, ...]) -> Iterator[Proposal]:
    """The items of a list in one text, which is as likely as a list with the text as its only item."""
    sign = next((sign for sign in ("\n", ";", "；", "、", ",", "，") if sign in text), "")
    if not sign or ("string" not in items and len(read_number(text, None)) > 1):  # 3,7 may be one number
        return
    pieces: list[Json] = [_BULLET.sub("", piece).strip() for piece in text.split(sign) if piece.strip()]
    if len(pieces) > 1:
        yield Proposal("listed", pieces)


def _is_known(item: Json, shape: Shape, depth: int = 1) -> bool:
    """Whether the content of a wrapper may be the wanted value: a list, or an object with a key of the schema."""
    if isinstance(item, dict):
        if not shape.properties or any(plain_key(key) in shape.known_keys for key in item):
            return True
        return len(item) == 1 and depth < _DEEPEST_WRAPPER and _is_known(next(iter(item.values())), shape, depth + 1)
    return isinstance(item, list) or (isinstance(item, str) and item.lstrip()[:1] in ("{", "["))
