"""The parts of a strict form: each writes documents of a schema as answers, and reads the answers back.

`answer` and `document` raise `ValueError` for a value that the part cannot hold. A part checks the shape of a value,
not its content: every document is validated afterwards.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import jsonschema_rs

from structout.document import Json, read_json, with_whole_numbers
from structout.schema.walk import kind_of

AS_JSON = {"type": "string", "description": "The value, written as JSON"}


class Part(Protocol):
    """A part of a schema in strict form."""

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of the answer."""
        ...

    def answer(self, document: Json) -> Json:
        """The answer that means a document."""
        ...

    def document(self, answer: Json) -> Json:
        """The document that an answer means."""
        ...


@dataclass(frozen=True)
class Plain:
    """A value without parts, which is its own answer."""

    schema: dict[str, Any]
    kind: str  # of `kind_of`

    def answer(self, document: Json) -> Json:
        return _of_kind(document, self.kind)

    def document(self, answer: Json) -> Json:
        return _of_kind(answer, self.kind)


@dataclass(frozen=True)
class AsJson:
    """A value that strict modes cannot describe, written as JSON in a string; one of `values` if they are given."""

    values: Sequence[Json] = ()

    @cached_property
    def schema(self) -> dict[str, Any]:
        return {"type": "string", "enum": list(map(_written, self.values))} if self.values else dict(AS_JSON)

    def answer(self, document: Json) -> Json:
        equal = with_whole_numbers(document)  # 3 is 3.0
        return _written(next((one for one in self.values if same(with_whole_numbers(one), equal)), document))

    def document(self, answer: Json) -> Json:
        return read_json(_text(answer))


@dataclass(frozen=True)
class Items:
    """A list, with the same part for each item."""

    item: Part
    bounds: Mapping[str, int]

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema, **self.bounds}

    def answer(self, document: Json) -> Json:
        return [self.item.answer(one) for one in _list(document)]

    def document(self, answer: Json) -> Json:
        return [self.item.document(one) for one in _list(answer)]


@dataclass(frozen=True)
class Row:
    """A list with a part for each position, written as an object; `others` is the part of further items."""

    items: Sequence[Part]
    others: Items | None = None

    @property
    def schema(self) -> dict[str, Any]:
        named = {f"item_{number}": part.schema for number, part in enumerate(self.items, 1)}
        return closed({**named, **({"more": self.others.schema} if self.others else {})})

    def answer(self, document: Json) -> Json:
        found = _list(document)
        first, rest = found[: len(self.items)], found[len(self.items) :]
        if len(first) < len(self.items) or (rest and self.others is None):
            raise ValueError(f"{len(found)} items for {len(self.items)} positions")
        made = {
            f"item_{number}": part.answer(one)
            for number, (part, one) in enumerate(zip(self.items, first, strict=True), 1)
        }
        return {**made, **({"more": self.others.answer(rest)} if self.others else {})}

    def document(self, answer: Json) -> Json:
        found = _object(answer)
        wanted = [f"item_{number}" for number in range(1, len(self.items) + 1)] + (["more"] if self.others else [])
        if found.keys() != set(wanted):
            raise ValueError("an item is missing, or has another name")
        made = [part.document(found[name]) for part, name in zip(self.items, wanted, strict=False)]
        return made + (_list(self.others.document(found["more"])) if self.others else [])


@dataclass(frozen=True)
class Pairs:
    """An object with keys of any name, written as a list of pairs. Keys match one of `patterns`, if there are any."""

    key: dict[str, Any]
    value: Part
    bounds: Mapping[str, int]
    patterns: tuple[str, ...] = ()

    @property
    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": closed({"key": self.key, "value": self.value.schema}), **self.bounds}

    @cached_property
    def _key(self) -> Any:
        return jsonschema_rs.validator_for({"anyOf": [{"pattern": one} for one in self.patterns]})

    def answer(self, document: Json) -> Json:
        found = _object(document)
        if self.patterns and (stray := next((key for key in found if not self._key.is_valid(key)), None)) is not None:
            raise ValueError(f"the form has no place for the key {stray!r:.60}")
        return [{"key": key, "value": self.value.answer(one)} for key, one in found.items()]

    def document(self, answer: Json) -> dict[str, Json]:
        made: dict[str, Json] = {}
        for pair in map(_object, _list(answer)):
            if pair.keys() != {"key", "value"}:
                raise ValueError("a pair needs a key and a value, and nothing else")
            key = _text(pair["key"])
            if key in made:
                raise ValueError(f"the key {key!r:.60} occurs twice")
            made[key] = self.value.document(pair["value"])
        return made


@dataclass(frozen=True)
class Member:
    """A declared key of an object. If `is_left_out`, null in the answer means that the document has no such key."""

    part: Part
    is_required: bool
    is_left_out: bool
    default: Json = None

    @property
    def schema(self) -> dict[str, Any]:
        return _nullable(self.part.schema) if self.is_left_out else self.part.schema


