"""Shapes: a JSON Schema prepared for coercion, with references resolved, `allOf` merged and alternatives listed."""

import re
from collections.abc import Callable, Mapping
from functools import cached_property, lru_cache
from typing import Any, Final

import jsonschema_rs
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema, to_jsonable_python

from structout.document import Json
from structout.schema import Schema, Writer
from structout.schema.references import place_of, resolve

_UNICODE: Final = re.compile(r"[\W_]+")
_DEEPEST_REFERENCE: Final = 30
_MEMBERS: Final = "x-members"  # the mark of an enumeration: its values by member name
_TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})


def plain_key(text: str) -> str:
    """A key or a name without case, punctuation and spaces, which is the same for all its spellings."""
    return _UNICODE.sub("", text.casefold())


@lru_cache(maxsize=256)
def shape_of(schema: Schema[Any]) -> "Shape":
    """The shape of a schema, cached for the next document."""
    root = Root(schema)
    return Shape(root, ("",), root.json_schema)


class Root:
    """The whole schema that the shapes are parts of."""

    def __init__(self, schema: Schema[Any]) -> None:
        self.schema = schema
        self.json_schema: Any = schema.json_schema
        self.aliases: dict[str, dict[str, str]] = {}
        self.members: dict[str, dict[str, Any]] = {}  # by place: the values of an enumeration by member name
        if schema.adapter is not None:
            by_name = schema.adapter.json_schema(by_alias=False, schema_generator=Writer)
            if by_name != self.json_schema:
                self._name_aliases(self.json_schema, by_name, "")
            self._name_members(schema.adapter.json_schema(schema_generator=_Naming), "")

    def _name_aliases(self, by_alias: Any, by_name: Any, place: str) -> None:
        """Map names to aliases. Pydantic writes both schemas in the same order, so their properties pair up."""
        if isinstance(by_alias, dict) and isinstance(by_name, dict):
            ours, theirs = by_alias.get("properties"), by_name.get("properties")
            if isinstance(ours, dict) and isinstance(theirs, dict) and len(ours) == len(theirs):
                self.aliases[place] = dict(zip(theirs, ours, strict=True))
                for (key, inner), other in zip(ours.items(), theirs.values(), strict=True):
                    self._name_aliases(inner, other, f"{place}/properties/{escape(key)}")
            for key in by_alias.keys() & by_name.keys() - {"properties"}:
                self._name_aliases(by_alias[key], by_name[key], f"{place}/{escape(key)}")
        elif isinstance(by_alias, list) and isinstance(by_name, list) and len(by_alias) == len(by_name):
            for index, pair in enumerate(zip(by_alias, by_name, strict=True)):
                self._name_aliases(*pair, f"{place}/{index}")

    def _name_members(self, named: Any, place: str) -> None:
        if isinstance(named, dict):
            if isinstance(named.get(_MEMBERS), dict) and not named.keys().isdisjoint({"enum", "const"}):
                self.members[place] = named[_MEMBERS]
            for key, inner in named.items():
                self._name_members(inner, f"{place}/{escape(key)}")
        elif isinstance(named, list):
            for index, inner in enumerate(named):
                self._name_members(inner, f"{place}/{index}")


class _Naming(Writer):
    """Writes the schema of a Pydantic type with the member names of its enumerations."""

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        members = {member.name: to_jsonable_python(member.value) for member in schema["members"]}
        return {**super().enum_schema(schema), _MEMBERS: members}


def escape(key: str) -> str:
    """A key escaped as a step of a JSON Pointer."""
    return key.replace("~", "~0").replace("/", "~1")


