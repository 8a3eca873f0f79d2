"""The layout of documents according to their schema."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import jsonschema_rs

from structout.document import Json
from structout.issue import Steps
from structout.schema import Schema
from structout.schema.references import resolve
from structout.schema.written import is_set


class AnswerLayout:
    """Finds, for each part of a document, the part of the schema that describes it."""

    def __init__(self, schema: Schema[Any]) -> None:
        self._root = schema.json_schema
        shared = {"$defs", "definitions"} & set(self._root) if isinstance(self._root, dict) else set()
        self._shared = {key: self._root[key] for key in shared} if isinstance(self._root, dict) else {}
        self._validators: dict[int, jsonschema_rs.Validator] = {}

    def order(self, document: Json, text: str = "") -> Json:
        """The document with its keys in the schema's order, which is the only order that a constraint admits.

        A model that learned another order would have to deviate from it under a constraint. The members of a set (a
        list with `uniqueItems`) take one order too, so that the model does not have to guess it: the values of an enum
        in the schema's order, others in the order in which they stand in `text`, and last the values that do not.
        """
        return self._ordered(document, self._root, text)

    def texts(self, document: Json) -> Iterator[tuple[Steps, int, str]]:
        """The free texts of a document: the path, an id of the part of the schema that describes it, and the text.

        Enum values are not free, nor are texts beside an enum value in an object: the enum value may follow from them,
        as a category follows from a name.
        """
        yield from self._texts(document, self._root, ())

    def objects(self, document: Json) -> Iterator[tuple[dict[str, Any], dict[str, Json]]]:
        """The objects in a document whose keys the schema lists, each with its subschema, which comes first."""
        stack: list[tuple[Json, Any]] = [(document, self._root)]
        while stack:
            document, node = stack.pop()
            node = self._describing(document, node)
            if isinstance(document, dict):
                if node.get("properties"):
                    yield node, document
                stack += [(value, _property(node, key)) for key, value in document.items()]
            elif isinstance(document, list):
                stack += [(item, _item(node, i)) for i, item in enumerate(document)]

    def _ordered(self, document: Json, node: Any, text: str) -> Json:
        node = self._describing(document, node)
        if isinstance(document, dict):
            known = [key for key in node.get("properties", {}) if key in document]
            keys = [*known, *(key for key in document if key not in known)]
            return {key: self._ordered(document[key], _property(node, key), text) for key in keys}
        if isinstance(document, list):
            items = [self._ordered(item, _item(node, i), text) for i, item in enumerate(document)]
            return sorted(items, key=self._rank(node, text)) if is_set(node) else items
        return document

    def _rank(self, node: dict[str, Any], text: str) -> Callable[[Json], tuple[int, str]]:
        """The place of a member of a set, and its JSON."""

        def rank(member: Json) -> tuple[int, str]:
            listed = self._describing(member, _item(node, 0)).get("enum", [])
            at = listed.index(member) if member in listed else text.find(str(member))
            return at if at >= 0 else len(text), json.dumps(member, sort_keys=True)

        return rank

    def _texts(self, document: Json, node: Any, path: Steps) -> Iterator[tuple[Steps, int, str]]:
        node = self._describing(document, node)
        if isinstance(document, dict):
            parts = {key: _property(node, key) for key in document}
            listed = any("enum" in self._describing(value, parts[key]) for key, value in document.items())
            for key, value in document.items():
                if not (listed and isinstance(value, str)):
                    yield from self._texts(value, parts[key], (*path, key))
        elif isinstance(document, list):
            for i, item in enumerate(document):
                yield from self._texts(item, _item(node, i), (*path, i))
        elif isinstance(document, str) and not {"const", "enum"} & set(node):
            yield path, id(node), document

    def _describing(self, document: Json, node: Any) -> dict[str, Any]:
        """The subschema of a document, with references resolved; of a union, the first alternative that fits."""
        seen: set[str] = set()
        while isinstance(node, dict):
            ref, branches = node.get("$ref"), node.get("anyOf") or node.get("oneOf")
            if ref and ref not in seen:
                seen.add(ref)
                node = resolve(self._root, ref)
            elif branches:
                node = next((one for one in branches if self._fits(document, one)), {})
            else:
                return node
        return {}

    def _fits(self, document: Json, node: Any) -> bool:
        if id(node) not in self._validators:
            whole = {**self._shared, **node} if isinstance(node, dict) else node
            self._validators[id(node)] = jsonschema_rs.validator_for(whole)
        return self._validators[id(node)].is_valid(document)


def _property(node: dict[str, Any], key: str) -> Any:
    return node.get("properties", {}).get(key, node.get("additionalProperties", {}))


def _item(node: dict[str, Any], index: int) -> Any:
    first = node.get("prefixItems", [])
    return first[index] if index < len(first) else node.get("items", {})