@dataclass(frozen=True)
class Members:
    """An object with declared keys, all of them required; `others` holds further keys under the name `rest`."""

    members: Mapping[str, Member]
    others: Pairs | None = None
    rest: str = ""

    @property
    def schema(self) -> dict[str, Any]:
        named = {key: member.schema for key, member in self.members.items()}
        return closed({**named, **({self.rest: self.others.schema} if self.others else {})})

    def answer(self, document: Json) -> Json:
        found = _object(document)
        made: dict[str, Json] = {}
        for key, member in self.members.items():
            if key in found:
                if found[key] is None and member.is_left_out:
                    raise ValueError(f"null for the key {key!r:.60} means that the key is absent")
                made[key] = member.part.answer(found[key])
            elif member.is_required:
                raise ValueError(f"the key {key!r:.60} is missing")
            else:
                made[key] = None if member.is_left_out or member.default is None else member.part.answer(member.default)
        rest = {key: one for key, one in found.items() if key not in self.members}
        if self.others:
            made[self.rest] = self.others.answer(rest)
        elif rest:
            raise ValueError(f"the key {min(rest)!r:.60} is not declared")
        return made

    def document(self, answer: Json) -> Json:
        made: dict[str, Json] = {}
        found = _object(answer)
        for key, one in found.items():
            member = self.members.get(key)
            if member is not None:
                if one is not None or not member.is_left_out:
                    made[key] = member.part.document(one)
            elif self.others is None or key != self.rest:
                made[key] = one  # the validator judges it
        if self.others and self.rest in found:
            for key, one in self.others.document(found[self.rest]).items():
                if key in self.members or key in made:
                    raise ValueError(f"the key {key!r:.60} occurs twice")
                made[key] = one
        return made


@dataclass(frozen=True)
class Choice:
    """One of several parts: the first whose schema the answer has, or else the first that looks like it."""

    parts: Sequence[Part]
    definitions: Mapping[str, Any] = field(repr=False)

    @property
    def schema(self) -> dict[str, Any]:
        return {"anyOf": [part.schema for part in self.parts]}

    def answer(self, document: Json) -> Json:
        for number, part in enumerate(self.parts):
            try:
                answer = part.answer(document)
                if self._is_of(number, answer) and same(self.document(answer), document):
                    return answer
            except ValueError:
                continue
        raise ValueError("no alternative can hold the value")

    def document(self, answer: Json) -> Json:
        fitting = [part for number, part in enumerate(self.parts) if self._is_of(number, answer)]
        part = next(iter([*fitting, *(part for part in self.parts if _looks_like(part, answer))]), None)
        if part is None:
            raise ValueError("no alternative can hold the answer")
        document: Json = part.document(answer)  # only one is tried: trying all may take forever in a deep answer
        return document

    def _is_of(self, number: int, answer: Json) -> bool:
        plain = read_json(json.dumps(answer))  # jsonschema-rs takes no subclass of float
        return bool(self._validators[number].is_valid(plain))

    @cached_property
    def _validators(self) -> list[Any]:
        made = [{**part.schema, "$defs": dict(self.definitions)} for part in self.parts]
        return [jsonschema_rs.validator_for(schema) for schema in made]


@dataclass(frozen=True)
class Reference:
    """A part that is defined once, under a name."""

    name: str
    place: str
    parts: Mapping[str, Part] = field(repr=False)  # by place; filled later, since a part may refer to itself

    @property
    def schema(self) -> dict[str, Any]:
        return {"$ref": f"#/$defs/{self.name}"}

    def answer(self, document: Json) -> Json:
        return self.parts[self.place].answer(document)

    def document(self, answer: Json) -> Json:
        return self.parts[self.place].document(answer)


def resolved(part: Part) -> Part | None:
    """The part that a reference means; None for a part that is still being built."""
    found: Part | None = part
    while isinstance(found, Reference):
        found = found.parts.get(found.place)
    return found


def ambiguous(parts: Sequence[Part]) -> bool:
    """Whether one answer may mean different documents, each of another part: such as a text, or the JSON in a text."""
    leaves = _leaves(parts)
    texts = any(isinstance(one, Plain) and one.kind == "string" for one in leaves)
    if texts and any(isinstance(one, AsJson) for one in leaves):
        return True
    items = _leaves([one.item for one in leaves if isinstance(one, Items)])
    listed = any(isinstance(one, Members) and _names(one) == {"key", "value"} for one in items)
    if listed and any(isinstance(one, Pairs) for one in leaves):
        return True
    objects = [_names(one) for one in leaves if isinstance(one, Members)]
    return any(isinstance(one, Row) and _names(one) in objects for one in leaves)


def _leaves(parts: Sequence[Part]) -> list[Part]:
    """The parts that are no references and no choices. Parts that are still being built are left out."""
    found: list[Part] = []
    waiting, seen = list(parts), set[str]()
    while waiting:
        part = waiting.pop()
        if isinstance(part, Reference):
            if part.place not in seen and part.place in part.parts:
                waiting.append(part.parts[part.place])
            seen.add(part.place)
        elif isinstance(part, Choice):
            waiting += part.parts
        else:
            found.append(part)
    return found


def _names(part: Part) -> set[str]:
    return set(part.schema["properties"])


def _looks_like(part: Part, answer: Json) -> bool:
    """Whether an answer has the type of a part, and its keys."""
    while isinstance(part, Reference):
        part = part.parts[part.place]
    if isinstance(part, Choice):
        return any(_looks_like(one, answer) for one in part.parts)
    schema = part.schema
    if isinstance(answer, dict):
        return bool(schema["type"] == "object" and answer.keys() == schema["properties"].keys())
    kind = "number" if schema["type"] == "integer" else str(schema["type"])
    return kind_of(answer) == kind


def same(one: Json, other: Json) -> bool:
    """Whether two documents are equal, without regard to the order of keys; 1, 1.0 and true differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def closed(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of an object that has all of these keys, and no other key."""
    made: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    return {**made, "required": list(properties), "additionalProperties": False}


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    branches, null = schema["anyOf"] if schema.keys() == {"anyOf"} else [schema], {"type": "null"}
    return schema if null in branches else {"anyOf": [*branches, null]}


def _written(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def _of_kind(value: Json, kind: str) -> Json:
    if kind_of(value) != kind:
        raise ValueError(f"got {kind_of(value)}, expected {kind}")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError(f"got {kind_of(value)}, expected string")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise ValueError(f"got {kind_of(value)}, expected array")
    return value


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise ValueError(f"got {kind_of(value)}, expected object")
    return value