class Shape:
    """The requirements for one place of a document: all parts of the schema that apply to it.

    `places` are JSON Pointers into the schema. A value is checked against the first place, which covers everything that
    the schema requires here.
    """

    def __init__(
        self, root: Root, places: tuple[str, ...], node: Any, outer: "tuple[tuple[str, dict[str, Any]], ...]" = ()
    ):
        self.root = root
        self.place = places[0]
        parts: list[tuple[str, dict[str, Any]]] = list(outer)
        self.never = node is False
        self._collect(places[-1], node, parts, 0)
        self.parts = tuple(parts)

    def _collect(self, place: str, node: Any, parts: list[tuple[str, dict[str, Any]]], depth: int) -> None:
        if not isinstance(node, Mapping) or depth > _DEEPEST_REFERENCE:
            return
        parts.append((place, dict(node)))
        reference = node.get("$ref")
        if isinstance(reference, str):
            self._collect(place_of(reference), resolve(self.root.json_schema, reference), parts, depth + 1)
        for index, inner in enumerate(node.get("allOf") or ()):
            self._collect(f"{place}/allOf/{index}", inner, parts, depth + 1)

    @cached_property
    def _judge(self) -> Callable[[Json], bool] | None:
        return self.root.schema.validator.part(self.place)

    def valid(self, value: Json) -> bool:
        """Whether a value complies with this part of the schema."""
        return self._judge is None or self._judge(value)

    @cached_property
    def types(self) -> tuple[str, ...]:
        """The allowed JSON types; if the schema names no types, all types that it does not rule out."""
        found: frozenset[str] | None = None
        for _, part in self.parts:
            names = part.get("type")
            if isinstance(names, str):
                names = [names]
            if isinstance(names, list):
                these = frozenset(name for name in names if name in _TYPES)
                found = these if found is None else found & these
        if found is None and self.values:
            found = frozenset(type_of(value) for value in self.values)
        if found is None and self.properties:
            found = frozenset({"object"})
        return tuple(sorted(_TYPES if found is None else found))

    @cached_property
    def typed(self) -> bool:
        """Whether the schema restricts the type."""
        return len(self.types) < len(_TYPES)

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """The values of `enum` and `const`."""
        for _, part in self.parts:
            if "const" in part:
                return (part["const"],)
        for _, part in self.parts:
            if isinstance(part.get("enum"), list):
                return tuple(part["enum"])
        return ()

    @cached_property
    def members(self) -> dict[str, Any]:
        """The values of an enumeration of Python, by member name."""
        return {name: value for place, _ in self.parts for name, value in self.root.members.get(place, {}).items()}

    @cached_property
    def properties(self) -> dict[str, "Shape"]:
        """The declared properties."""
        found: dict[str, list[tuple[str, Any]]] = {}
        for place, part in self.parts:
            declared = part.get("properties")
            if isinstance(declared, Mapping):
                for key, node in declared.items():
                    found.setdefault(key, []).append((f"{place}/properties/{escape(key)}", node))
        shapes = {}
        for key, nodes in found.items():
            typed = [pair for pair in nodes if pair[1] is not True and pair[1] != {}] or nodes
            shapes[key] = Shape(self.root, (typed[0][0],), typed[0][1])
        return shapes

    @cached_property
    def required(self) -> frozenset[str]:
        """The required keys."""
        return frozenset(
            key for _, part in self.parts if isinstance(part.get("required"), list) for key in part["required"]
        )

    @cached_property
    def spellings(self) -> dict[str, str]:
        """The unambiguous spellings of declared keys, each with its key: plain forms, aliases, titles."""
        found: dict[str, set[str]] = {}
        for key in self.properties:
            found.setdefault(plain_key(key), set()).add(key)
        for place, _ in self.parts:
            for name, key in self.root.aliases.get(place, {}).items():
                if key in self.properties:
                    found.setdefault(plain_key(name), set()).add(key)
        for key, shape in self.properties.items():
            if shape.title and plain_key(shape.title) not in found:
                found[plain_key(shape.title)] = {key}
        return {spelling: next(iter(keys)) for spelling, keys in found.items() if len(keys) == 1 and spelling}

    @cached_property
    def known_keys(self) -> frozenset[str]:
        """All spellings of the keys at the top of a document, in any branch, or in the items of a list."""
        found = set(self.spellings)
        for branch in self.branches:
            found |= branch.spellings.keys()
        if self.items is not None:
            found |= self.items.spellings.keys()
        return frozenset(found)

    @cached_property
    def closed(self) -> bool:
        """Whether undeclared keys are forbidden."""
        return any(
            part.get(word) is False
            for _, part in self.parts
            for word in ("additionalProperties", "unevaluatedProperties")
        )

    @cached_property
    def patterns(self) -> tuple[tuple["jsonschema_rs.Validator", "Shape"], ...]:
        """The shapes of `patternProperties`, each with a validator for its pattern."""
        found = []
        for place, part in self.parts:
            nodes = part.get("patternProperties")
            for pattern, node in nodes.items() if isinstance(nodes, Mapping) else ():
                try:
                    judge = jsonschema_rs.validator_for({"pattern": pattern})
                except (jsonschema_rs.ValidationError, ValueError):
                    continue
                found.append((judge, Shape(self.root, (f"{place}/patternProperties/{escape(pattern)}",), node)))
        return tuple(found)

    def allows_key(self, key: str) -> bool:
        """Whether an undeclared key may stay."""
        return not self.closed or any(judge.is_valid(key) for judge, _ in self.patterns)

    def undeclared(self, key: str) -> "Shape | None":
        """The shape of the value of an undeclared key; None if the schema does not restrict it."""
        return next((shape for judge, shape in self.patterns if judge.is_valid(key)), self.others)

    @cached_property
    def others(self) -> "Shape | None":
        """The shape of `additionalProperties`."""
        return self._inner("additionalProperties")

    @cached_property
    def items(self) -> "Shape | None":
        """The shape of the items of a list."""
        return self._inner("items")

    @cached_property
    def first_items(self) -> tuple["Shape", ...]:
        """The shapes of the first items of a list, by position."""
        for place, part in self.parts:
            for word in ("prefixItems", "items"):
                nodes = part.get(word)
                if isinstance(nodes, list):
                    return tuple(Shape(self.root, (f"{place}/{word}/{i}",), node) for i, node in enumerate(nodes))
        return ()

    def under(self, step: str | int) -> "Shape | None":
        """The shape of a member or an item, in any alternative; None if the schema does not restrict it."""
        if isinstance(step, str):
            found = self.properties.get(step) or self.undeclared(step)
        else:
            found = self.first_items[step] if step < len(self.first_items) else self.items
        return found or next((inner for one in self.branches if (inner := one.under(step))), None)

    def _inner(self, word: str) -> "Shape | None":
        for place, part in self.parts:
            node = part.get(word)
            if isinstance(node, Mapping):
                return Shape(self.root, (f"{place}/{word}",), node)
        return None

    @cached_property
    def branches(self) -> tuple["Shape", ...]:
        """The alternatives of a union, each merged with the requirements that they share."""
        for place, part in self.parts:
            for word in ("anyOf", "oneOf"):
                nodes = part.get(word)
                if isinstance(nodes, list) and nodes:
                    # The shared part leaves the keyword itself out; otherwise each branch would contain it again.
                    shared = tuple(
                        (where, {key: value for key, value in other.items() if other is not part or key != word})
                        for where, other in self.parts
                    )
                    return tuple(
                        Shape(self.root, (self.place, f"{place}/{word}/{index}"), node, shared)
                        for index, node in enumerate(nodes)
                        if node is not False
                    )
        return ()

    @property
    def title(self) -> str:
        """The first title in the schema."""
        return next((part["title"] for _, part in self.parts if isinstance(part.get("title"), str)), "")

    @cached_property
    def about(self) -> str:
        """The titles and descriptions in the schema, as one text."""
        texts = [
            part[word] for _, part in self.parts for word in ("title", "description") if isinstance(part.get(word), str)
        ]
        return " ".join(texts)

    @cached_property
    def formats(self) -> tuple[str, ...]:
        """The `format` keywords of the schema."""
        return tuple(part["format"] for _, part in self.parts if isinstance(part.get("format"), str))

    @cached_property
    def default(self) -> tuple[Json] | None:
        """The default value, in a tuple; None without a default."""
        for _, part in self.parts:
            if "default" in part:
                return (part["default"],)
        return None


def type_of(value: Any) -> str:
    """The JSON type of a value: "integer" for an int, "number" for a float."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"
