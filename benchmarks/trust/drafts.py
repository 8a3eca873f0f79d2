"""Random JSON Schemas of each draft, and documents that nearly fit them."""

from random import Random
from typing import Any

DRAFTS = {
    "4": "http://json-schema.org/draft-04/schema#",
    "6": "http://json-schema.org/draft-06/schema#",
    "7": "http://json-schema.org/draft-07/schema#",
    "2019": "https://json-schema.org/draft/2019-09/schema",
    "2020": "https://json-schema.org/draft/2020-12/schema",
}
_ORDER = list(DRAFTS)
_KEYS = ["a", "b", "c", "é", "a b"]
_TEXTS = ["", "a", "ab", "aab", "12", "é", "\U0001f600b", "x" * 7, "a\nb"]
_NUMBERS: list[Any] = [0, 1, -1, 2, 3, 7, 10, 0.5, 1.5, -2.5, 0.1, 1e3, 10**17, 3.0]
_PATTERNS = ["a", "^a+b?$", "^[0-9]{2}$", "^.{2}$", "b$"]
TYPES = ["object", "array", "string", "number", "integer", "boolean", "null"]


def document(rng: Random, depth: int = 2) -> Any:
    """A small JSON document."""
    kind = rng.randrange(7 if depth else 5)
    if kind < 2:
        return rng.choice(_NUMBERS)
    if kind < 4:
        return rng.choice(_TEXTS)
    if kind < 5:
        return rng.choice([None, True, False])
    if kind < 6:
        return [document(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {key: document(rng, depth - 1) for key in rng.sample(_KEYS, rng.randrange(4))}


class Maker:
    """Makes schemas of one draft."""

    def __init__(self, rng: Random, draft: str) -> None:
        self._rng = rng
        self._draft = draft
        self._refers = True

    def root(self) -> dict[str, Any]:
        """A whole schema, with definitions that it refers to."""
        self._refers = False  # a definition that refers to itself alone is refused
        definitions = {"d": self._schema(1), "e": self._schema(0)}
        self._refers = True
        made = self._schema(3)
        if not isinstance(made, dict):
            made = {"allOf": [made]}
        where = "definitions" if self._before("2019") else "$defs"
        return {"$schema": DRAFTS[self._draft], **made, where: definitions}

    def _before(self, draft: str) -> bool:
        return _ORDER.index(self._draft) < _ORDER.index(draft)

    def _schema(self, depth: int) -> Any:
        rng = self._rng
        if not self._before("6") and rng.random() < 0.06:
            return rng.random() < 0.7
        if self._refers and rng.random() < 0.08:
            where = "definitions" if self._before("2019") else "$defs"
            return {"$ref": f"#/{where}/{rng.choice('de')}"}
        node: dict[str, Any] = {}
        if rng.random() < 0.6:
            node["type"] = rng.choice([*TYPES, "object", "array", rng.sample(TYPES, 2)])
        parts = [self._number, self._text, self._values]
        parts += [self._list, self._object, self._choice, self._object, self._list] if depth > 0 else []
        kinds = {"number": 0, "integer": 0, "string": 1, "array": 3, "object": 4}
        chosen = kinds.get(node.get("type", "")) if isinstance(node.get("type"), str) else None
        for _ in range(rng.choice([0, 1, 1, 2])):
            own = chosen is not None and chosen < len(parts) and rng.random() < 0.8
            node |= parts[chosen if own and chosen is not None else rng.randrange(len(parts))](depth - 1)
        return node

    def _number(self, depth: int) -> dict[str, Any]:
        rng, node = self._rng, dict[str, Any]()
        for key in rng.sample(["minimum", "maximum", "multipleOf"], rng.choice([1, 1, 2])):
            node[key] = rng.choice([2, 3, 0.5, 0.1]) if key == "multipleOf" else rng.choice(_NUMBERS)
            if key != "multipleOf" and rng.random() < 0.3:
                name = "exclusiveMinimum" if key == "minimum" else "exclusiveMaximum"
                node[name] = True if self._draft == "4" else rng.choice(_NUMBERS)
        return node

    def _text(self, depth: int) -> dict[str, Any]:
        rng = self._rng
        return rng.choice(
            [
                {"minLength": rng.randrange(4)},
                {"maxLength": rng.randrange(4)},
                {"pattern": rng.choice(_PATTERNS)},
                {"minLength": 1, "maxLength": 2},
            ]
        )

    def _values(self, depth: int) -> dict[str, Any]:
        if not self._before("6") and self._rng.random() < 0.3:
            return {"const": document(self._rng, 1)}
        found: list[Any] = []
        for _ in range(self._rng.randrange(1, 4)):
            one = document(self._rng, 1)
            if not any(repr(one) == repr(other) or one == other for other in found):
                found.append(one)
        return {"enum": found}

    def _list(self, depth: int) -> dict[str, Any]:
        rng = self._rng
        kinds = ["items", "count", "unique", "tuple"]
        kinds += [] if self._before("6") else ["contains"]
        kinds += [] if self._before("2019") else ["contains", "unevaluated"]
        kind = rng.choice(kinds)
        if kind == "items":
            return {"items": self._schema(depth)}
        if kind == "count":
            return {rng.choice(["minItems", "maxItems"]): rng.randrange(4)}
        if kind == "unique":
            return {"uniqueItems": True}
        if kind == "tuple":
            places = [self._schema(depth) for _ in range(rng.randrange(1, 3))]
            first, rest = ("items", "additionalItems") if self._before("2020") else ("prefixItems", "items")
            return {first: places, **({rest: self._schema(depth)} if rng.random() < 0.5 else {})}
        if kind == "unevaluated":
            return {"unevaluatedItems": self._schema(depth)}
        node = {"contains": self._schema(depth)}
        if not self._before("2019") and rng.random() < 0.5:
            node[rng.choice(["minContains", "maxContains"])] = rng.randrange(3)
        return node

    def _object(self, depth: int) -> dict[str, Any]:
        rng = self._rng
        kinds = ["properties", "properties", "required", "count", "patterns", "additional"]
        kinds += ["dependencies"] if self._before("2019") else ["unevaluated", "dependent"]
        kinds += [] if self._before("6") else ["names"]
        kind = rng.choice(kinds)
        some = {key: self._schema(depth) for key in rng.sample(_KEYS, rng.randrange(1, 4))}
        if kind == "properties":
            needed = {"required": rng.sample(_KEYS, rng.randrange(1, 3))} if rng.random() < 0.5 else {}
            closed = {"additionalProperties": rng.random() < 0.2} if rng.random() < 0.3 else {}
            return {"properties": some, **needed, **closed}
        if kind == "required":
            return {"required": rng.sample(_KEYS, rng.randrange(1, 3))}
        if kind == "count":
            return {rng.choice(["minProperties", "maxProperties"]): rng.randrange(4)}
        if kind == "patterns":
            return {"patternProperties": {rng.choice(_PATTERNS): self._schema(depth)}}
        if kind == "additional":
            return {"additionalProperties": self._schema(depth)}
        if kind == "unevaluated":
            return {"unevaluatedProperties": self._schema(depth)}
        if kind == "names":
            return {"propertyNames": self._schema(depth)}
        if kind == "dependent":
            if rng.random() < 0.5:
                return {"dependentRequired": {rng.choice(_KEYS): rng.sample(_KEYS, 1)}}
            return {"dependentSchemas": {rng.choice(_KEYS): self._schema(depth)}}
        return {"dependencies": {rng.choice(_KEYS): rng.choice([rng.sample(_KEYS, 1), self._schema(depth)])}}

    def _choice(self, depth: int) -> dict[str, Any]:
        rng = self._rng
        kinds = ["allOf", "anyOf", "oneOf", "not"] + ([] if self._before("7") else ["if"])
        kind = rng.choice(kinds)
        if kind == "not":
            return {"not": self._schema(depth)}
        if kind == "if":
            return {
                key: self._schema(depth) for key in ("if", rng.choice(["then", "else"]), rng.choice(["then", "else"]))
            }
        return {kind: [self._schema(depth) for _ in range(rng.randrange(1, 4))]}


def near(rng: Random, node: Any, root: Any, depth: int = 4) -> Any:
    """A document that a schema may take: as far as a look at its commonest keywords tells, and with random faults."""
    if not isinstance(node, dict) or depth < 0 or rng.random() < 0.06:
        return document(rng, 1)
    if isinstance(node.get("$ref"), str):
        _, where, name = node["$ref"].split("/")
        return near(rng, root[where][name], root, depth - 1)
    if "const" in node:
        return node["const"]
    if "enum" in node:
        return rng.choice(node["enum"])
    for key in ("allOf", "anyOf", "oneOf"):
        if key in node and rng.random() < 0.5:
            return near(rng, rng.choice(node[key]), root, depth - 1)
    kind = node.get("type", _implied(node))
    kind = rng.choice(kind) if isinstance(kind, list) else kind
    if kind == "object":
        known = node.get("properties", {})
        needed = node.get("required", [])
        keys = [key for key in known if key in needed or rng.random() < 0.6]
        keys += [key for key in needed if key not in known]
        keys += [key for key in rng.sample(_KEYS, 1) if key not in {*known, *keys} and rng.random() < 0.3]
        other = node.get("additionalProperties", True)
        return {key: near(rng, known.get(key, other), root, depth - 1) for key in keys}
    if kind == "array":
        places: list[Any] = node.get("prefixItems") or (node["items"] if isinstance(node.get("items"), list) else [])
        rest = node.get("items") if "prefixItems" in node or isinstance(node.get("items"), dict) else True
        size = rng.randrange(node.get("minItems", 0), max(node.get("minItems", 0), min(3, node.get("maxItems", 3))) + 1)
        return [near(rng, places[n] if n < len(places) else rest, root, depth - 1) for n in range(size)]
    if kind == "string":
        return rng.choice(_TEXTS)
    if kind in ("number", "integer"):
        return rng.choice([one for one in _NUMBERS if kind == "number" or isinstance(one, int)])
    return rng.choice([True, False]) if kind == "boolean" else None if kind == "null" else document(rng, 1)


def _implied(node: Any) -> str:
    for kind, keys in (
        ("object", ("properties", "required", "minProperties", "patternProperties", "additionalProperties")),
        ("array", ("items", "prefixItems", "minItems", "contains", "uniqueItems")),
        ("string", ("pattern", "minLength", "maxLength")),
        ("number", ("minimum", "maximum", "multipleOf")),
    ):
        if any(key in node for key in keys):
            return kind
    return ""
