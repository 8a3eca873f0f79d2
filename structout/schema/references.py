"""References in a schema: resolved by the registry of jsonschema-rs, and rewritten as JSON Pointers from the root.

All other modules read schemas that `local` rewrote, so they follow references with `resolve` alone.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote, urljoin

import jsonschema_rs

from structout.issue import pointer

DATA = frozenset({"const", "default", "enum", "examples"})  # keywords that hold documents, not schemas
NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})  # schemas by name

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ADDRESSES = ("$id", "id", "$anchor", "$dynamicAnchor", "$recursiveAnchor")
_HERE = "file:///structout/schema"  # the base of relative addresses; nothing is read from there
_PLACE = "x-structout-place"  # in a copy of the schema, the keyword that holds the place of a subschema
_SAFE = "/~$!&'()*+,;=:@"  # characters that need no escape in a fragment (RFC 3986)
_Errors = (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError)


def resolve(root: Any, reference: Any) -> Any:
    """The target of a reference in a `local` schema; True, which admits anything, if it leads nowhere.

    The reference is a JSON Pointer as a fragment (RFC 6901, section 6), such as `#/$defs/The%20Size`.
    """
    found = target(root, place_of(reference)) if isinstance(reference, str) and reference[:1] == "#" else None
    return True if found is None else found


def place_of(reference: str) -> str:
    """The JSON Pointer in a reference of a `local` schema."""
    return unquote(reference[1:])


def target(root: Any, place: str) -> Any:
    """The part of a schema at a JSON Pointer; None if the pointer leads nowhere."""
    if place and place[0] != "/":
        return None
    node = root
    for step in place.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list | tuple) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, Mapping) and key in node:
            node = node[key]
        else:
            return None
    return node


def local(schema: Any) -> Any:
    """The same schema with every reference written as a JSON Pointer from the root.

    The function resolves percent escapes, `$anchor`, `$id`, embedded resources, and a `$dynamicRef` or `$recursiveRef`
    with only one possible target (JSON Schema 2020-12, sections 8.2 and 9). Three kinds of schemas are returned
    unchanged: a schema without any of these; a schema with a reference to nowhere, which the validator rejects; and a
    schema that mixes drafts, or whose references have targets that depend on the path of validation. In the last case,
    `resolve` finds no targets, and only the validator follows the references.
    """
    found = References(schema)
    if found.are_pointers:
        return schema
    places = found.places()
    return schema if places is None else _written(schema, places)


class References:
    """The references of a schema and their targets. `check_form` must have accepted the schema."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        self._holders: list[tuple[str, dict[str, Any]]] = []  # subschemas with references, each with its place
        self._addressed: list[tuple[str, dict[str, Any]]] = []  # subschemas with an address, each with its place
        for place, node in subschemas(schema):
            if any(isinstance(node.get(name), str) for name in _REFERENCES):
                self._holders.append((place, node))
            if any(name in node for name in _ADDRESSES):
                self._addressed.append((place, node))
        self._places = {id(node): place for place, node in self._holders}
        self._resolvers: dict[str, jsonschema_rs.Resolver] = {}
        self._found: dict[tuple[str, str], str | None] = {}

    @cached_property
    def are_pointers(self) -> bool:
        """Whether each reference is a JSON Pointer from the root to a part of the schema, without escapes."""
        if any(place and isinstance(_identifier(node), str) for place, node in self._addressed):
            return not self._holders
        for _, node in self._holders:
            reference = node.get("$ref")
            if any(name in node for name in _REFERENCES[1:]) or not isinstance(reference, str):
                return False
            if not reference.startswith("#") or "%" in reference or target(self._schema, reference[1:]) is None:
                return False
        return True

    def places(self) -> dict[int, str] | None:
        """The target of each subschema's reference, by `id()` of the subschema; None if any target is unknown."""
        drafts = [node["$schema"] for place, node in self._addressed if place and "$schema" in node]
        if any(draft != self._schema.get("$schema") for draft in drafts):
            return None
        found: dict[int, str] = {}
        for place, node in self._holders:
            names = [name for name in _REFERENCES if name in node]
            if len(names) > 1 or (names[0] != "$ref" and not self._is_static(node, names[0])):
                return None
            leads = self.lead(place, node[names[0]])
            if leads is None:
                return None
            found[id(node)] = leads
        return found

    def of(self, node: dict[str, Any]) -> Iterator[Any]:
        """The possible targets of the references in a subschema."""
        for name in _REFERENCES:
            reference = node.get(name)
            if not isinstance(reference, str):
                continue
            leads = reference[1:] if self.are_pointers else self.lead(self._places[id(node)], reference)
            if leads is not None:
                yield target(self._schema, leads)
            if name == "$dynamicRef":
                anchor = reference.rpartition("#")[2]
                yield from (one for _, one in self._addressed if one.get("$dynamicAnchor") == anchor)
            if name == "$recursiveRef":
                yield from (one for _, one in self._addressed if one.get("$recursiveAnchor") is True)

    def _is_static(self, node: dict[str, Any], name: str) -> bool:
        """Whether a reference that depends on the path of validation has only one possible target."""
        if name == "$recursiveRef":
            return not any(place and isinstance(_identifier(one), str) for place, one in self._addressed)
        anchor = node[name].rpartition("#")[2]
        return len([one for _, one in self._addressed if one.get("$dynamicAnchor") == anchor]) <= 1

    def lead(self, place: str, reference: str) -> str | None:
        """The target of a reference at a place; None if it leads out of the schema, or nowhere."""
        base = self._base(place)
        if (base, reference) not in self._found:
            self._found[base, reference] = self._looked_up(base, reference)
        return self._found[base, reference]

    def _looked_up(self, base: str, reference: str) -> str | None:
        try:
            contents = self._resolver(base).lookup(reference).contents
        except _Errors:
            return None
        if isinstance(contents, dict):
            return str(contents[_PLACE]) if _PLACE in contents else None
        if not isinstance(contents, bool) or "#" not in reference:
            return None
        address, _, fragment = reference.rpartition("#")  # true and false cannot hold their place
        above = base if not address else self._looked_up(base, address)
        return None if above is None else above + unquote(fragment)

    def _base(self, place: str) -> str:
        """The place of the resource that contains a place."""
        above = [at for at, one in self._addressed if isinstance(_identifier(one), str) and _is_within(place, at)]
        return max(above, key=len, default="")

    def _resolver(self, base: str) -> jsonschema_rs.Resolver:
        if not self._resolvers:
            registry = jsonschema_rs.Registry([(_HERE, _marked(self._schema))], retriever=refuse)
            own = _identifier(self._schema) if isinstance(self._schema, dict) else None
            address = own.partition("#")[0] if isinstance(own, str) else ""
            self._resolvers[""] = registry.resolver(urljoin(_HERE, address))
        if base not in self._resolvers:
            self._resolvers[base] = self._resolvers[""].lookup(fragment_of(base)).resolver
        return self._resolvers[base]


