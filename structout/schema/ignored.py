"""Ignored keys: keys of a document that its Pydantic type neither declares nor keeps."""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from structout.document import Json
from structout.issue import pointer
from structout.schema.references import place_of, target
from structout.schema.validator import Validator
from structout.schema.walk import ALTERNATIVES

Node = tuple[str, Any]  # a subschema with its JSON Pointer


class Ignored:
    """Takes ignored keys out of documents that comply with a schema. `closed` is the schema with closed objects, and
    `validator` checks documents by the schema.

    Of several alternatives, only the alternatives with which a value complies declare its keys.
    """

    def __init__(self, json_schema: Any, closed: Any, validator: Validator) -> None:
        self._closed = closed
        self._schema = json_schema
        self._validator = validator
        self._parts: dict[str, Callable[[Json], bool] | None] = {}

    def without(self, document: Json) -> Json:
        """The document without ignored keys; the same object if it holds none."""
        if self._closed is self._schema or not isinstance(document, dict | list):
            return document
        return document if self._closed_validator.is_valid(document) else self._kept(document, [("", self._closed)])

    @cached_property
    def _closed_validator(self) -> Validator:
        return Validator(self._closed, pydantic=True)

    def _kept(self, value: Json, nodes: list[Node]) -> Json:
        parts = list(self._applied(value, nodes))
        if isinstance(value, list):
            return [self._kept(item, list(_items(parts, index))) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        is_closed = any(part.get("additionalProperties") is False for _, part in parts)
        made: dict[str, Json] = {}
        for key, item in value.items():
            inner = [(f"{at}/properties{pointer([key])}", part["properties"][key])
                     for at, part in parts if key in part.get("properties", ())]  # fmt: skip
            others = [(f"{at}/additionalProperties", part["additionalProperties"])
                      for at, part in parts if part.get("additionalProperties")]  # fmt: skip
            if inner or others or not is_closed:
                made[key] = self._kept(item, inner or others)
        return made

    def _applied(self, value: Json, nodes: list[Node]) -> Iterator[Node]:
        """The subschemas of `nodes` that apply to a value."""
        waiting, seen = list(nodes), set[str]()
        while waiting:
            place, node = waiting.pop()
            if not isinstance(node, dict) or place in seen:
                continue
            seen.add(place)
            yield place, node
            if isinstance(node.get("$ref"), str):
                there = place_of(node["$ref"])
                waiting.append((there, target(self._closed, there)))
            waiting += [(f"{place}/allOf/{n}", one) for n, one in enumerate(node.get("allOf", ()))]
            for keyword in ALTERNATIVES:
                branches = [(f"{place}/{keyword}/{n}", one) for n, one in enumerate(node.get(keyword, ()))]
                waiting += [branch for branch in branches if self._complies(value, branch[0])]

    def _complies(self, value: Json, place: str) -> bool:
        if place not in self._parts:
            self._parts[place] = self._validator.part(place)
        check = self._parts[place]
        return check is None or check(value)


def _items(parts: list[Node], index: int) -> Iterator[Node]:
    for place, part in parts:
        if index < len(part.get("prefixItems", ())):
            yield f"{place}/prefixItems/{index}", part["prefixItems"][index]
        elif "items" in part:
            yield f"{place}/items", part["items"]