def subschemas(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each subschema that is an object, with its JSON Pointer, outer before inner. Embedded documents are skipped."""
    waiting: list[tuple[str, Any, bool]] = [("", schema, False)]  # the flag says whether the keys of the node are names
    while waiting:
        place, node, named = waiting.pop()
        if isinstance(node, dict):
            if not named:
                yield place, node
            waiting += [
                (place + pointer([key]), value, not named and key in NAMED)
                for key, value in reversed(node.items())
                if isinstance(value, dict | list | tuple) and (named or key not in DATA)
            ]
        elif isinstance(node, list | tuple):
            waiting += [(f"{place}/{index}", one, False) for index, one in reversed(list(enumerate(node)))]


def fragment_of(place: str) -> str:
    """A JSON Pointer as a reference."""
    return "#" + quote(place, safe=_SAFE)


def _written(schema: Any, places: dict[int, str]) -> Any:
    """A copy of a schema with references to `places`, without the addresses that are no longer needed."""

    def write(node: Any, named: bool, top: bool = False) -> Any:
        if isinstance(node, list | tuple):
            return [write(one, False) for one in node]
        if not isinstance(node, dict):
            return node
        made = {}
        for key, value in node.items():
            if named or isinstance(value, dict):  # an `id` that is an object is the schema of a property
                made[key] = value if key in DATA and not named else write(value, not named and key in NAMED)
            elif key in _REFERENCES and id(node) in places:
                made["$ref"] = fragment_of(places[id(node)])
            elif key not in _ADDRESSES or (top and key in ("$id", "id")):
                made[key] = value if key in DATA else write(value, False)
        return made

    return write(schema, False, True)


def _marked(schema: Any, place: str = "", *, named: bool = False) -> Any:
    """A copy of a schema in which each subschema holds its place."""
    if isinstance(schema, list | tuple):
        return [_marked(one, f"{place}/{index}") for index, one in enumerate(schema)]
    if not isinstance(schema, dict):
        return schema
    made = {
        key: value
        if key in DATA and not named
        else _marked(value, place + pointer([key]), named=not named and key in NAMED)
        for key, value in schema.items()
    }
    return made if named else {**made, _PLACE: place}


def _identifier(node: dict[str, Any]) -> Any:
    return node.get("$id", node.get("id"))


def _is_within(place: str, outer: str) -> bool:
    return place == outer or place.startswith(f"{outer}/")


def refuse(address: str) -> Any:
    """The retriever of every registry and validator. Raises `ValueError` for every address."""
    raise ValueError(f"$ref {address!r} leads outside the schema")
